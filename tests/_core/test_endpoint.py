"""The internal end of a connection: where its messages go, moving it, and whose it is."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import pytest
from support import PATIENCE, counts_references

from gns_py import ConcurrencyError, ConnectionClosed, ConnectionEnd, InvalidStateError, Message, MessageReceived
from gns_py._core.endpoint import Endpoint
from gns_py._core.mailbox import Mailbox
from gns_py.sync import Connection

Ends = tuple[Connection, Endpoint]
ReadUntil = Callable[[Mailbox, Callable[[], object]], None]


class Owner:
    """An application's object."""


class Interrupted:
    """A reader in which a signal handler raises."""

    def __len__(self) -> int:
        return 1

    def wake(self) -> None:
        raise KeyboardInterrupt


class Sink:
    """A layer above connections that only writes down what it gets."""

    def __init__(self) -> None:
        self.inputs: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self.taken: list[object] = []

    def work(self) -> None:
        while self.inputs:
            function, arguments = self.inputs.popleft()
            function(*arguments)

    def take_message(self, message: Message) -> None:
        self.taken.append(message.data)

    def take_unreliable(self, message: Message) -> None:
        self.taken.append(("unreliable", message.data))

    def take_end(self, end: ConnectionEnd) -> None:
        self.taken.append((end.code, end.text))

    def take_room(self) -> None:
        self.taken.append("room")

    def on_data(self, *_: object) -> None:
        raise AssertionError("nothing is framed")

    on_ack_due_data = on_untracked = on_data


def data_of(events: deque[Any]) -> list[bytes]:
    return [each.message.data for each in events if isinstance(each, MessageReceived)]


def test_redirecting_keeps_the_order(ends: Ends, read_until: ReadUntil) -> None:
    sender, end = ends
    events: deque[Any] = deque()
    others: deque[Any] = deque(["of another connection"])
    sender.send_many([b"a", b"b"])
    read_until(end.mailbox, lambda: len(end.inbox) == 2)
    end.redirect_events(events)
    sender.send(b"c")
    read_until(end.mailbox, lambda: len(events) == 3)
    assert data_of(events) == [b"a", b"b", b"c"]
    end.redirect_events(others)
    assert not events
    assert others[0] == "of another connection"
    assert data_of(others) == [b"a", b"b", b"c"]
    others.popleft()
    sender.send(b"d")
    read_until(end.mailbox, lambda: len(others) == 4)
    end.redirect_events(None)
    end.redirect_events(None)
    assert not others
    assert [message.data for message in end.inbox] == [b"a", b"b", b"c", b"d"]


def test_it_moves_with_everything_that_waits(ends: Ends, read_until: ReadUntil) -> None:
    sender, end = ends
    source, target = end.mailbox, Mailbox()
    sender.send(b"read")
    read_until(source, lambda: end.inbox)
    sender.send(b"waits")
    end.move_to(target, target.events)
    assert end.mailbox is target
    sender.send(b"later")
    read_until(target, lambda: len(target.events) == 3)
    assert data_of(target.events) == [b"read", b"waits", b"later"]
    assert not source.receive(0.0)


def test_it_moves_with_what_an_interrupted_reader_has_left(ends: Ends, read_until: ReadUntil) -> None:
    sender, end = ends
    target = Mailbox()
    end.readers = Interrupted()
    sender.send_many([b"read", b"left", b"left, too"])
    with pytest.raises(KeyboardInterrupt):
        end.mailbox.receive(5.0 * PATIENCE)
    end.readers = ()
    end.move_to(target, target.events)
    sender.send(b"later")
    read_until(target, lambda: len(target.events) == 4)
    assert data_of(target.events) == [b"read", b"left", b"left, too", b"later"]


def test_it_does_not_move_while_it_is_read_or_once_it_has_ended(ends: Ends) -> None:
    _, end = ends
    source, target = end.mailbox, Mailbox()
    with pytest.raises(ConcurrencyError):
        source.as_reader(lambda events: end.move_to(target, events), None)
    end.close(1500, "bye")
    with pytest.raises(ConnectionClosed, match="bye"):
        end.move_to(target, None)
    assert end.mailbox is source


def test_a_sink_gets_everything_from_the_first_message_to_the_end(ends: Ends, read_until: ReadUntil) -> None:
    sender, end = ends
    sink = Sink()
    sender.send(b"before")
    read_until(end.mailbox, lambda: end.inbox)
    end.attach(sink)
    assert sink.taken == [b"before"]
    sender.send(b"after")
    sender.send(b"perhaps", reliable=False)
    read_until(end.mailbox, lambda: len(sink.taken) == 3)
    sender.close(1500, "bye")
    read_until(end.mailbox, lambda: end.end)
    assert sink.taken == [b"before", b"after", ("unreliable", b"perhaps"), (1500, "bye")]
    assert not end.inbox
    late = Sink()
    end.attach(late)
    assert late.taken == [(1500, "bye")]
    assert end.sink is None


@counts_references
def test_it_does_not_keep_its_owner(ends: Ends) -> None:
    _, end = ends
    bare = f"<connection {end.handle:#x}>"
    assert end.connection is None
    assert repr(end) == bare
    owner = Owner()
    end.belong_to(owner)
    assert end.connection is owner
    assert repr(end) == repr(owner)
    del owner
    assert end.connection is None
    assert repr(end) == bare


def test_a_member_of_a_poll_group_is_not_read_by_itself(ends: Ends) -> None:
    class Group:
        def discard(self, endpoint: Endpoint) -> None:
            endpoint.group = None

    _, end = ends
    end.check_own_reader()
    end.group = Group()
    with pytest.raises(InvalidStateError, match="a poll group reads the connection"):
        end.check_own_reader()
    end.group.discard(end)
    end.check_own_reader()
