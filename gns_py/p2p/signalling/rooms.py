"""Rooms: which clients may know of each other. Pure: it returns what is to be sent, and to whom."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from ...identity import Identity
from .errors import Refusal, RoomError
from .wire import ANY, Host, Joined, Left, Members, Message

CODE_ALPHABET = "2346789BCDFGHJKMPQRTVWXY"
"""No two of these are mistaken for each other, and without vowels they spell nothing."""
CODE_SIZE = 6
_ATTEMPTS = 100


class Notice(NamedTuple):
    """Messages for other members of a room."""

    receivers: tuple[Identity, ...]
    messages: tuple[Message, ...]


@dataclass(frozen=True)
class Room:
    """A room."""

    name: str
    capacity: int
    members: dict[Identity, None] = field(default_factory=dict)
    """In the order in which they have joined; never empty while the room exists."""

    @property
    def host(self) -> Identity:
        """The member that has been in the room for the longest time."""
        return next(iter(self.members))

    def description(self, request: int) -> Members:
        """Return the answer to the request of a member."""
        return Members(request, self.name, self.capacity, self.host, tuple(self.members))


class Rooms:
    """All rooms of a server.

    Args:
        max_rooms: The largest number of rooms.
        rooms_per_member: The largest number of rooms that one identity may be in.
        max_capacity: The largest number of members of a room; larger wishes become this.
        new_code: Returns a code for a room.
    """

    def __init__(
        self, max_rooms: int, rooms_per_member: int, max_capacity: int, new_code: Callable[[], str] | None = None
    ) -> None:
        self._max_rooms = max_rooms
        self._rooms_per_member = rooms_per_member
        self._max_capacity = max_capacity
        self._new_code = new_code or random_code
        self._rooms: dict[str, Room] = {}
        self._rooms_of: dict[Identity, dict[str, Room]] = {}

    def __len__(self) -> int:
        return len(self._rooms)

    def find(self, name: str) -> Room | None:
        """Return the room with a name, or with a code in any spelling."""
        room = self._rooms.get(name)
        if room is None and (code := normal_code(name)) is not None:
            room = self._rooms.get(code)
        return room

    def create(self, member: Identity, name: str, capacity: int) -> Room:
        """Create a room with one member, which is its host.

        Args:
            member: The member.
            name: The name; empty for a code.
            capacity: The largest number of members.

        Raises:
            RoomError: There is such a room, or there are too many.
        """
        if name and self.find(name) is not None:
            raise RoomError(Refusal.ROOM_EXISTS)
        self._check_room_for_one_more(member)
        if len(self._rooms) >= self._max_rooms:
            raise RoomError(Refusal.TOO_MANY_ROOMS, "the server has no room left")
        room = Room(name or self._unused_code(), min(capacity, self._max_capacity))
        self._rooms[room.name] = room
        self._add(room, member)
        return room

    def join(self, member: Identity, name: str, capacity: int = ANY) -> tuple[Room, Notice | None]:
        """Make someone a member of a room; one who is a member stays one.

        Args:
            member: The new member.
            name: The name of the room, or its code in any spelling.
            capacity: The capacity of the room if it is to be created; ANY if that is not wanted.

        Returns:
            The room, and what the other members are to be sent.

        Raises:
            RoomError: There is no such room, or it is full, or there are too many.
        """
        room = self.find(name)
        if room is None:
            if capacity == ANY:
                raise RoomError(Refusal.NO_ROOM)
            return self.create(member, normal_code(name) or name, capacity), None
        if member in room.members:
            return room, None
        if len(room.members) >= room.capacity:
            raise RoomError(Refusal.ROOM_FULL)
        self._check_room_for_one_more(member)
        others = tuple(room.members)
        self._add(room, member)
        return room, Notice(others, (Joined(room.name, member),))

    def leave(self, member: Identity, name: str) -> Notice | None:
        """Let a member leave a room, and return what the others are to be sent; None if there is nothing to send."""
        room = self._rooms_of.get(member, {}).pop(name, None)
        if room is None:
            return None
        if not self._rooms_of[member]:
            del self._rooms_of[member]
        was_host = room.host == member
        del room.members[member]
        if not room.members:
            del self._rooms[room.name]
            return None
        messages: tuple[Message, ...] = (Left(room.name, member),)
        if was_host:
            messages += (Host(room.name, room.host),)
        return Notice(tuple(room.members), messages)

    def leave_all(self, member: Identity) -> list[Notice]:
        """Let a member leave all its rooms, and return what the others are to be sent."""
        notices = (self.leave(member, name) for name in list(self._rooms_of.get(member, ())))
        return [each for each in notices if each is not None]

    def are_together(self, one: Identity, other: Identity) -> bool:
        """Return whether two identities are in a common room. It takes as long for one that is not here at all."""
        return any(other in room.members for room in self._rooms_of.get(one, {}).values())

    def _check_room_for_one_more(self, member: Identity) -> None:
        if len(self._rooms_of.get(member, ())) >= self._rooms_per_member:
            raise RoomError(Refusal.TOO_MANY_ROOMS, f"a client may be in {self._rooms_per_member} rooms")

    def _unused_code(self) -> str:
        for _ in range(_ATTEMPTS):
            code = self._new_code()
            if code not in self._rooms:
                return code
        raise RoomError(Refusal.TOO_MANY_ROOMS, "the server has no code left")

    def _add(self, room: Room, member: Identity) -> None:
        room.members[member] = None
        self._rooms_of.setdefault(member, {})[room.name] = room


def random_code() -> str:
    """Return a code that cannot be guessed."""
    return "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_SIZE))


def normal_code(text: str) -> str | None:
    """Return a code as it is stored, from what a person has typed; None if it is not a code."""
    code = text.replace(" ", "").replace("-", "").upper()
    return code if len(code) == CODE_SIZE and set(code) <= set(CODE_ALPHABET) else None
