"""Admission control: per-address rules that apply before anything a client sends is read, with counters."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from ..._core.peers import PeerAddress
from ...address import Address
from ..protocol.reasons import CloseReason

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

# How many addresses without handshakes and sessions have their rate remembered; the one that has been quiet the
# longest is forgotten first. Those with either are bounded by GNS's 8,191 connections.
_MAX_QUIET = 65_536


@dataclass(frozen=True, kw_only=True)
class AdmissionRules:
    """Which clients a server lets in, by their addresses alone. None means no limit."""

    allow: tuple[Network, ...] | None = None
    """Networks that may connect; None means all."""
    deny: tuple[Network, ...] = ()
    """Networks that may not connect."""
    max_pending: int | None = 1_024
    """Maximum handshakes in progress, of all addresses.

    When it is reached, the oldest one still waiting for its client is dropped in favour of the new one.
    """
    max_pending_per_address: int | None = 32
    """Maximum handshakes in progress of one address. Here and below, an IPv6 /64 network counts as one address."""
    max_sessions: int | None = None
    """Maximum sessions, with those that wait for another connection.

    A handshake counts once it is completed, and is refused if there is no place for it then.
    """
    max_sessions_per_address: int | None = None
    """Maximum sessions of one address."""
    max_dropped: int | None = 8_192
    """Maximum sessions that wait for another connection. The one that has waited the longest ends for the next one."""
    max_dropped_per_address: int | None = 256
    """Maximum sessions of one address that wait for another connection."""
    rate_per_address: float | None = None
    """Maximum handshakes per second of one address, in the long run."""
    burst_per_address: int = 10
    """How many handshakes of one address may arrive faster than that."""

    @classmethod
    def networks(cls, *names: str) -> tuple[Network, ...]:
        """Parse networks, like "10.0.0.0/8" or "2001:db8::/32", for ``allow`` and ``deny``.

        Raises:
            ValueError: A name is not a network.
        """
        return tuple(ipaddress.ip_network(name) for name in names)


@dataclass
class AdmissionCounters:
    """The results of all requests for sessions since the server was started."""

    requested: int = 0
    """Requests for connections."""
    denied: int = 0
    """Refused: not from an allowed network."""
    too_many_pending: int = 0
    """Refused: too many handshakes of the address, or of all, and those wait for the application."""
    too_many_sessions: int = 0
    """Refused: too many sessions, of all or of the address."""
    too_fast: int = 0
    """Refused: too many handshakes of the address within a short time."""
    draining: int = 0
    """Refused: the server is closing."""
    gave_way: int = 0
    """Let in, but dropped in favour of a newer one while waiting for the client."""
    failed: int = 0
    """Let in, but the handshake was not completed: too slow, gone, or not the protocol."""
    rejected: int = 0
    """Let in, and rejected by the application, or for its version."""
    established: int = 0
    """Let in, accepted, and established."""
    resumed: int = 0
    """Let in for an older session, which went on."""
    crowded_out: int = 0
    """Established sessions that waited for another connection, and ended since too many did."""
    not_resumed: int = 0
    """Let in for an older session that has ended, or that is another client's; those count in failed, too."""


@dataclass
class _Caller:
    """The record of an address."""

    pending: int = 0
    sessions: int = 0
    tokens: float = 0.0
    filled: float = 0.0


@dataclass(frozen=True)
class Refusal:
    """Why a client is not let in."""

    reason: CloseReason
    text: str


