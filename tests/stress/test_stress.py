"""A round of the stress; the command that runs for longer is tests/stress/run.py."""

from __future__ import annotations

import sys

import pytest

from .supervisor import run_round

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="there, no process is stopped by a signal"),
]


@pytest.mark.parametrize("seed", [1])
def test_nothing_is_lost_doubled_or_left_between_disturbed_processes(seed: int) -> None:
    verdict, _ = run_round(seed, 5.0)
    assert not verdict.wrong, "\n".join(verdict.wrong)
    assert sum(verdict.links.values()) > 50, verdict
