"""A game's server with a relay, or one of its players, who connects to another one; with any API."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import sys
from typing import Any

import gns_py
import gns_py.asyncio
from gns_py.p2p import Peer, RelaySignalling, ServerRelay

TIMEOUT = 30.0


def login(relay: ServerRelay, connection: Any, name: str) -> None:
    """Let a player in."""
    relay.add(connection, f"str:{name}", groups=["lobby"])
    connection.send(b"welcome")


async def serve_in_asyncio(api: Any, relay: ServerRelay) -> None:
    """Serve the game until a line arrives."""

    async def handler(connection: Any) -> None:
        login(relay, connection, (await connection.recv()).decode())
        async for data in connection:
            connection.send(data)

    async with api.serve(handler, "127.0.0.1", 0) as server:
        print(server.address.port, flush=True)
        await asyncio.to_thread(sys.stdin.readline)


def serve_in_threads(api: Any, relay: ServerRelay) -> None:
    """Serve the game until a line arrives."""

    def handler(connection: Any) -> None:
        login(relay, connection, connection.recv(TIMEOUT).decode())
        for data in connection:
            connection.send(data)

    with api.serve(handler, "127.0.0.1", 0) as server:
        print(server.address.port, flush=True)
        sys.stdin.readline()


async def play(api: Any, name: str, port: int) -> None:
    """Connect to the game's server, and then to another player, or wait for one."""
    is_async = "asyncio" in api.__name__
    connecting = api.connect("127.0.0.1", port) if is_async else await asyncio.to_thread(api.connect, "127.0.0.1", port)
    async with contextlib.AsyncExitStack() as stack:
        game = await stack.enter_async_context(connecting) if is_async else stack.enter_context(connecting)
        game.send(name.encode())
        assert await receive(game, is_async) == b"welcome"
        signalling = await stack.enter_async_context(RelaySignalling(game))
        peer = await stack.enter_async_context(Peer(signalling))
        if name == "bob":
            await stack.enter_async_context(gns_py.asyncio.serve(answer, peer, 0))
        print(f"{signalling.identity} is there", flush=True)
        if name == "alice":
            await meet(peer)
        game.send(b"the game goes on")
        print((await receive(game, is_async)).decode(), flush=True)
        await asyncio.to_thread(sys.stdin.readline)


async def receive(game: Any, is_async: bool) -> bytes:
    """Return the next message of the game's server."""
    data = await game.recv() if is_async else await asyncio.to_thread(game.recv, TIMEOUT)
    assert isinstance(data, bytes)
    return data


async def answer(connection: gns_py.asyncio.Connection) -> None:
    """Answer another player."""
    async for data in connection:
        connection.send(b"echo of " + data)


async def meet(peer: Peer) -> None:
    """Connect to bob."""
    async with gns_py.asyncio.connect(peer.at("str:bob"), timeout=TIMEOUT) as connection:
        assert str(connection.remote_identity) == "str:bob"
        connection.send(b"hello")
        print((await connection.recv()).decode() + ", str:bob proved to the game's server", flush=True)


def main() -> None:
    role, api_name, *port = sys.argv[1:]
    api = importlib.import_module(f"gns_py.{api_name}")
    if role != "server":
        gns_py.start(f"str:{role}")
        asyncio.run(play(api, role, int(port[0])))
    elif "asyncio" in api_name:
        asyncio.run(serve_in_asyncio(api, ServerRelay()))
    else:
        serve_in_threads(api, ServerRelay())


if __name__ == "__main__":
    main()