@dataclass
class Admission:
    """Applies rules, and counts. Not thread-safe."""

    rules: AdmissionRules
    counters: AdmissionCounters = field(default_factory=AdmissionCounters)
    is_draining: bool = False
    pending: int = 0
    sessions: int = 0
    _busy: dict[str, _Caller] = field(default_factory=dict)
    _quiet: OrderedDict[str, _Caller] = field(default_factory=OrderedDict)

    def request(self, address: Address | None, now: float, *, may_return: bool = False) -> Refusal | None:
        """Let a client in, count it as pending, and return None; or return why it is refused.

        Args:
            address: The client's.
            now: The time.
            may_return: Whether there are sessions that a client can resume: that needs no place, and is not known yet.
        """
        rules, counters = self.rules, self.counters
        counters.requested += 1
        if self.is_draining and not may_return:
            return self._refuse_to_drain()
        if address is not None and not _is_allowed(address, rules):
            counters.denied += 1
            return Refusal(CloseReason.REJECTED, "this address is not allowed here")
        host = host_of(address)
        caller = self._caller(host, now)
        if self.is_full:
            counters.too_many_pending += 1
            return Refusal(CloseReason.RATE_LIMITED, "too many are just connecting")
        if _reaches(rules.max_pending_per_address, caller.pending):
            counters.too_many_pending += 1
            return Refusal(CloseReason.RATE_LIMITED, "too many of this address are just connecting")
        full = None if may_return else self._why_full(caller)
        if full is not None:
            return Refusal(CloseReason.RATE_LIMITED, full)
        if rules.rate_per_address is not None:
            if caller.tokens < 1.0:
                counters.too_fast += 1
                return Refusal(CloseReason.RATE_LIMITED, "this address connects too often")
            caller.tokens -= 1.0
        self.pending += 1
        caller.pending += 1
        self._sort(host, caller)
        return None

    def refuse_new(self, address: Address | None) -> Refusal | None:
        """Return why a pending client cannot have a new session, or None."""
        if self.is_draining:
            return self._refuse_to_drain()
        full = self._why_full(self._busy[host_of(address)])
        return None if full is None else Refusal(CloseReason.RATE_LIMITED, full)

    def _refuse_to_drain(self) -> Refusal:
        self.counters.draining += 1
        return Refusal(CloseReason.SERVER_SHUTTING_DOWN, "the server is closing")

    def take_place(self, address: Address | None) -> str | None:
        """Count a handshake that is about to be completed as a session, or return why there is no place for it."""
        caller = self._busy[host_of(address)]
        full = self._why_full(caller)
        if full is None:
            self.sessions += 1
            caller.sessions += 1
        return full

    def _why_full(self, caller: _Caller) -> str | None:
        full: str | None = None
        if _reaches(self.rules.max_sessions, self.sessions):
            full = "the server is full"
        elif _reaches(self.rules.max_sessions_per_address, caller.sessions):
            full = "too many of this address are connected"
        if full is not None:
            self.counters.too_many_sessions += 1
        return full

    @property
    def is_full(self) -> bool:
        """True if a place has to be made for another handshake."""
        return _reaches(self.rules.max_pending, self.pending)

    def finish_handshake(self, address: Address | None, *, established: bool) -> None:
        """Record that a handshake is over. If it was established, take_place() has counted the session."""
        host = host_of(address)
        caller = self._busy[host]
        self.pending -= 1
        caller.pending -= 1
        if established:
            self.counters.established += 1
        self._sort(host, caller)

    def leave(self, address: Address | None) -> None:
        """Record that a session is over, or a handshake that had taken its place."""
        host = host_of(address)
        caller = self._busy[host]
        self.sessions -= 1
        caller.sessions -= 1
        self._sort(host, caller)

    def _caller(self, host: str, now: float) -> _Caller:
        rate = self.rules.rate_per_address or 0.0
        burst = float(self.rules.burst_per_address)
        caller = self._busy.get(host) or self._quiet.get(host)
        if caller is None:
            caller = _Caller(tokens=burst, filled=now)
        self._sort(host, caller)
        caller.tokens = min(burst, caller.tokens + rate * (now - caller.filled))
        caller.filled = now
        return caller

    def _sort(self, host: str, caller: _Caller) -> None:
        """Keep a caller where it belongs: among the busy ones, or as the last of the quiet ones."""
        if caller.pending or caller.sessions:
            self._quiet.pop(host, None)
            self._busy[host] = caller
            return
        self._busy.pop(host, None)
        self._quiet[host] = caller
        self._quiet.move_to_end(host)
        if len(self._quiet) > _MAX_QUIET:
            self._quiet.popitem(last=False)


def _reaches(limit: int | None, count: int) -> bool:
    return limit is not None and count >= limit


def host_of(address: Address | None) -> str:
    """Return the key under which limits are counted: the IPv4 address, the IPv6 /64 prefix, or a peer's identity."""
    if address is None:
        return ""
    if isinstance(address, PeerAddress):
        return address.host
    ip = _plain(address)
    return str(ip) if ip.version == 4 else str(ipaddress.ip_network((ip, 64), strict=False))


def _plain(address: Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return an IPv4 address as itself, even if it arrived through an IPv6 socket."""
    ip = address.ip
    return (ip.ipv4_mapped or ip) if isinstance(ip, ipaddress.IPv6Address) else ip


def _is_allowed(address: Address, rules: AdmissionRules) -> bool:
    if isinstance(address, PeerAddress):  # no network is known to be its own
        return rules.allow is None
    ip = _plain(address)
    return (rules.allow is None or _is_in(ip, rules.allow)) and not _is_in(ip, rules.deny)


def _is_in(ip: ipaddress.IPv4Address | ipaddress.IPv6Address, networks: Iterable[Network]) -> bool:
    return any(ip in network for network in networks)
