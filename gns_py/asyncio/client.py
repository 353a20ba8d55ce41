"""connect(): once, or repeatedly."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, cast

from .._core.checks import StatusCallback
from .._core.connecting import Attempts, begin, check_peer, connect_options, make_pair, reachable
from .._core.connection import BaseConnection
from .._core.endpoint import Endpoint
from .._core.peers import PeerAddress
from ..address import Address
from ..config import Config
from ..errors import ConnectFailed, InitializationError
from ..identity import Identity
from .awaitable import AwaitableContext
from .connection import Connection
from .mailbox import loop_mailbox
from .resolver import resolve_in_executor
from .waiters import Waiters

if TYPE_CHECKING:
    from ..certs import Expect

_log = logging.getLogger("gns_py")

# Reconnecting, in seconds: the first pause is random, so that the clients of a restarted server do not all arrive at
# once; each further one is longer, up to a limit.
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_LONGER = 1.6
# A connection that has lived this long was a success: the next pause is a first one again.
_SUCCESS = 10.0


class connect(AwaitableContext[Connection]):  # noqa: N801 - it is used like a function
    """Connect to a listening GNS program.

    ``await connect(...)``, or ``async with connect(...) as connection``, or, to connect again whenever the connection
    has ended, ``async for connection in connect(...)``. The iteration closes each connection at the end of its round,
    logs failures, and pauses longer after each attempt, half a second at first and thirty at most. It continues after
    every OSError, and ends at a break, at any other exception, and at a ConnectFailed after which trying again cannot
    help, for example from a server that refuses (``end.can_retry``).

    Args:
        host: An address or a name. A name is looked up first (not part of the timeout), and if it has several
            addresses, the next one is tried after 0.25 s without an answer. "0.0.0.0", "::" and "" are loopback. Or,
            with no port, the address of a peer, of Peer.at().
        port: The UDP port.
        timeout: Seconds until it must be connected; None for no limit. It is also ``timeout_initial``, unless
            ``config`` sets one.
        config: Options of the connection.
        expect: The server that is wanted. Any other one is refused in the handshake, before anything is sent to it. By
            default every server that start() does not refuse.
        on_status_changed: Called with each StatusChanged, from NONE -> CONNECTING on, by the loop, in the context
            (contextvars) of connect(); it must not be a coroutine function.

    Raises:
        ConnectTimeout: The server did not answer or did not accept in time. A TimeoutError.
        ConnectFailed: The server refused, or the connection ended otherwise; see its ``end``.
        CertificateRefused: This process's own certificate has expired.
        ConnectionLimitError: GNS has as many connections as it can have.
        SocketError: The system has no descriptor left, or no such address family.
        OSError: The name cannot be resolved, or there is no way to its addresses.
        TypeError: An argument has the wrong type.
        ValueError: An argument is out of range.

    Note:
        Native functions: ``ConnectByIPAddress``, ``ConnectP2PCustomSignaling``.
    """

    def __init__(
        self,
        host: str | PeerAddress,
        port: int | None = None,
        *,
        timeout: float | None = 10.0,
        config: Config | None = None,
        expect: Expect | None = None,
        on_status_changed: StatusCallback | None = None,
    ) -> None:
        check_peer(host, port)
        self._options = connect_options(port, timeout, config, on_status_changed, expect)
        self._where = host if isinstance(host, PeerAddress) else (host, cast("int", port))
        self._timeout = timeout
        self._expect = expect
        self._on_status_changed = on_status_changed

    async def __aiter__(self) -> AsyncIterator[Connection]:
        loop = asyncio.get_running_loop()
        pause = 0.0
        while True:
            started = loop.time()
            try:
                connection = await self
            except (ConnectFailed, OSError) as error:
                if isinstance(error, ConnectFailed) and not error.end.can_retry:
                    raise
                if isinstance(error, InitializationError) and error.errno is None:  # it was not the system that refused
                    raise
                reason: object = error
            else:
                started = loop.time()
                async with connection:
                    yield connection
                reason = connection.end
            if loop.time() - started > max(_SUCCESS, pause):
                pause = 0.0
            pause = min(pause * _LONGER, _LONGEST_PAUSE) if pause else random.uniform(0.0, _FIRST_PAUSE) + 1e-3
            _log.info("connecting to %s:%d again in %.1f s: %s", *self._where, pause, reason)
            await asyncio.sleep(pause)

    async def _open(self) -> Connection:
        attempts: Attempts[Connection] = Attempts(await self._find(), self._timeout)
        try:
            while (connection := attempts.winner()) is None:
                attempts.begin_next(self._begin)
                await _first_change([BaseConnection.endpoint_of(each) for each in attempts.alive], attempts.remaining())
            return connection
        finally:
            attempts.close()

    async def _find(self) -> list[Address]:
        where = self._where
        return [where] if isinstance(where, PeerAddress) else reachable(await resolve_in_executor(*where))

    def _begin(self, address: Address) -> Connection:
        mailbox = loop_mailbox()
        try:
            return Connection(begin(mailbox, address, self._options, self._on_status_changed, self._expect))
        finally:
            mailbox.detach_if_idle()


async def _first_change(attempts: list[Endpoint], timeout: float | None) -> None:
    """Wait until one of the attempts is established or has ended."""
    waits = [asyncio.ensure_future(_result_of(attempt)) for attempt in attempts]
    if not waits:
        await asyncio.sleep(timeout or 0.0)
        return
    try:
        await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waits:
            each.cancel()


async def _result_of(attempt: Endpoint) -> None:
    watchers = cast("Waiters", attempt.watchers)
    while not attempt.is_established and attempt.end is None:
        await watchers.wait()


def socket_pair(
    *, network: bool = False, identities: tuple[Identity | None, Identity | None] = (None, None)
) -> tuple[Connection, Connection]:
    """Return two connected ends in this process and loop.

    They are established from the start, so neither reports CONNECTED.

    Args:
        network: Whether to connect them over UDP on loopback, with encryption, rates and simulated faults, instead of
            in memory.
        identities: The identity that each end presents to the other.

    Raises:
        ConnectionLimitError: GNS has as many connections as it can have.
        TypeError: An identity is not an Identity.

    Note:
        Native function: ``CreateSocketPair``.
    """
    mailbox = loop_mailbox()
    try:
        first, second = make_pair((mailbox, mailbox), network, identities)
    finally:
        mailbox.detach_if_idle()
    return Connection(first), Connection(second)
