"""The benchmark's peers with websockets on uvloop: TCP, with TLS or without, and without compression.

Usage: -m peers.websockets_peer plain|tls serve | round_trip PORT COUNT SIZE | one_way PORT COUNT SIZE RELIABLE
"""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import suppress
from typing import Any

import uvloop
from peers.common import RoundTrips, Sender, Service, run, say
from peers.tls import client_context, server_context
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as listen
from websockets.exceptions import ConnectionClosedError

OPTIONS: dict[str, Any] = {"compression": None, "ping_interval": None}


async def handle(connection: ServerConnection) -> None:
    service = Service()
    with suppress(ConnectionClosedError):  # clients are killed
        async for data in connection:
            assert isinstance(data, bytes)
            if answer := service.answer(data):
                await connection.send(answer)


async def serve() -> None:
    async with listen(handle, "127.0.0.1", 0, ssl=server_context(sys.argv[1]), **OPTIONS) as server:
        say(str(next(iter(server.sockets)).getsockname()[1]))
        await asyncio.get_running_loop().create_future()


def connection_to(port: int) -> connect:
    context = client_context(sys.argv[1])
    return connect(f"{'wss' if context else 'ws'}://127.0.0.1:{port}", ssl=context, proxy=None, **OPTIONS)


async def round_trip(port: int, count: int, size: int) -> None:
    data = b"x" * size
    trips = RoundTrips(count)
    async with connection_to(port) as connection:
        await connection.send(b"E")
        for turn in trips.turns:
            begin = time.perf_counter()
            await connection.send(data)
            await connection.recv()
            trips.note(turn, begin)
        trips.report()


async def one_way(port: int, count: int, size: int, _reliable: int) -> None:
    data = b"x" * size
    async with connection_to(port) as connection:
        await send_all(connection, data, count)


async def send_all(connection: ClientConnection, data: bytes, count: int) -> None:
    await connection.send(b"S")
    sender = Sender()
    for _ in range(count):
        await connection.send(data)
    await connection.send(b"F")
    answer = await connection.recv()
    assert isinstance(answer, bytes)
    sender.report(answer)


if __name__ == "__main__":
    uvloop.run(run(sys.argv[2:], serve=serve, round_trip=round_trip, one_way=one_way))
