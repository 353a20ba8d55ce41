"""The part of a signalling server that acts on messages of clients. No sockets here, and nothing waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from ...identity import Identity
from .errors import Refusal, RoomError, SignallingRefused
from .limits import Buckets, SignallingLimits
from .outbox import Outbox
from .rooms import Notice, Rooms, normal_code
from .wire import Create, Error, Join, Leave, Message, Ping, Pong, Received, Send

End: TypeAlias = Callable[[SignallingRefused], object]


@dataclass(slots=True)
class SignallingCounters:
    """Counters of a signalling server since it was made."""

    connections: int = 0
    """Connections that were accepted."""
    refused_connections: int = 0
    """Connections that were refused: too many, at once or from one address."""
    logins: int = 0
    """Logins that succeeded."""
    refused_logins: int = 0
    """Logins that did not, those that took too long included."""
    signals: int = 0
    """Signals that were passed on."""
    signals_not_passed: int = 0
    """Signals for receivers that are not there or share no room with the sender, and those that were too large."""
    signals_dropped: int = 0
    """Signals that were dropped since their receivers read too slowly."""
    pauses: int = 0
    """How often a client was not read for a while, since it sent too fast."""
    violations: int = 0
    """Clients that were disconnected because they sent what the protocol does not allow, or read too slowly."""


class Switchboard:
    """The clients that are logged in, and their rooms.

    Args:
        limits: The limits.
        rooms_only: False if clients may send signals to those with whom they share no room, too.
    """

    def __init__(self, limits: SignallingLimits, rooms_only: bool) -> None:
        self._limits = limits
        self._rooms_only = rooms_only
        self._outboxes: dict[Identity, Outbox] = {}
        self._ends: dict[Identity, End] = {}
        self._failed_joins = Buckets[Identity](limits.failed_joins_per_second, limits.failed_join_burst)
        self.rooms = Rooms(limits.max_rooms, limits.rooms_per_client, limits.max_capacity)
        self.counters = SignallingCounters()

    def __len__(self) -> int:
        return len(self._outboxes)

    def enter(self, identity: Identity, outbox: Outbox, end: End) -> None:
        """Add a client. It replaces one with the same identity: both have proved it, so the newer login counts.

        Args:
            identity: Its identity.
            outbox: Where to put messages for it.
            end: Called if it is replaced itself.
        """
        older = self._ends.get(identity)
        if older is not None:
            self._leave_rooms(identity)
        self._outboxes[identity] = outbox
        self._ends[identity] = end
        self.counters.logins += 1
        if older is not None:
            older(SignallingRefused(Refusal.REPLACED, "the same identity has logged in elsewhere"))

    def leave(self, identity: Identity, outbox: Outbox) -> None:
        """Remove a client, unless a newer one has replaced it."""
        if self._outboxes.get(identity) is outbox:
            del self._outboxes[identity], self._ends[identity]
            self._leave_rooms(identity)

    def handle(self, identity: Identity, message: Message, now: float) -> None:
        """Do what a client asks for.

        Args:
            identity: The client.
            message: Its message.
            now: The time.

        Raises:
            RoomError: The request is refused.
            TypeError: Clients may not send this message now.
        """
        match message:
            case Send(to, data):
                self._pass_on(identity, to, data)
            case Create():
                self._create(identity, message, now)
            case Join():
                self._join(identity, message, now)
            case Leave(room):
                self._notify(self.rooms.leave(identity, room))
            case Ping(number):
                self._outboxes[identity].put(Pong(number).encode())
            case _:
                raise TypeError(f"{type(message).__name__} was not expected")

    def _pass_on(self, sender: Identity, receiver: Identity, data: bytes) -> None:
        # Receivers that are not there and those that may not be reached: the same steps, so that no one learns which.
        allowed = self.rooms.are_together(sender, receiver) or not self._rooms_only
        outbox = self._outboxes.get(receiver)
        if not allowed or outbox is None or len(data) > self._limits.max_signal:
            self.counters.signals_not_passed += 1
            return
        before = outbox.dropped
        outbox.put_signal(sender, Received(sender, data).encode())
        self.counters.signals += 1
        self.counters.signals_dropped += outbox.dropped - before

    def _create(self, identity: Identity, message: Create, now: float) -> None:
        # Creating must not tell more often than joining which codes are taken: beyond that, all seem to be.
        if normal_code(message.room) is not None and not self._failed_joins.take(identity, now):
            raise RoomError(Refusal.ROOM_EXISTS)
        room = self.rooms.create(identity, message.room, message.capacity)
        self._outboxes[identity].put(room.description(message.request).encode())

    def _join(self, identity: Identity, message: Join, now: float) -> None:
        room = self.rooms.find(message.room)
        if room is None:
            may_know = self._failed_joins.take(identity, now)
        else:
            may_know = identity in room.members or self._failed_joins.has_one(identity, now)
        if not may_know:  # it has guessed too often: it gets the same answer whether the room exists or not
            raise RoomError(Refusal.NO_ROOM)
        room, notice = self.rooms.join(identity, message.room, message.capacity)
        self._outboxes[identity].put(room.description(message.request).encode())
        self._notify(notice)

    def _leave_rooms(self, identity: Identity) -> None:
        for notice in self.rooms.leave_all(identity):
            self._notify(notice)

    def _notify(self, notice: Notice | None) -> None:
        if notice is None:
            return
        news = [each.encode() for each in notice.messages]
        for receiver in notice.receivers:
            outbox = self._outboxes.get(receiver)
            if outbox is not None:
                for each in news:
                    outbox.put(each)


def refusal(request: int, error: RoomError) -> bytes:
    """Return the answer to a request that is refused."""
    return Error(request, error.reason.value, error.text).encode()
