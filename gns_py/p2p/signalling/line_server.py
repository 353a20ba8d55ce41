"""A server of the protocol of GNS's own example for P2P."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from types import TracebackType
from typing import TypeVar

from ..._uncopyable import Uncopyable
from ...identity import Identity
from .line_protocol import MAX_LINE, LineError, line, parse, parse_hello
from .outbox import Outbox
from .within import within

_QUEUE = 64
_MAX_CLIENTS = 1024
_HELLO_TIMEOUT = 10.0
_Self = TypeVar("_Self", bound="LineSignallingServer")
_log = logging.getLogger("gns_py.p2p.signalling")


class LineSignallingServer(Uncopyable):
    """A server for LineSignalling and GNS's own example, in asyncio: for tests, and for peers that trust each other.

    It believes what clients say: the last one with an identity gets its signals. Use it as an ``async with`` block, or
    call ``listen()`` and ``aclose()``.
    """

    def __init__(self) -> None:
        self._clients: dict[Identity, Outbox] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._servers: list[asyncio.Server] = []

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Host and port of each socket."""
        return [each.getsockname()[:2] for server in self._servers for each in server.sockets]

    @property
    def identities(self) -> tuple[Identity, ...]:
        """The identities of the clients."""
        return tuple(self._clients)

    async def listen(self, host: str = "127.0.0.1", port: int = 0) -> tuple[str, int]:
        """Accept clients at an address, and return its host and port.

        Args:
            host: The address.
            port: The TCP port; 0 for a free one.

        Raises:
            OSError: The port is taken, or the address is not this machine's.
        """
        server = await asyncio.start_server(self._accept, host, port, limit=MAX_LINE)
        self._servers.append(server)
        address: tuple[str, int] = server.sockets[0].getsockname()[:2]
        return address

    async def aclose(self) -> None:
        """Close the port and all connections. Calling it again does nothing."""
        for server in self._servers:
            server.close()
        while self._tasks:
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        for server in self._servers:
            await server.wait_closed()

    async def __aenter__(self: _Self) -> _Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._tasks) >= _MAX_CLIENTS:
            writer.transport.abort()
            return
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            identity = parse_hello(await within(_HELLO_TIMEOUT, reader.readline()))
            await self._serve_client(identity, reader, writer)
        except (OSError, ValueError, TimeoutError) as error:  # ValueError: a malformed or an endless line
            _log.debug("a client of the line server is disconnected: %s", error)
        finally:
            writer.transport.abort()

    async def _serve_client(
        self, identity: Identity, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        outbox = Outbox(_QUEUE)
        older = self._clients.pop(identity, None)
        self._clients[identity] = outbox
        if older is not None:
            older.close()
        writing = asyncio.ensure_future(self._write(outbox, writer))
        try:
            while (received := await reader.readline()).endswith(b"\n"):
                try:
                    signal = parse(received)
                except LineError as error:
                    _log.debug("a malformed line is ignored: %s", error)
                    continue
                receiver = self._clients.get(signal.sender)  # from a client, it is the receiver
                if receiver is not None:
                    receiver.put_signal(identity, line(identity, signal.data))
        finally:
            if self._clients.get(identity) is outbox:
                del self._clients[identity]
            writing.cancel()
            await asyncio.wait({writing})

    @staticmethod
    async def _write(outbox: Outbox, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while (data := await outbox.get()) is not None:
                writer.write(data)
                await writer.drain()
        writer.transport.abort()  # so that the reader ends, too
