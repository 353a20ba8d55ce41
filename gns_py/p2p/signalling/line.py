"""Signalling in the protocol of GNS's own example for P2P: for peers in C++, and for tests. It authenticates no one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from types import TracebackType
from typing import TypeVar

from ..._uncopyable import Uncopyable
from ...identity import Identity
from ..ice_servers import IceServers
from .backoff import Backoff
from .checks import check_signal, check_timeout
from .errors import SignallingClosed, SignallingUnavailable
from .inbox import Inbox
from .line_protocol import MAX_LINE, LineError, check_identity, hello, line, parse
from .outbox import Outbox
from .signalling import Signal
from .within import within

_QUEUE = 64
_UNSENT = 32  # as many as the example keeps
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 10.0
_LAST_SIGNALS = 1.0
_Self = TypeVar("_Self", bound="LineSignalling")
_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_log = logging.getLogger("gns_py.p2p.signalling")


class LineSignalling(Uncopyable):
    """Signalling over a server of GNS's own example, or a LineSignallingServer: see Signalling.

    **Identities are only what clients say, and nothing is encrypted**: use it among peers that you trust, or with
    certificates demanded on the P2P connections.

    Use it as an ``async with`` block: it begins when the connection is open. If it is lost later, it is opened again
    for as long as it takes; meanwhile up to 32 signals wait.

    Args:
        host: The host of the server.
        port: Its TCP port.
        identity: The identity of this end, without blanks.
        ice_servers: ICE servers for the peer to use, since this protocol hands out none.
        timeout: The seconds for one attempt to connect.

    Raises:
        TypeError: The timeout is not a number.
        ValueError: The identity cannot be used in this protocol, or the timeout is out of range.
        SignallingUnavailable: On entering: the server cannot be reached.
    """

    def __init__(
        self,
        host: str,
        port: int,
        identity: Identity | str,
        *,
        ice_servers: IceServers | None = None,
        timeout: float = 10.0,
    ) -> None:
        self._address = host, port
        self._identity = Identity.parse(identity) if isinstance(identity, str) else identity
        check_identity(self._identity)
        check_timeout(timeout)
        self._ice_servers = ice_servers
        self._timeout = timeout
        self._inbox = Inbox[Signal](_QUEUE)
        self._outbox = Outbox(_UNSENT)
        self._task: asyncio.Task[None] | None = None
        self._first: _Connection | None = None
        self._is_connected = False

    @property
    def identity(self) -> Identity:
        """The identity of this end."""
        return self._identity

    @property
    def ice_servers(self) -> IceServers | None:
        """The ICE servers that it was given."""
        return self._ice_servers

    @property
    def is_connected(self) -> bool:
        """True while there is a connection to the server."""
        return self._is_connected and not self._inbox.has_ended

    async def send(self, to: Identity, signal: bytes) -> None:
        """Send a signal: see Signalling.

        Args:
            to: The receiver.
            signal: At most 8,192 bytes.

        Raises:
            TypeError: A value is of another type.
            ValueError: The signal is larger or empty, or the receiver cannot be in a line.
            SignallingClosed: The signalling was closed.
        """
        check_signal(to, signal)
        check_identity(to)
        if self._inbox.has_ended:
            raise SignallingClosed("the signalling was closed")
        self._outbox.put_signal(to, line(to, signal))

    def __aiter__(self: _Self) -> _Self:
        return self

    async def __anext__(self) -> Signal:
        return await self._inbox.get()

    async def aclose(self) -> None:
        """Send the signals that wait, and close the connection. Calling it again does nothing. Takes 1 s at most."""
        was_connected = self.is_connected
        self._inbox.end()
        self._outbox.close(keep_signals=was_connected)
        task = self._task
        if task is None:
            return
        if not was_connected:
            task.cancel()
        try:
            await asyncio.wait({task}, timeout=_LAST_SIGNALS)
        finally:
            task.cancel()
            await asyncio.wait({task})
            if self._first is not None:  # the task may have been cancelled before it began
                self._first[1].transport.abort()

    async def __aenter__(self: _Self) -> _Self:
        if self._task is not None or self._inbox.has_ended:
            raise RuntimeError("a signalling can be opened once")
        self._first = await self._connect()
        self._is_connected = True
        self._task = asyncio.ensure_future(self._run(self._first))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _connect(self) -> _Connection:
        opened: list[_Connection] = []
        try:
            await within(self._timeout, self._open(opened))
        except BaseException as error:
            for _, writer in opened:
                writer.transport.abort()
            if isinstance(error, OSError | TimeoutError):
                raise SignallingUnavailable(f"{self._address[0]} cannot be reached: {error}") from error
            raise
        return opened[0]

    async def _open(self, opened: list[_Connection]) -> None:
        opened.append(await asyncio.open_connection(*self._address, limit=MAX_LINE))

    async def _run(self, connection: _Connection) -> None:
        backoff = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE)
        while True:
            try:
                await self._use(*connection)
            except (OSError, ValueError) as error:  # ValueError: an endless line
                _log.info("the connection to the signalling server is lost: %s", error)
            if self._inbox.has_ended:
                return
            while True:
                await asyncio.sleep(backoff.next())
                try:
                    connection = await self._connect()
                    break
                except SignallingUnavailable as error:
                    _log.info("the signalling is not connected yet: %s", error)

    async def _use(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._is_connected = True
        writing = asyncio.ensure_future(self._write(writer))
        try:
            while received := await reader.readline():
                if not received.endswith(b"\n"):
                    break  # the rest of it was cut off
                try:
                    self._inbox.put(parse(received))
                except LineError as error:
                    _log.debug("a malformed line of the signalling server is ignored: %s", error)
        finally:
            self._is_connected = False
            writer.transport.abort()
            writing.cancel()
            await asyncio.wait({writing})

    async def _write(self, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            writer.write(hello(self._identity))
            while (data := await self._outbox.get()) is not None:
                writer.write(data)
                await writer.drain()
            writer.close()
            await writer.wait_closed()
