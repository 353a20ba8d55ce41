"""The lines of GNS's example."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gns_py import Identity
from gns_py.p2p.signalling import Signal
from gns_py.p2p.signalling.line_protocol import LineError, check_identity, hello, line, parse, parse_hello

ALICE = Identity.string("alice")


def test_lines() -> None:
    assert hello(ALICE) == b"str:alice\n"
    assert line(ALICE, b"\x01\xff") == b"str:alice 01ff\n"
    assert parse_hello(b"str:alice\r\n") == ALICE
    assert parse(b"str:alice 01Ff\n") == parse(b"str:alice 01ff") == Signal(ALICE, b"\x01\xff")


@pytest.mark.parametrize(
    "text", [b"", b"\n", b"str:alice", b"str:alice ", b"alice 01", b"str:alice 0", b"str:alice 0g", b"str:a b 01",
             b"str:alice  01", b"invalid 01", b"\xff 01", b"str:a " + b"00" * 8193]
)  # fmt: skip
def test_malformed_lines(text: bytes) -> None:
    with pytest.raises(LineError):
        parse(text)


@pytest.mark.parametrize("identity", [Identity.string("a b"), Identity.string("a\n"), Identity.parse("invalid")])
def test_identities_with_blanks(identity: Identity) -> None:
    with pytest.raises(ValueError, match="line protocol"):
        check_identity(identity)


@given(st.binary(max_size=60))
def test_any_line_is_a_signal_or_refused(text: bytes) -> None:
    try:
        signal = parse(text)
    except LineError:
        return
    assert parse(line(signal.sender, signal.data)) == signal
