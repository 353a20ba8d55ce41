"""A member of a ServerRelay: who it is, and how much it may do. Nothing in here waits."""

from __future__ import annotations

import weakref
from collections.abc import Hashable, Iterable

from .._core.diversion import Divertible
from ..identity import Identity
from .signalling import relayed
from .signalling.errors import Refusal
from .signalling.limits import Bucket, SignallingLimits
from .signalling.wire import ANY, Error, Message

# A member may be sent as many signals as this many of the others may send.
_SENDERS = 4


class RelayMember:
    """A connection or a session with its identity. Its relay guards it with a lock.

    Args:
        end: The internal end of the connection or session.
        identity: Who it is.
        limits: The limits.
        now: The time.
    """

    def __init__(self, end: Divertible, identity: Identity, limits: SignallingLimits, now: float) -> None:
        self._end = weakref.ref(end)  # the application's object owns it
        self.identity = identity
        self.groups: frozenset[Hashable] = frozenset()
        self.refusal: Refusal | None = None
        """Why it is a member no longer."""
        self.has_relay_signalling = False
        """True once it has sent something to the relay: only then it is sent anything."""
        self.sends = Bucket(limits.signals_per_second, limits.signal_burst, now)
        self.requests = Bucket(limits.room_requests_per_second, limits.room_request_burst, now)
        self.receives = Bucket(_SENDERS * limits.signals_per_second, limits.signal_queue, now)

    @property
    def end(self) -> Divertible | None:
        """The internal end; None once it is over or gone."""
        end = self._end()
        return None if end is None or end.is_over else end

    @property
    def is_member(self) -> bool:
        """True unless it was removed, or its connection or session has ended."""
        return self.refusal is None and self.end is not None

    def join(self, groups: Iterable[Hashable]) -> None:
        """Set its groups.

        Raises:
            TypeError: They are a text, or one of them cannot be one.
        """
        if isinstance(groups, str | bytes):
            raise TypeError("groups must be several: put a single one into a list")
        self.groups = frozenset(groups)

    def shares_group_with(self, other: RelayMember | None) -> bool:
        """Return whether the two have a group in common."""
        return not self.groups.isdisjoint(() if other is None else other.groups)

    def send(self, message: Message) -> bool:
        """Send it a message of the relay, and return True; return False if that is dropped. Any thread."""
        end = self.end
        return end is not None and end.send_aside(relayed.wrap(message))

    def send_refusal(self) -> None:
        """Tell it that it is a member no longer, if it can know what that means."""
        if self.refusal is not None and self.has_relay_signalling:
            self.send(Error(ANY, self.refusal.value, ""))
