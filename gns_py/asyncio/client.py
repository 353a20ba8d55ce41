"""connect(): once, or again and again."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator

from .._core.connecting import (
    GRACE,
    LIMIT_RETRY,
    NEXT_ADDRESS,
    adopt_pair,
    begin,
    connect_options,
    make_pair,
    not_connected,
    reachable,
)
from .._core.deadline import Deadline
from .._core.endpoint import StatusCallback
from .._generated.enums import EndReason
from ..address import Address
from ..config import Config
from ..errors import ConnectFailed, ConnectionLimitError, InitializationError, SocketError
from ..identity import Identity
from .awaitable import Opening
from .connection import Connection
from .mailbox import loop_mailbox
from .resolver import lookup

_log = logging.getLogger("gns_py")

# Reconnecting, in seconds: the first pause is random, so that the clients of a restarted server do not all come at
# once; each further one is longer, up to a limit.
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_LONGER = 1.6
# What has lived so long was a success: the next pause is a first one again.
_SUCCESS = 10.0


class connect(Opening[Connection]):  # noqa: N801 - it is used like a function
    """Connects to a listening GNS program: ``await connect(...)``, ``async with connect(...) as connection``, or, to
    connect again whenever the connection has ended, ``async for connection in connect(...)``.

    host: an address or a name; a name is looked up first (not part of the timeout), and if it has several addresses,
    the next one is tried after 0.25 s without an answer. "0.0.0.0", "::" and "" are loopback.
    timeout: seconds until it must be connected, None for no limit; it is also timeout_initial, unless config has one.
    on_status_changed: called with each StatusChanged, from NONE -> CONNECTING on, by the loop, in the context
    (contextvars) of connect(); it must not be a coroutine function.
    Errors: ConnectTimeout (a TimeoutError), ConnectFailed (refused: see its end), ConnectionLimitError, SocketError (no
    descriptor, no such address family), OSError (the name cannot be resolved; there is no way to its addresses),
    TypeError, ValueError. Native: ConnectByIPAddress.

    ``async for`` closes each connection at the end of its round, logs what goes wrong, and waits longer from attempt to
    attempt, half a second at first and thirty at most. It goes on after every OSError, and ends by break, by any other
    exception, and by ConnectFailed where trying again cannot help, as with a server that refuses (``end.can_retry``).
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        timeout: float | None = 10.0,
        config: Config | None = None,
        on_status_changed: StatusCallback | None = None,
    ) -> None:
        self._options = connect_options(port, timeout, config, on_status_changed)
        self._where = host, port
        self._timeout = timeout
        self._on_status_changed = on_status_changed

    async def __aiter__(self) -> AsyncIterator[Connection]:
        loop = asyncio.get_running_loop()
        pause = 0.0
        while True:
            begin = loop.time()
            try:
                connection = await self
            except (ConnectFailed, OSError) as error:
                if isinstance(error, ConnectFailed) and not error.end.can_retry:
                    raise
                if isinstance(error, InitializationError) and error.errno is None:  # it was not the system that refused
                    raise
                reason: object = error
            else:
                begin = loop.time()
                async with connection:
                    yield connection
                reason = connection.end
            if loop.time() - begin > max(_SUCCESS, pause):
                pause = 0.0
            pause = min(pause * _LONGER, _LONGEST_PAUSE) if pause else random.uniform(0.0, _FIRST_PAUSE) + 1e-3
            _log.info("connecting to %s:%d again in %.1f s: %s", *self._where, pause, reason)
            await asyncio.sleep(pause)

    async def _open(self) -> Connection:
        addresses = reachable(await lookup(*self._where))
        attempts: list[Connection] = []
        winner: Connection | None = None
        try:
            winner = await self._race(addresses, attempts)
            return winner
        finally:
            for attempt in attempts:
                if attempt is not winner:
                    attempt._close(EndReason.APP_GENERIC, "not needed", linger=False)

    async def _race(self, addresses: list[Address], attempts: list[Connection]) -> Connection:
        """The first attempt that is connected; the rest are the caller's to close."""
        deadline = Deadline(self._timeout)
        given_up = deadline.later(GRACE)
        untried = list(addresses)
        while True:
            if untried:
                try:
                    attempts.append(await self._begin(untried.pop(0), deadline))
                except SocketError:  # no such address family, perhaps: others may do
                    if untried:
                        continue
                    if not attempts:
                        raise
            next_address = Deadline(NEXT_ADDRESS if untried else given_up.remaining())
            while True:
                for attempt in attempts:
                    if attempt._established:
                        return attempt
                alive = [attempt for attempt in attempts if attempt._end is None]
                if not alive or next_address.is_over():
                    break
                await _first_change(alive, next_address.remaining())
            if not untried or given_up.is_over():
                raise not_connected(attempts[-1])

    async def _begin(self, address: Address, deadline: Deadline) -> Connection:
        while True:
            mailbox = loop_mailbox()
            try:
                return begin(Connection, mailbox, address, self._options, self._on_status_changed)
            except ConnectionLimitError:
                mailbox.settle()
                if deadline.is_over():
                    raise
                await asyncio.sleep(LIMIT_RETRY)
            except BaseException:
                mailbox.settle()
                raise


async def _first_change(attempts: list[Connection], timeout: float | None) -> None:
    """Waits until one of them is connected or has ended."""
    waits = [asyncio.ensure_future(attempt._wait_established()) for attempt in attempts]
    try:
        await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waits:
            each.cancel()


def socket_pair(
    *, network: bool = False, identities: tuple[Identity | None, Identity | None] = (None, None)
) -> tuple[Connection, Connection]:
    """Two connected ends in this process and loop; neither reports CONNECTED, both are.

    network: over UDP on loopback, with encryption, rates and simulated faults, instead of in memory. identities: who
    each end is for the other. Errors: ConnectionLimitError, TypeError. Native: CreateSocketPair.
    """
    mailbox = loop_mailbox()
    try:
        handles = make_pair((mailbox, mailbox), network, identities)
    except BaseException:
        mailbox.settle()
        raise
    first, second = (Connection(mailbox, handle, None, None) for handle in handles)
    adopt_pair(first, second)
    return first, second
