"""Acks: when one is due, and what it says."""

from __future__ import annotations

from support.framing import Framing

from gns_py.message import Message
from gns_py.session.protocol.acks import Acknowledger
from gns_py.session.protocol.frames import Ack
from gns_py.session.protocol.inbox import Inbox


def receiver() -> tuple[Acknowledger, Inbox]:
    transport = Framing()
    transport.begin(100, 400, 4)
    transport.ungranted.append((10, 1))
    inbox = Inbox(4, 1_000)
    return Acknowledger(inbox, transport, 400, 4), inbox


def arrive(inbox: Inbox, number: int, *, is_ack_due: bool = False) -> None:
    inbox.add(Message(b"", number, 0, True, 0), is_ack_due=is_ack_due)
    assert inbox.take() is not None


def test_no_ack_is_due_before_a_message_that_makes_it_due() -> None:
    acks, inbox = receiver()
    assert acks.take_due() is None
    arrive(inbox, 1)
    assert acks.take_due() is None
    assert acks.granted_messages == 4


def test_a_due_ack_has_the_new_credit_and_is_due_once() -> None:
    acks, inbox = receiver()
    arrive(inbox, 1, is_ack_due=True)
    assert inbox.is_ack_due
    assert acks.take_due() == Ack({0: 1}, 410, 5)
    assert acks.granted_messages == 5
    assert not inbox.is_ack_due
    assert acks.take_due() is None


def test_a_peer_that_asks_gets_news_once() -> None:
    acks, inbox = receiver()
    assert acks.take_due(asked=True) is None
    arrive(inbox, 1)
    assert acks.take_due(asked=True) == Ack({0: 1}, 400, 4)
    assert acks.take_due(asked=True) is None
