"""Services of each kind of signalling, and a client of the WebSocket protocol that does what a test wants."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

import pytest

import gns_py.asyncio as gns
from gns_py import Address, Identity
from gns_py.p2p import RelaySignalling, ServerRelay
from gns_py.p2p.signalling import (
    LineSignalling,
    LineSignallingServer,
    MemoryHub,
    MemorySignalling,
    Signal,
    Signalling,
    SignallingServer,
    WebSocketSignalling,
)
from gns_py.p2p.signalling.wire import Challenge, HelloToken, Message, Welcome, decode

from .deadline import PATIENCE

T = TypeVar("T")
KINDS = ["memory", "line", "websocket", "relay"]
TIMEOUT = 10.0 * PATIENCE
ROOM = "lobby"

Connect = Callable[[str], AbstractAsyncContextManager[Signalling]]


def login(token: str) -> str | None:
    """Return the identity of a token, which is a name, or "bad"."""
    return None if token == "bad" else f"str:{token}"


async def soon(awaitable: Any) -> Any:
    """Return what an awaitable returns, within a time that fails the test."""
    return await asyncio.wait_for(awaitable, TIMEOUT)


async def next_signal(signalling: Signalling) -> Signal:
    """Return the next signal."""
    found = await soon(anext(aiter(signalling)))
    assert isinstance(found, Signal)
    return found


async def eventually_true(condition: Callable[[], object], what: str = "the condition") -> None:
    """Wait until a condition is true."""
    loop = asyncio.get_running_loop()
    end = loop.time() + TIMEOUT
    while not condition():
        assert loop.time() < end, f"{what} did not come true"
        await asyncio.sleep(0.002)


@contextlib.asynccontextmanager
async def service(kind: str) -> AsyncIterator[Connect]:
    """Run a service of a kind, and yield a function that connects a client with a name, in a common room."""
    if kind == "memory":
        hub = MemoryHub()
        yield lambda name: MemorySignalling(hub, f"str:{name}")
    elif kind == "line":
        async with LineSignallingServer() as line_server:
            address = await line_server.listen()
            yield lambda name: _line(line_server, address, name)
    elif kind == "relay":
        async with relay_server(gns) as (_, address):
            yield lambda name: relayed(gns, address, name)
    else:
        async with websocket_server() as (_, url):
            yield lambda name: _in_the_room(url, name)


@contextlib.asynccontextmanager
async def relay_server(
    api: Any, *, ends: list[Any] | None = None, listen: Any = None, **options: Any
) -> AsyncIterator[tuple[ServerRelay, Address]]:
    """Run a game's server of an API of asyncio, whose clients say their names first, and are all in one group.

    It answers other messages with an echo. Its ends of the connections are put into the list.
    """
    relay = ServerRelay(**options)
    ends = [] if ends is None else ends

    async def handler(connection: Any) -> None:
        name = (await connection.recv()).decode()
        relay.add(connection, f"str:{name}", groups=() if "may_signal" in options else [ROOM])
        ends.append(connection)
        connection.send(b"welcome")
        async for data in connection:
            connection.send(b"echo of " + data)

    async with api.serve(handler, "127.0.0.1", 0, **(listen or {})) as server:
        yield relay, server.address


@contextlib.asynccontextmanager
async def relayed(api: Any, address: Address, name: str) -> AsyncIterator[RelaySignalling]:
    """Yield the signalling of a client of relay_server()."""
    async with logged_in(api, address, name) as connection, RelaySignalling(connection) as signalling:
        yield signalling


@contextlib.asynccontextmanager
async def logged_in(api: Any, address: Address, name: str, **options: Any) -> AsyncIterator[Any]:
    """Yield the connection, or session, of a client of relay_server() that the relay has added."""
    async with api.connect(*address, **options) as connection:
        connection.send(name.encode())
        assert await soon(connection.recv()) == b"welcome"
        yield connection


@contextlib.asynccontextmanager
async def websocket_server(**options: Any) -> AsyncIterator[tuple[SignallingServer, str]]:
    """Run a WebSocket server that takes tokens, and yield it and its URL."""
    pytest.importorskip("websockets.asyncio")
    async with SignallingServer(options.pop("authenticate", login), **options) as server:
        host, port = (await server.listen("127.0.0.1", 0))[0]
        yield server, f"ws://{host}:{port}"


@contextlib.asynccontextmanager
async def _line(server: LineSignallingServer, address: tuple[str, int], name: str) -> AsyncIterator[Signalling]:
    async with LineSignalling(*address, f"str:{name}") as signalling:
        await eventually_true(lambda: signalling.identity in server.identities)
        yield signalling


@contextlib.asynccontextmanager
async def _in_the_room(url: str, name: str) -> AsyncIterator[Signalling]:
    async with WebSocketSignalling(url, token=name) as signalling:
        await signalling.join(ROOM, create=True)
        yield signalling


class RawClient:
    """A client of the WebSocket protocol that sends what it likes."""

    def __init__(self, websocket: Any) -> None:
        self.websocket = websocket

    async def send(self, message: Message) -> None:
        """Send a message."""
        await self.websocket.send(message.encode())

    async def receive(self) -> Message:
        """Return the next message."""
        return decode(await soon(self.websocket.recv()))

    async def log_in(self, token: str) -> Identity:
        """Log in with a token."""
        assert isinstance(await self.receive(), Challenge)
        await self.send(HelloToken(token))
        welcome = await self.receive()
        assert isinstance(welcome, Welcome)
        return welcome.identity

    async def until_closed(self) -> int | None:
        """Drop what arrives, and return the code with which the server closes the connection."""
        from websockets.exceptions import ConnectionClosed

        with contextlib.suppress(ConnectionClosed):
            while True:
                await soon(self.websocket.recv())
        code: int | None = self.websocket.protocol.close_code
        return code


@contextlib.asynccontextmanager
async def raw_client(url: str, **options: Any) -> AsyncIterator[RawClient]:
    """Open a connection, which is not logged in, and close it at the end."""
    from websockets.asyncio.client import connect

    websocket = await connect(url, compression=None, **options)
    try:
        yield RawClient(websocket)
    finally:
        websocket.transport.abort()
        await websocket.wait_closed()
