"""Messages within those of a connection: the test vectors, and bytes that are not allowed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from p2p.signalling import independent_decoder
from support.signalling_messages import any_message

from gns_py import Identity
from gns_py.p2p.signalling import relayed, wire
from gns_py.p2p.signalling.fields import WireError
from gns_py.p2p.signalling.ice_offer import IceOffer, TurnOffer
from gns_py.p2p.signalling.wire import Message

VECTORS = json.loads(Path(__file__).parents[2].joinpath("vectors").joinpath("signalling-1.json").read_text("utf-8"))
KINDS = {"client": relayed.FROM_CLIENT, "relay": relayed.FROM_RELAY}
ALICE = Identity.string("alice")


@pytest.mark.parametrize("vector", VECTORS["relay"]["messages"], ids=lambda vector: vector["name"])
def test_the_test_vectors_are_read_and_written(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["bytes"])
    message = relayed.unwrap(data, KINDS[vector["from"]])
    assert relayed.wrap(message) == data
    assert data.startswith(bytes.fromhex(VECTORS["relay"]["prefix"]))
    assert relayed.is_hello(data) == isinstance(message, wire.HelloRelay)


def test_every_kind_has_a_test_vector_which_a_second_decoder_reads() -> None:
    found: dict[str, set[int]] = {"client": set(), "relay": set()}
    for vector in VECTORS["relay"]["messages"]:
        data = bytes.fromhex(vector["bytes"])
        independent_decoder.decode_relayed(data, vector["from"])
        found[vector["from"]].add(data[len(relayed.PREFIX) + 1])
    assert found == KINDS


@given(any_message)
def test_only_the_kinds_of_the_sender_are_taken(message: Message) -> None:
    data = relayed.wrap(message)
    for sender, kinds in KINDS.items():
        if message.KIND in kinds:
            assert relayed.unwrap(data, kinds) == message
            independent_decoder.decode_relayed(data, sender)
        else:
            with pytest.raises(WireError):
                relayed.unwrap(data, kinds)
            with pytest.raises(ValueError, match="not a message"):
                independent_decoder.decode_relayed(data, sender)


@given(st.binary(max_size=60), st.sampled_from(["client", "relay"]))
def test_any_bytes_are_a_message_or_refused(rest: bytes, sender: str) -> None:
    data = relayed.PREFIX + rest
    try:
        message = relayed.unwrap(data, KINDS[sender])
    except WireError:
        with pytest.raises(ValueError):  # noqa: PT011 - of each field
            independent_decoder.decode_relayed(data, sender)
    else:
        assert relayed.wrap(message) == data


def test_the_longest_messages() -> None:
    turn = TurnOffer("a" * 257 + ":65535", "ü" * 250, "p" * 255, 2**32 - 1)
    offer = IceOffer((turn.address,) * 8, (turn,) * 8, "relay")
    longest = Identity.bytes(bytes(range(32)))
    for message, kinds in (
        (wire.Welcome(longest, 8192, offer), relayed.FROM_RELAY),
        (wire.Received(longest, bytes(8192)), relayed.FROM_RELAY),
        (wire.Send(longest, bytes(8192)), relayed.FROM_CLIENT),
    ):
        assert relayed.unwrap(relayed.wrap(message), kinds) == message
    with pytest.raises(WireError, match="too long for a relay"):
        relayed.unwrap(relayed.PREFIX + bytes(relayed.MAX_SIZE), relayed.FROM_CLIENT)


def test_the_prefix_is_no_text() -> None:
    with pytest.raises(UnicodeDecodeError):
        relayed.PREFIX.decode()
