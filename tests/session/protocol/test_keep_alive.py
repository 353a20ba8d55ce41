"""Pings: after a third of the timeout, one at a time, and the peer is lost after the whole of it."""

from __future__ import annotations

import pytest

from gns_py.session.protocol.frames import Ping, Pong
from gns_py.session.protocol.keep_alive import KeepAlive
from gns_py.session.protocol.violation import Violation


def keep_alive() -> KeepAlive:
    pings = KeepAlive(10.0)
    pings.timeout = 3.0
    return pings


def test_a_silent_peer_is_pinged_once_and_then_lost() -> None:
    pings = keep_alive()
    assert pings.next_at == 11.0
    assert not pings.is_ping_due(10.9)
    assert pings.is_ping_due(11.0)
    assert pings.ping() == Ping(1)
    assert not pings.is_ping_due(12.9)
    assert pings.next_at == 13.0
    assert not pings.is_lost(12.9)
    assert pings.is_lost(13.0)


def test_any_sign_starts_the_time_again_and_an_older_one_changes_nothing() -> None:
    pings = keep_alive()
    pings.note_sign(12.0)
    pings.note_sign(11.0)
    assert pings.next_at == 13.0


def test_only_the_answer_to_the_last_ping_counts() -> None:
    pings = keep_alive()
    with pytest.raises(Violation):
        pings.take_pong(Pong(0))
    pings.ping()
    with pytest.raises(Violation):
        pings.take_pong(Pong(2))
    pings.take_pong(Pong(1))
    assert not pings.is_waiting
    assert pings.ping() == Ping(2)
