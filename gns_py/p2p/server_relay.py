"""The relay of signals in a game's own server."""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from types import TracebackType
from typing import TypeAlias, TypeVar

from .._core.callbacks import check_plain
from .._core.connection import BaseConnection
from .._core.diversion import Diversion, Divertible
from .._generated.enums import IdentityType
from .._uncopyable import Uncopyable
from ..errors import InvalidStateError
from ..identity import Identity
from .ice_servers import IceServers
from .relay_member import RelayMember
from .signalling import relayed
from .signalling.errors import Refusal
from .signalling.fields import WireError
from .signalling.ice_offer import IceOffer
from .signalling.limits import SignallingLimits
from .signalling.wire import HelloRelay, Ping, Pong, Received, Send, Welcome

MaySignal: TypeAlias = Callable[[Identity, Identity], bool]
RelayIceServers: TypeAlias = "IceServers | Callable[[Identity], IceServers | None]"

_Self = TypeVar("_Self", bound="ServerRelay")
_log = logging.getLogger("gns_py.p2p")
# With fewer members, those that have ended are not looked for.
_FEW = 64


@dataclass(slots=True)
class RelayCounters:
    """Counters of a relay since it was made."""

    signals: int = 0
    """Signals that were passed on."""
    signals_not_passed: int = 0
    """Signals for receivers that are not there or may not be reached, and those that were too large."""
    signals_dropped: int = 0
    """Signals that were dropped since their senders sent too fast, or too many came for one receiver, or its
    connection did not take them."""
    violations: int = 0
    """Messages that were malformed, or of a kind that clients do not send."""


