"""The test vectors of resuming: as the engines make them, and as a client from the specification alone reads them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from session.protocol import independent_client
from session.protocol.make_resume_vectors import EXCHANGES, PATH, record
from support.frames import assert_decoders_agree

VECTORS = json.loads(PATH.read_text("utf-8"))
EXCHANGE = pytest.mark.parametrize("exchange", VECTORS["exchanges"], ids=lambda exchange: exchange["name"])


def test_the_engines_still_make_these_vectors() -> None:
    assert [record(play) for play in EXCHANGES] == VECTORS["exchanges"]


@EXCHANGE
def test_a_client_written_from_the_specification_alone_says_the_same(exchange: dict[str, Any]) -> None:
    independent_client.play(exchange)


@EXCHANGE
def test_every_frame_is_one_for_both_decoders(exchange: dict[str, Any]) -> None:
    for step in exchange["steps"]:
        assert "event" in step or assert_decoders_agree(bytes.fromhex(step["bytes"]))
