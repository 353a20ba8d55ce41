"""Checks of what is sent; the contract tests show them for each signalling."""

from __future__ import annotations

from typing import Any

import pytest

from gns_py import Identity
from gns_py.p2p.signalling import MemorySignalling
from gns_py.p2p.signalling.checks import check_room, check_signal, check_signalling, check_timeout


def test_good_and_bad_signals() -> None:
    bob = Identity.string("bob")
    check_signal(bob, b"x")
    check_signal(bob, bytes(8192))
    with pytest.raises(ValueError, match="1 to 8192 bytes, not 8193"):
        check_signal(bob, bytes(8193))
    with pytest.raises(ValueError, match="1 to 100 bytes, not 101"):
        check_signal(bob, bytes(101), 100)
    with pytest.raises(TypeError, match="must be bytes, not bytearray"):
        check_signal(bob, bytearray(b"x"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("timeout", "error"),
    [("5", TypeError), (None, TypeError), (True, TypeError), (0, ValueError), (-1.0, ValueError)]
    + [(float(each), ValueError) for each in ("inf", "nan")],
)
def test_bad_timeouts(timeout: Any, error: type[Exception]) -> None:
    check_timeout(0.1)
    check_timeout(10)
    with pytest.raises(error, match="timeout must be"):
        check_timeout(timeout)


@pytest.mark.parametrize(
    ("name", "capacity", "error", "text"),
    [
        (5, 2, TypeError, "the name of a room must be a str, not int"),
        (b"lobby", 2, TypeError, "the name of a room must be a str, not bytes"),
        ("\n", 2, ValueError, "all printable"),
        ("\udc80", 2, ValueError, "all printable"),
        ("\u00e9" * 33, 2, ValueError, "at most 64 bytes"),
        ("lobby", 2.0, TypeError, "capacity must be an int, not float"),
        ("lobby", "2", TypeError, "capacity must be an int, not str"),
        ("lobby", True, TypeError, "capacity must be an int, not bool"),
        ("lobby", 0, ValueError, "capacity must be 1 to 256, not 0"),
        ("lobby", 257, ValueError, "capacity must be 1 to 256, not 257"),
    ],
)
def test_bad_rooms(name: Any, capacity: Any, error: type[Exception], text: str) -> None:
    check_room("\u00e9" * 32, 256)
    check_room("", 1)
    with pytest.raises(error, match=text):
        check_room(name, capacity)


@pytest.mark.parametrize("wrong", [None, "str:alice", MemorySignalling])
def test_what_is_no_signalling(wrong: object) -> None:
    with pytest.raises(TypeError, match="the signalling must be one, such as a WebSocketSignalling, not "):
        check_signalling(wrong)
