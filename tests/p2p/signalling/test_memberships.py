"""The rooms of a client, without sockets: requests that are given up, answers out of turn, lost connections."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from gns_py import Identity
from gns_py.p2p.signalling import Refusal, Room, RoomError, SignallingClosed, SignallingUnavailable
from gns_py.p2p.signalling.memberships import Memberships, Request
from gns_py.p2p.signalling.wire import Join, Joined, Leave, Members, Message, decode

ALICE, BOB = Identity.string("alice"), Identity.string("bob")


class Client:
    """Memberships of Alice, and what they send."""

    def __init__(self) -> None:
        self._sent: list[bytes] = []
        self.memberships = Memberships(self._sent.append)
        self.memberships.begin()

    def sent(self) -> list[Message]:
        """Return what was sent since the last call."""
        found = [decode(each) for each in self._sent]
        self._sent.clear()
        return found

    async def ask(self, room: str = "lobby") -> tuple[Request, asyncio.Task[Room]]:
        request = self.memberships.new_request(lambda number: Join(number, room, 0))
        task = asyncio.ensure_future(self.memberships.send(request))
        await asyncio.sleep(0)
        assert self.sent() == [Join(request.number, room, 0)]
        return request, task

    def answer(self, number: int, room: str = "lobby") -> None:
        self.memberships.on_members(Members(number, room, 4, BOB, (BOB, ALICE)), ALICE)

    async def join(self, room: str = "lobby") -> Room:
        request, task = await self.ask(room)
        self.answer(request.number, room)
        joined = await task
        self.memberships.claim(joined)
        self.memberships.finish(request)
        return joined

    async def give_up(self, request: Request, task: asyncio.Task[Room]) -> None:
        task.cancel()
        await asyncio.wait({task})
        self.memberships.finish(request)


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(main, debug=True)


def test_a_room_and_its_news() -> None:
    async def main() -> None:
        client = Client()
        room = await client.join()
        client.memberships.on_change(Joined("lobby", Identity.string("carol")))
        client.memberships.on_change(Joined("elsewhere", Identity.string("carol")))
        assert len(room.members) == 3
        assert await client.join() is room
        await room.leave()
        assert client.sent() == [Leave("lobby")]
        assert await client.join() is not room

    run(main())


def test_a_request_that_was_given_up_before_its_answer() -> None:
    async def main() -> None:
        client = Client()
        request, task = await client.ask()
        await client.give_up(request, task)
        assert client.sent() == []
        client.answer(request.number)
        assert client.sent() == [Leave("lobby")]
        client.answer(request.number)  # twice: it means nothing now
        assert client.sent() == []

    run(main())


def test_a_request_that_was_given_up_with_its_answer() -> None:
    async def main() -> None:
        client = Client()
        request, task = await client.ask()
        client.answer(request.number)
        await client.give_up(request, task)
        assert client.sent() == [Leave("lobby")]
        request, task = await client.ask()
        client.memberships.on_refusal(request.number, RoomError(Refusal.ROOM_FULL))
        await client.give_up(request, task)
        request, task = await client.ask()
        await client.give_up(request, task)
        client.memberships.on_refusal(request.number, RoomError(Refusal.ROOM_FULL))
        assert client.sent() == []

    run(main())


@pytest.mark.parametrize("first_is_answered", [False, True])
def test_a_request_that_is_given_up_while_another_is_due(first_is_answered: bool) -> None:
    async def main() -> None:
        client = Client()
        first, first_task = await client.ask()
        second, second_task = await client.ask()
        if first_is_answered:
            client.answer(first.number)
        await client.give_up(first, first_task)
        if not first_is_answered:
            client.answer(first.number)
        client.answer(second.number)
        room = await second_task
        client.memberships.claim(room)
        client.memberships.finish(second)
        assert room.is_open
        assert client.sent() == []

    run(main())


def test_a_room_that_the_application_has_is_never_left() -> None:
    async def main() -> None:
        client = Client()
        room = await client.join()
        request, task = await client.ask()
        await client.give_up(request, task)
        client.answer(request.number)
        assert client.sent() == []
        assert room.is_open

    run(main())


def test_a_lost_connection() -> None:
    async def main() -> None:
        client = Client()
        room, other = await client.join(), await client.join("other")
        _, task = await client.ask("third")
        client.memberships.interrupt(SignallingUnavailable("lost"))
        with pytest.raises(SignallingUnavailable):
            await task
        await other.leave()
        assert client.sent() == []  # there is no connection
        client.memberships.begin()
        [join] = client.sent()
        assert isinstance(join, Join)
        assert (join.room, join.capacity) == ("lobby", 4)
        client.memberships.on_refusal(join.request, RoomError(Refusal.ROOM_FULL))
        with pytest.raises(RoomError):
            await anext(room)
        client.memberships.on_change(Joined("lobby", BOB))
        assert not room.is_open

    run(main())


def test_a_room_that_comes_back_under_another_name_is_lost() -> None:
    async def main() -> None:
        client = Client()
        room = await client.join()
        client.memberships.interrupt(SignallingUnavailable("lost"))
        client.memberships.begin()
        [join] = client.sent()
        assert isinstance(join, Join)
        client.answer(join.request, "another")
        assert not room.is_open

    run(main())


def test_the_end() -> None:
    async def main() -> None:
        client = Client()
        room = await client.join()
        _, task = await client.ask("other")
        client.memberships.end(SignallingUnavailable("the reason"), SignallingClosed("closed"))
        with pytest.raises(SignallingUnavailable):
            await anext(room)
        with pytest.raises(SignallingClosed):
            await task
        with pytest.raises(ValueError, match="65 is not from 1 to 64"):
            client.memberships.new_request(lambda number: Join(number, "a" * 65, 0))

    run(main())
