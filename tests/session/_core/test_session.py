"""The part that the sessions of all APIs share: sending without waiting, and how a session shows itself."""

from __future__ import annotations

import pytest
from support.plain import Ends, PlainSession, begin, endpoint_of

from gns_py import MessageDropped, MessageTooLarge, SendQueueFull
from gns_py.session._core.session import BaseSession
from gns_py.session.protocol.config import SessionConfig
from gns_py.session.sync import SessionClosed


def received(session: PlainSession, ends: Ends, count: int) -> list[bytes]:
    """Return the data of messages that one end gets."""
    endpoint = endpoint_of(session)
    ends.until(lambda: len(endpoint.inbox) >= count)
    messages = [endpoint.take() for _ in range(count)]
    return [message.data for message in messages if message is not None]


@pytest.fixture
def unconfirmed(handshake: Ends) -> PlainSession:
    """Return the server's session, accepted, and not established yet: all messages wait."""
    return handshake.request().accept()


def test_messages_arrive(plain_ends: Ends) -> None:
    client = plain_ends.client
    assert [client.send(b"1"), client.send(bytearray(b"2"), nagle=False)] == [1, 2]
    assert client.send_many([b"3", b"4"]) == [3, 4]
    assert client.send_many(b"xx56", offsets=[2, 3]) == [5, 6]
    client.send(b"unreliable", reliable=False)
    assert sorted(received(plain_ends.server, plain_ends, 7)) == [b"1", b"2", b"3", b"4", b"5", b"6", b"unreliable"]


def test_a_keyed_message_that_waits_is_replaced(handshake: Ends, unconfirmed: PlainSession) -> None:
    for data in (b"old", b"new"):
        unconfirmed.send(data, reliable=False, key=b"k")
    unconfirmed.send(b"other", reliable=False, key=b"l")
    assert sorted(received(handshake.client, handshake, 2)) == [b"new", b"other"]
    assert unconfirmed.dropped == (0, 0)  # not counted: it was replaced


def test_a_message_that_would_wait_is_dropped_with_no_delay(handshake: Ends, unconfirmed: PlainSession) -> None:
    for reliable in (True, False):
        with pytest.raises(MessageDropped, match="no_delay"):
            unconfirmed.send(b"x", no_delay=True, reliable=reliable)
    assert unconfirmed.queued == (0, 0)
    assert unconfirmed.send(b"waits") == 1
    assert received(handshake.client, handshake, 1) == [b"waits"]


def test_lanes_that_are_not_set_up_are_refused(plain_ends: Ends) -> None:
    client = plain_ends.client
    for call in (client.send, lambda data, lane: client.send_many([data], lane=lane)):
        with pytest.raises(ValueError, match=r"lane 3 is not configured: this connection has 1"):
            call(b"x", lane=3)
    with pytest.raises(ValueError, match="lane"):
        client.send(b"x", lane=-1)
    client.send(b"x")
    assert received(plain_ends.server, plain_ends, 1) == [b"x"]


def test_errors_of_many_messages_count_those_before() -> None:
    ends = begin(config=SessionConfig(max_message=10, send_queue_messages=3))
    session = ends.request().accept()
    with pytest.raises(SendQueueFull) as full:
        session.send_many([b"x"] * 5)
    ends.until(lambda: session.is_established and session.queued[1] == 0)
    with pytest.raises(MessageTooLarge) as large:
        session.send_many([b"1", b"2", bytes(11), b"3"])
    assert (full.value.sent, large.value.sent) == (3, 2)
    ends.abort()
    with pytest.raises(SessionClosed):
        session.send_many([b"x"])


def test_its_repr_shows_the_phase_and_then_the_end(handshake: Ends) -> None:
    client = handshake.client
    assert repr(client).endswith("BaseSession in memory being set up>")
    handshake.request().accept()
    handshake.until(lambda: client.is_established)
    assert repr(client).endswith("established>")
    assert repr(BaseSession.session_endpoint_of(client)) == repr(client)
    client.abort(text="enough")
    assert "enough" in repr(client)
