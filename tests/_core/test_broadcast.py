"""Sending to many connections in one call: which of them get it, and which did not take it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from support import PATIENCE

from gns_py import Config, MessageTooLarge
from gns_py._core.broadcast import Broadcaster
from gns_py.sync import Connection, socket_pair

TIMEOUT = 5.0 * PATIENCE


class Room(Broadcaster[Connection]):
    """Connections to broadcast to, and their peers."""

    def __init__(self, pairs: list[tuple[Connection, Connection]]) -> None:
        self.members = [first for first, _ in pairs]
        self.peers = [second for _, second in pairs]

    @property
    def connections(self) -> list[Connection]:
        return self.members


@pytest.fixture
def room() -> Iterator[Room]:
    """Yield a room of three."""
    with ExitStack() as stack:
        room = Room([socket_pair() for _ in range(3)])
        for each in (*room.members, *room.peers):
            stack.enter_context(each)
        yield room


def test_every_connection_gets_it(room: Room) -> None:
    assert room.broadcast(b"reliable") == []
    assert room.broadcast(memoryview(b"quick"), reliable=False, nagle=False) == []
    for peer in room.peers:
        first, second = (peer.recv_message(TIMEOUT) for _ in range(2))
        assert (first.data, first.reliable) == (b"reliable", True)
        assert (second.data, second.reliable) == (b"quick", False)


def test_a_closed_connection_is_left_out(room: Room) -> None:
    room.members[1].close()
    assert room.broadcast(b"x") == []
    assert [peer.recv(TIMEOUT) for peer in (room.peers[0], room.peers[2])] == [b"x", b"x"]


def test_those_without_the_lane_or_the_room_are_returned(room: Room) -> None:
    with_lane, small, plain = room.members
    with_lane.configure_lanes([0, 0])
    assert room.broadcast(b"x", lane=1) == [small, plain]
    assert room.peers[0].recv_message(TIMEOUT).lane == 1
    small.set_config(Config(send_buffer_size=4096))
    assert room.broadcast(bytes(5000)) == [small]
    assert [len(room.peers[each].recv(TIMEOUT)) for each in (0, 2)] == [5000, 5000]


def test_arguments_that_no_connection_could_take(room: Room) -> None:
    with pytest.raises(MessageTooLarge, match="a message may have 524288 bytes, not 524289"):
        room.broadcast(bytes(524_289))
    with pytest.raises(ValueError, match="lane is 255"):
        room.broadcast(b"", lane=255)
    with pytest.raises(TypeError):
        room.broadcast("text")  # type: ignore[arg-type]
    assert Room([]).broadcast(b"x") == []
