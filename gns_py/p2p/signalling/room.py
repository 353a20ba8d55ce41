"""A room of a signalling service, as one of its members sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TypeAlias, TypeVar

from ..._printable import printable
from ..._uncopyable import Uncopyable
from ...identity import Identity
from .errors import SignallingError
from .inbox import Inbox
from .wire import Host, Joined, Left, Members

_EVENTS = 1024
_Self = TypeVar("_Self", bound="Room")


@dataclass(frozen=True, slots=True)
class MemberJoined:
    """A peer is a member of the room now."""

    member: Identity


@dataclass(frozen=True, slots=True)
class MemberLeft:
    """A member has left the room, or has lost its connection to the service."""

    member: Identity


@dataclass(frozen=True, slots=True)
class HostChanged:
    """The room has another host: the member that has been in it for the longest time."""

    host: Identity


RoomEvent: TypeAlias = MemberJoined | MemberLeft | HostChanged


class Room(Uncopyable):
    """A room, from ``WebSocketSignalling.create_room()`` or ``join()``: its members can send signals to each other.

    Iterating yields a MemberJoined, MemberLeft or HostChanged for each change from then on, ends when this program
    leaves the room, and raises SignallingError when it ends by itself. If more than 1,024 events wait, the oldest
    ones are dropped; ``members`` and ``host`` are always those of now. While the connection to the service is lost they
    are the last ones that were known; the room is then joined again, and the differences are events.

    As an ``async with`` block, it is left at the end.
    """

    def __init__(self, description: Members, own: Identity, leave: Callable[[Room], object]) -> None:
        self._name = description.room
        self._capacity = description.capacity
        self._members = dict.fromkeys(description.members)
        self._host = description.host
        self._own = own
        self._leave = leave
        self._events = Inbox[RoomEvent](_EVENTS)

    @property
    def name(self) -> str:
        """The name of the room, or its code of six characters, by which others can join."""
        return self._name

    @property
    def capacity(self) -> int:
        """The largest number of members."""
        return self._capacity

    @property
    def members(self) -> tuple[Identity, ...]:
        """All members in the order in which they have joined, this program's own identity among them."""
        return tuple(self._members)

    @property
    def others(self) -> tuple[Identity, ...]:
        """All members but this program's own identity."""
        return tuple(each for each in self._members if each != self._own)

    @property
    def host(self) -> Identity:
        """The member that has been in the room for the longest time."""
        return self._host

    @property
    def is_host(self) -> bool:
        """True if this program is the host."""
        return self._host == self._own

    @property
    def is_open(self) -> bool:
        """True until the room is left, or has ended for this program."""
        return not self._events.has_ended

    async def leave(self) -> None:
        """Leave the room. Calling it again does nothing. Does not wait for the service."""
        if self.is_open:
            self._events.end()
            self._leave(self)

    def __aiter__(self: _Self) -> _Self:
        return self

    async def __anext__(self) -> RoomEvent:
        return await self._events.get()

    async def __aenter__(self: _Self) -> _Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.leave()

    def __repr__(self) -> str:
        return f"<Room {printable(self._name)!r}, {len(self._members)} of {self._capacity} members>"

    def describe(self, description: Members) -> None:
        """Take over what the service says after the room was joined again. Not part of the API."""
        self._capacity = description.capacity
        before, self._members = self._members, dict.fromkeys(description.members)
        for member in before:
            if member not in self._members:
                self._events.put(MemberLeft(member))
        for member in self._members:
            if member not in before:
                self._events.put(MemberJoined(member))
        self._set_host(description.host)

    def change(self, message: Joined | Left | Host) -> None:
        """Take over a change. Not part of the API."""
        member = message.member
        match message:
            case Joined() if member not in self._members and len(self._members) < self._capacity:
                self._members[member] = None
                self._events.put(MemberJoined(member))
            case Left() if member in self._members and member != self._own:
                del self._members[member]
                self._events.put(MemberLeft(member))
            case Host() if member in self._members:
                self._set_host(member)

    def end(self, error: SignallingError | None) -> None:
        """End the room for this program. Not part of the API."""
        self._events.end(error)

    def _set_host(self, host: Identity) -> None:
        if host != self._host:
            self._host = host
            self._events.put(HostChanged(host))
