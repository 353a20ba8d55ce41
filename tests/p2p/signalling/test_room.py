"""A room as its member sees it: changes are events, lies change nothing, nothing grows."""

from __future__ import annotations

import asyncio
import copy

import pytest

from gns_py import Identity
from gns_py.p2p.signalling import HostChanged, MemberJoined, MemberLeft, Refusal, Room, RoomError
from gns_py.p2p.signalling.wire import Host, Joined, Left, Members

ALICE, BOB, CAROL = (Identity.string(name) for name in ("alice", "bob", "carol"))


def room() -> Room:
    return Room(Members(1, "lobby", 3, ALICE, (ALICE, BOB)), BOB, lambda _: None)


def events(of: Room) -> list[object]:
    async def collect() -> list[object]:
        of.end(None)
        return [each async for each in of]

    return asyncio.run(collect())


def test_changes() -> None:
    lobby = room()
    for change in (Joined("lobby", CAROL), Left("lobby", ALICE), Host("lobby", BOB), Host("lobby", BOB)):
        lobby.change(change)
    assert (lobby.members, lobby.host, lobby.is_host, lobby.others) == ((BOB, CAROL), BOB, True, (CAROL,))
    assert repr(lobby) == "<Room 'lobby', 2 of 3 members>"
    assert events(lobby) == [MemberJoined(CAROL), MemberLeft(ALICE), HostChanged(BOB)]


def test_changes_that_cannot_be() -> None:
    lobby = room()
    for change in (Joined("lobby", ALICE), Left("lobby", CAROL), Left("lobby", BOB), Host("lobby", CAROL)):
        lobby.change(change)
    for number in range(100):
        lobby.change(Joined("lobby", Identity.string(f"{number}")))
    assert len(lobby.members) == 3
    assert lobby.host == ALICE


def test_a_new_description() -> None:
    lobby = room()
    lobby.describe(Members(2, "lobby", 5, CAROL, (CAROL, BOB)))
    assert (lobby.members, lobby.capacity) == ((CAROL, BOB), 5)
    assert events(lobby) == [MemberLeft(ALICE), MemberJoined(CAROL), HostChanged(CAROL)]


def test_events_are_bounded() -> None:
    lobby = room()
    for _ in range(1000):
        lobby.change(Joined("lobby", CAROL))
        lobby.change(Left("lobby", CAROL))
    assert len(events(lobby)) == 1024


def test_the_end() -> None:
    async def main() -> None:
        left: list[Room] = []
        lobby = Room(Members(1, "lobby", 3, ALICE, (ALICE, BOB)), BOB, left.append)
        await lobby.leave()
        await lobby.leave()
        assert left == [lobby]
        lobby = room()
        lobby.end(RoomError(Refusal.ROOM_FULL))
        assert not lobby.is_open
        with pytest.raises(RoomError):
            await anext(lobby)
        with pytest.raises(TypeError):
            copy.copy(lobby)

    asyncio.run(main())
