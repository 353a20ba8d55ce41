"""Servers of both APIs against clients that send anything; the command that runs for longer is server_frames.py."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from fuzz.campaign import Figures, Settings
from fuzz.server_frames import APIS, behave, fuzz

SEED = 1
# The behaviours that do not need the whole machine.
QUIET = "credit beyond", "many HELLOs", "goodbye, then DATA", "half-open", "come and go", "vanish"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="there, no process is killed or stopped by a signal"),
]


@pytest.mark.parametrize("api", APIS)
def test_whatever_a_client_says_others_are_served(tmp_path: Path, api: str) -> None:
    figures = Figures()
    fuzz(api, figures, Settings(SEED, tmp_path), seconds=3.0)
    assert not figures.wrong, figures
    assert figures.inputs > 50, figures


@pytest.mark.parametrize("api", APIS)
def test_whatever_clients_do_others_are_served(tmp_path: Path, api: str) -> None:
    figures = Figures()
    behave(api, figures, Settings(SEED, tmp_path), QUIET, 1.0)
    assert not figures.wrong, figures
