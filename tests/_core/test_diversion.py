"""Messages that another part of the program takes: the application never sees them, however it reads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest
from support import eventually
from support.deadline import PATIENCE

import gns_py.asyncio as gns
from gns_py import Config, InvalidStateError, MessageReceived
from gns_py._core.diversion import Diversion, Divertible
from gns_py._core.endpoint import Endpoint
from gns_py._core.mailbox import Mailbox
from gns_py.sync import Connection, PollGroup, socket_pair

PREFIX = b"\xf0side"
Ends = tuple[Connection, Endpoint]
ReadUntil = Callable[[Mailbox, Callable[[], object]], None]


class Side:
    """What is diverted."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.is_needed = True
        self.diversion = Diversion(PREFIX, self.taken.append, lambda: self.is_needed)


def test_only_unreliable_messages_with_the_prefix_go_elsewhere(ends: Ends, read_until: ReadUntil) -> None:
    sender, end = ends
    side = Side()
    end.divert(side.diversion)
    for data in (b"a", PREFIX + b"1", PREFIX[:-1], b"", PREFIX, b"x" + PREFIX):
        sender.send(data, reliable=False)
    sender.send(PREFIX + b"reliable")
    read_until(end.mailbox, lambda: len(end.inbox) == 5)
    assert [each.data for each in end.inbox] == [b"a", PREFIX[:-1], b"", b"x" + PREFIX, PREFIX + b"reliable"]
    assert side.taken == [PREFIX + b"1", PREFIX]


def test_those_that_wait_are_taken_out(ends: Ends, read_until: ReadUntil) -> None:
    sender, end = ends
    side = Side()
    for number in range(3):
        sender.send(b"%d" % number)
        sender.send(PREFIX + b"%d" % number, reliable=False)
    read_until(end.mailbox, lambda: len(end.inbox) == 6)
    end.divert_waiting()  # there is nothing that they could go to
    end.divert(side.diversion)
    end.divert_waiting()
    assert [each.data for each in end.inbox] == [b"0", b"1", b"2"]
    assert side.taken == [PREFIX + b"0", PREFIX + b"1", PREFIX + b"2"]


def test_those_among_the_events_of_a_poll_are_taken_out() -> None:
    first, second = socket_pair()
    third, fourth = socket_pair()
    with first, second, third, fourth, PollGroup() as group:
        side = Side()
        group.add(second)
        group.add(fourth)
        for sender in (first, third):
            sender.send(PREFIX + b"x", reliable=False)
            sender.send(b"y", reliable=False)
        mailbox = Connection.endpoint_of(second).mailbox

        def have_arrived() -> bool:
            mailbox.receive(0.01)
            return sum(isinstance(each, MessageReceived) for each in mailbox.events) == 4

        eventually(have_arrived)
        second.divertible().divert(side.diversion)
        second.divertible().divert_waiting()
        events = [each for each in group.poll() if isinstance(each, MessageReceived)]
        assert [each.message.data for each in events if each.connection is second] == [b"y"]
        assert [each.message.data for each in events if each.connection is fourth] == [PREFIX + b"x", b"y"]
        assert side.taken == [PREFIX + b"x"]


@pytest.mark.parametrize("copy", [True, False])
def test_a_thread_that_waits_in_recv_already_does_not_get_them(copy: bool) -> None:
    first, second = socket_pair(network=True)
    side = Side()
    with first, second:
        got: list[bytes] = []

        def read() -> None:
            got.append(second.recv() if copy else bytes(second.recv_message(copy=False).data))

        thread = threading.Thread(target=read)
        thread.start()
        eventually(lambda: Connection.endpoint_of(second).mailbox.is_read)
        second.divertible().divert(side.diversion)
        for _ in range(3):
            first.send(PREFIX, reliable=False)
        eventually(lambda: len(side.taken) == 3)
        first.send(b"for the application")
        thread.join(10.0 * PATIENCE)
        assert got == [b"for the application"]
        assert side.taken == [PREFIX] * 3
        assert all(type(each) is bytes for each in side.taken)


def test_a_poll_gets_none() -> None:
    first, second = socket_pair()
    side = Side()
    with first, second:
        second.divertible().divert(side.diversion)
        first.send(PREFIX, reliable=False)
        first.send(b"a")
        found: list[object] = []
        while not any(isinstance(each, MessageReceived) for each in found):
            found += second.poll(10.0 * PATIENCE)
        assert [each.message.data for each in found if isinstance(each, MessageReceived)] == [b"a"]
        assert side.taken == [PREFIX]


def test_they_never_fill_the_limits_of_an_event_loop(fast: Config) -> None:
    """A loop's messages count until they are handled."""
    side = Side()
    config = fast | Config(recv_queue_messages=20)

    async def main() -> None:
        async def handler(connection: gns.Connection) -> None:
            connection.divertible().divert(side.diversion)
            connection.send(await connection.recv())

        async with (
            gns.serve(handler, "127.0.0.1", 0, config=config) as server,
            gns.connect(*server.address, config=fast) as client,
        ):
            for count in range(1, 101):
                client.send(PREFIX, reliable=False, nagle=False)
                while len(side.taken) < count:
                    await asyncio.sleep(0)
            client.send(b"still here")
            assert await client.recv() == b"still here"

    asyncio.run(asyncio.wait_for(main(), 20.0 * PATIENCE))


def test_another_one_has_to_wait_until_the_first_is_not_needed(ends: Ends) -> None:
    _, end = ends
    first, second = Side(), Side()
    end.divert(first.diversion)
    with pytest.raises(InvalidStateError, match="already"):
        end.divert(second.diversion)
    first.is_needed = False
    end.divert(second.diversion)
    assert end.diversion is second.diversion


def test_what_is_sent_aside() -> None:
    first, second = socket_pair()
    with first, second:
        assert first.divertible().send_aside(b"x")
        message = second.recv_message()
        assert (message.data, message.reliable) == (b"x", False)
        assert not first.divertible().is_over
        assert first.divertible().drops == 0
        assert not first.divertible().send_aside(bytes(1 << 20))
    assert first.divertible().is_over
    assert not first.divertible().send_aside(b"x")


def test_reading_while_no_thread_does() -> None:
    client, server = socket_pair(network=True)
    with client, server:
        side, end = Side(), client.divertible()
        end.divert(side.diversion)
        server.send(PREFIX, reliable=False)
        read_until(end, lambda: side.taken)
        inbox = Connection.endpoint_of(client).inbox
        sent = 0
        while sum(len(each.data) for each in inbox) < 1 << 20:
            server.send(bytes(30_000))
            sent += 1
            server.drain(10.0 * PATIENCE)
            end.read_if_idle()
        waiting = len(inbox)
        for _ in range(5):
            server.send(bytes(30_000))
        server.drain(10.0 * PATIENCE)
        for _ in range(20):
            end.read_if_idle()
        assert len(inbox) == waiting
        for _ in range(sent + 5):
            assert len(client.recv(10.0 * PATIENCE)) == 30_000


def read_until(end: Divertible, condition: Callable[[], object]) -> None:
    def is_true_now() -> object:
        end.read_if_idle()
        return condition()

    eventually(is_true_now)
