"""The exceptions of signalling: caught as users expect, copied with their reasons, safe to print."""

from __future__ import annotations

import pickle

import pytest

from gns_py import GNSError
from gns_py.p2p.signalling import (
    Refusal,
    RoomError,
    SignallingClosed,
    SignallingError,
    SignallingRefused,
    SignallingUnavailable,
)
from gns_py.p2p.signalling.errors import refusal_of


@pytest.mark.parametrize("kind", [SignallingClosed, SignallingUnavailable, SignallingRefused, RoomError])
def test_all_are_errors_of_signalling(kind: type[Exception]) -> None:
    assert issubclass(kind, SignallingError)
    assert issubclass(kind, GNSError)
    assert issubclass(kind, ConnectionError) == (kind is not RoomError)


@pytest.mark.parametrize("kind", [SignallingRefused, RoomError])
def test_the_reason_is_kept_in_copies(kind: type[SignallingRefused]) -> None:
    error = pickle.loads(pickle.dumps(kind(Refusal.REPLACED, "text")))
    assert (type(error), error.reason, error.text) == (kind, Refusal.REPLACED, "text")


def test_a_reason_that_only_later_versions_know() -> None:
    assert refusal_of(4) is Refusal.REPLACED
    assert refusal_of(60_000) is Refusal.PROTOCOL


def test_texts_of_others_are_made_safe() -> None:
    assert str(RoomError(Refusal.ROOM_FULL, "a\x1b[2Jb\n")) == r"room full: a\x1b[2Jb\n"
    assert str(RoomError(Refusal.ROOM_FULL)) == "room full"