class ServerRelay(Uncopyable):
    """Passes signals on between players that have connections to this server, or sessions: no other service is needed.

    Players use RelaySignalling over the same connection or session. Their signals are unreliable messages with a prefix
    of their own; at a connection that was added they never reach recv(), poll() or a handler.

    It works for all APIs, several of them at once. All methods may be called from any thread; signals are passed on by
    the thread, or the loop, that reads the sender's connection, so a server must read the connections that it adds.

    Args:
        may_signal: A function that returns whether the first of two identities may send signals to the second, which
            need not be a member: its client has named it. It must not block. If it raises, the exception is logged, and
            the signal is not passed on. None if ``groups`` say it.
        ice_servers: The servers that clients are told to use: IceServers, or a function that returns them for an
            identity, such as with ``turn_credentials()``. It must not block.
        limits: The limits of signals, and of room requests, which here are requests for a welcome with ICE servers. A
            member may be sent four times as many signals as one may send.

    Raises:
        TypeError: A value is of another type, or a function is a coroutine function.
    """

    def __init__(
        self,
        may_signal: MaySignal | None = None,
        *,
        ice_servers: RelayIceServers | None = None,
        limits: SignallingLimits | None = None,
    ) -> None:
        check_plain("may_signal", may_signal)
        if not isinstance(ice_servers, IceServers | None):
            check_plain("ice_servers", ice_servers)
        if not isinstance(limits, SignallingLimits | None):
            raise TypeError(f"limits must be SignallingLimits or None, not {type(limits).__name__}")
        self._may_signal = may_signal
        self._ice_servers = ice_servers
        self._limits = limits or SignallingLimits()
        self._lock = threading.Lock()  # no other lock is taken under it, and no function of the application called
        self._by_identity: dict[Identity, RelayMember] = {}
        self._by_end: weakref.WeakKeyDictionary[Divertible, RelayMember] = weakref.WeakKeyDictionary()
        self._look_at = _FEW
        self._is_closed = False
        self._failed: set[str] = set()
        self.counters = RelayCounters()
        """Its counters, which go on counting."""

    def __repr__(self) -> str:
        state = "closed" if self._is_closed else f"{len(self.members)} members"
        return f"<{type(self).__module__}.{type(self).__name__} {state}>"

    # ---- members ----------------------------------------------------------------------------------------------------

    @property
    def members(self) -> list[Identity]:
        """The identities of those that were added and have neither been removed nor ended."""
        with self._lock:
            return [each.identity for each in self._by_identity.values() if each.is_member]

    def add(
        self, connection: BaseConnection, identity: Identity | str | None = None, *, groups: Iterable[Hashable] = ()
    ) -> Identity:
        """Let a player send and receive signals, until its connection or session ends.

        Call it where the connection is read: in its handler, at best before anything else. A second connection of an
        identity replaces the first, so do not give the same identity to two players. A session stays a member through
        its outages.

        Args:
            connection: The connection or session, of any API.
            identity: Who it is. None for the identity that its certificate has proved. If it is not authenticated, it
                must be given, and is trusted: take it from the login, never from ``remote_identity``, which is what the
                client claims.
            groups: The groups that it is in, each any hashable value: those who share one reach each other. Who shares
                none with another cannot find out that it is there.

        Returns:
            The identity.

        Raises:
            TypeError: A value is of another type.
            ValueError: The identity is missing, or is not one, or another one is proved; or there are groups, and the
                relay has ``may_signal``.
            InvalidStateError: The relay is closed, or another one has the connection, or this one has it with another
                identity, or a session has it.
            ConnectionClosed: It has ended, and nothing is known about it.
        """
        if not isinstance(connection, BaseConnection):
            raise TypeError(f"connection must be a Connection or a Session, not {type(connection).__name__}")
        end, proved = connection.divertible(), _identity_of(connection, identity)
        new = RelayMember(end, proved, self._limits, time.monotonic())
        self._join(new, groups)
        with self._lock:
            if self._is_closed:
                raise InvalidStateError("the relay is closed")
            known = self._by_end.get(end)
            if known is not None and known.is_member:
                if known.identity != proved:
                    raise InvalidStateError(f"the relay has the connection as {known.identity} already")
                known.groups = new.groups
                return proved
            end.divert(Diversion(relayed.PREFIX, partial(self._take, new), lambda: new.is_member))
            older = self._by_identity.get(proved)
            if older is not None:
                older.refusal = Refusal.REPLACED
            self._forget_ended()
            self._by_identity[proved] = self._by_end[end] = new
        end.divert_waiting()
        if older is not None:
            older.send_refusal()
        return proved

    def set_groups(self, connection: BaseConnection, groups: Iterable[Hashable]) -> None:
        """Replace the groups of a member.

        Args:
            connection: The connection or session.
            groups: See add().

        Raises:
            TypeError: A group cannot be one.
            ValueError: The relay has ``may_signal``, or the connection is not a member.
        """
        with self._lock:
            self._join(self._member(connection), groups)

    def remove(self, connection: BaseConnection) -> None:
        """Let a player neither send nor receive signals any longer: its RelaySignalling ends.

        What it still sends is dropped, and does not reach the application either.

        Args:
            connection: The connection or session.

        Raises:
            ValueError: The connection is not a member.
        """
        with self._lock:
            member = self._member(connection)
            self._remove(member)
        member.send_refusal()

    def close(self) -> None:
        """Remove all members. Closing it again does nothing. The connections go on."""
        with self._lock:
            self._is_closed = True
            members = [each for each in self._by_identity.values() if each.is_member]
            for each in members:
                self._remove(each)
        for each in members:
            each.send_refusal()

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _join(self, member: RelayMember, groups: Iterable[Hashable]) -> None:
        member.join(groups)
        if member.groups and self._may_signal is not None:
            raise ValueError("the relay has may_signal, so groups would mean nothing")

    def _member(self, connection: BaseConnection) -> RelayMember:
        found = self._by_end.get(connection.divertible())
        if found is None or not found.is_member:
            raise ValueError(f"{connection!r} is not a member of the relay")
        return found

    def _remove(self, member: RelayMember) -> None:
        member.refusal = Refusal.REMOVED
        if self._by_identity.get(member.identity) is member:
            del self._by_identity[member.identity]

    def _forget_ended(self) -> None:
        """Forget the members that have ended, now and then: the time for each is bounded by that for those added."""
        if len(self._by_identity) >= self._look_at:
            self._by_identity = {key: each for key, each in self._by_identity.items() if each.is_member}
            self._look_at = max(_FEW, 2 * len(self._by_identity))

    # ---- messages of clients ----------------------------------------------------------------------------------------

    def _take(self, member: RelayMember, data: bytes) -> None:
        try:
            self._handle(member, data)
        except WireError:
            with self._lock:
                self.counters.violations += 1
        except Exception:
            self._log_once("_take", "a message to the relay could not be handled")

    def _handle(self, member: RelayMember, data: bytes) -> None:
        now = time.monotonic()
        with self._lock:
            bucket = member.requests if relayed.is_hello(data) or member.refusal is not None else member.sends
            if not bucket.take(now):
                self.counters.signals_dropped += 1
                return
        message = relayed.unwrap(data, relayed.FROM_CLIENT)
        member.has_relay_signalling = True
        if member.refusal is not None:
            member.send_refusal()
            return
        match message:
            case Send(to, signal):
                self._pass_on(member, to, signal, now)
            case Ping(number):
                member.send(Pong(number))
            case HelloRelay():
                member.send(Welcome(member.identity, self._limits.max_signal, self._offer(member.identity)))

    def _pass_on(self, sender: RelayMember, to: Identity, signal: bytes, now: float) -> None:
        # Receivers that are not there and those that may not be reached: the same steps, so that no one learns which.
        with self._lock:
            receiver = self._by_identity.get(to)
            allowed = sender.shares_group_with(receiver)
        if self._may_signal is not None:
            allowed = self._ask(self._may_signal, sender.identity, to)
        counters = self.counters
        is_known = receiver is not None and receiver.is_member and receiver.has_relay_signalling
        if receiver is None or not is_known or not allowed or len(signal) > self._limits.max_signal:
            with self._lock:
                counters.signals_not_passed += 1
            return
        with self._lock:
            has_room = receiver.receives.take(now)
        was_sent = has_room and receiver.send(Received(sender.identity, signal))
        with self._lock:
            counters.signals += was_sent
            counters.signals_dropped += not was_sent

    def _ask(self, may_signal: MaySignal, sender: Identity, receiver: Identity) -> bool:
        try:
            answer = may_signal(sender, receiver)
            if not isinstance(answer, bool):  # a coroutine would be true
                raise TypeError(f"may_signal() must return a bool, not {type(answer).__name__}")
            return answer
        except Exception:
            self._log_once("may_signal", "may_signal() has failed, and nothing is passed on")
            return False

    def _offer(self, identity: Identity) -> IceOffer | None:
        try:
            servers = self._ice_servers
            if callable(servers):
                servers = servers(identity)
            return None if servers is None else IceOffer.of(servers, datetime.now(timezone.utc))
        except Exception:
            self._log_once("ice_servers", "no ICE servers are handed out")
            return None

    def _log_once(self, what: str, text: str) -> None:
        """Log an exception, the first one of its kind only: clients can bring them about."""
        if what not in self._failed:
            self._failed.add(what)
            _log.exception("%s; that is not logged again", text)


def _identity_of(connection: BaseConnection, given: Identity | str | None) -> Identity:
    """Return who a connection belongs to: by its certificate, or by the application's word."""
    if isinstance(given, str):
        given = Identity.parse(given)
    elif not isinstance(given, Identity | None):
        raise TypeError(f"identity must be an Identity or a str, not {type(given).__name__}")
    if connection.authenticated:
        proved = connection.remote_identity
        if given is not None and given != proved:
            raise ValueError(f"the connection has proved to be {proved}, not {given}")
        given = proved
    if given is None:
        raise ValueError("the connection is not authenticated, so say who it is: identity=...")
    if given.type is IdentityType.INVALID:
        raise ValueError("the invalid identity has no peer")
    return given
