"""Messages that wait for the application: reliable ones in order, unreliable ones bounded in number and bytes."""

from __future__ import annotations

import pytest

from gns_py.message import Message
from gns_py.session.protocol.inbox import Inbox


def message(data: bytes, number: int = 1, *, reliable: bool = False, lane: int = 0) -> Message:
    return Message(data, number, lane, reliable, 0)


def drain(inbox: Inbox) -> list[bytes]:
    taken = []
    while (each := inbox.take()) is not None:
        taken.append(each.data)
    return taken


@pytest.mark.parametrize("keyed", [False, True])
def test_the_newest_messages_are_kept_within_the_bytes(keyed: bool) -> None:
    inbox = Inbox(100, 1000)
    for number in range(50):
        inbox.add_unreliable(message(b"%03d" % number + bytes(97), number), b"%d" % number if keyed else None)
    kept = drain(inbox)
    assert kept[-1][:3] == b"049"
    assert 8 <= len(kept) <= 10
    assert inbox.dropped == 50 - len(kept)


def test_a_message_larger_than_the_bound_is_kept_alone() -> None:
    inbox = Inbox(100, 1000)
    for size in (10, 20, 5000):
        inbox.add_unreliable(message(bytes(size)))
    assert [len(each) for each in drain(inbox)] == [5000]
    inbox.add_unreliable(message(b"next"))
    assert drain(inbox) == [b"next"]


def test_turns_do_not_pile_up() -> None:
    """Large messages push out many small ones, again and again, while none is taken."""
    inbox = Inbox(50, 1000)
    for round_ in range(200):
        for _ in range(50):
            inbox.add_unreliable(message(b"x", round_))
        inbox.add_unreliable(message(bytes(999), round_))
    assert len(inbox) <= 51
    inbox.add(message(b"reliable", 1, reliable=True))
    assert drain(inbox)[-1] == b"reliable"
    assert len(inbox) == 0


def test_a_newer_message_replaces_the_older_one_of_its_key() -> None:
    inbox = Inbox(4, 1000)
    for number, data in enumerate([b"a1", b"b1", b"a2"]):
        inbox.add_unreliable(message(data, number), data[:1])
    inbox.add_unreliable(message(b"a0", 0), b"a")  # the network has changed their order
    assert drain(inbox) == [b"a2", b"b1"]


def test_numbers_of_an_earlier_connection_do_not_make_a_newer_message_an_older_one() -> None:
    inbox = Inbox(4, 1000)
    inbox.add_unreliable(message(b"before", 100), b"a")
    inbox.begin_again()
    inbox.add_unreliable(message(b"newest", 2), b"a")
    inbox.add_unreliable(message(b"late", 1), b"a")
    assert drain(inbox) == [b"newest"]
    inbox.add_unreliable(message(b"next", 4), b"a")
    inbox.add_unreliable(message(b"late", 3), b"a")
    assert drain(inbox) == [b"next"]


def test_taken_messages_can_be_put_back() -> None:
    inbox = Inbox(4, 1000)
    inbox.add(message(b"1", 1, reliable=True), is_ack_due=True)
    inbox.add_unreliable(message(b"2"))
    inbox.add(message(b"3", 2, reliable=True))
    for _ in range(3):
        taken = [inbox.take(), inbox.take()]
        for each in reversed(taken):
            assert each is not None
            inbox.put_back(each)
    assert drain(inbox) == [b"1", b"2", b"3"]
    assert inbox.acks_due == 1
    assert inbox.handled == {0: 2}


def test_discarding_counts_as_handling() -> None:
    inbox = Inbox(4, 1000)
    for number in range(1, 6):
        inbox.add(message(b"", number, reliable=True, lane=number % 2), is_ack_due=number == 3)
    inbox.add_unreliable(message(b""))
    inbox.discard()
    assert len(inbox) == 0
    assert inbox.handled == inbox.received == {0: 4, 1: 5}
    assert inbox.is_ack_due


def test_unreliable_messages_that_match_are_taken_out() -> None:
    inbox = Inbox(100, 1000)
    inbox.add(message(b"x reliable", reliable=True))
    for number in range(6):
        inbox.add_unreliable(message(b"xy"[number % 2 :] + b"%d" % number, number))
    inbox.add_unreliable(message(b"x keyed"), b"key")
    taken = inbox.take_unreliable(lambda each: each.data.startswith(b"x"))
    assert [each.data for each in taken] == [b"xy0", b"xy2", b"xy4"]
    assert inbox.take_unreliable(lambda each: each.data.startswith(b"nothing")) == []
    inbox.add_unreliable(message(b"later"))
    assert drain(inbox) == [b"x reliable", b"y1", b"y3", b"y5", b"x keyed", b"later"]
    inbox.add_unreliable(message(bytes(1000)))
    assert [len(each) for each in drain(inbox)] == [1000]
    assert inbox.dropped == 0
