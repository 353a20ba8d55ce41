"""The benchmark's peers with picows on uvloop: TCP, with TLS or without. It calls back, and sends without waiting.

Usage: -m peers.picows_peer plain|tls serve | round_trip PORT COUNT SIZE | one_way PORT COUNT SIZE RELIABLE
"""

from __future__ import annotations

import asyncio
import sys
from functools import partial

import uvloop
from peers.common import BATCH, CalledRoundTrips, Sender, Service, run, say
from peers.tls import client_context, server_context
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_connect, ws_create_server


class Server(WSListener):
    """A server's end of a connection."""

    def __init__(self) -> None:
        self._service = Service()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.BINARY and (answer := self._service.answer(frame.get_payload_as_bytes())):
            transport.send(WSMsgType.BINARY, answer)


class Client(WSListener):
    """A client's end, which calls `on_message`."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.on_message = self.answer.set_result
        self.writable = asyncio.Event()
        self.writable.set()

    def on_ws_frame(self, _transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.BINARY:
            self.on_message(frame.get_payload_as_bytes())

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()


def new_server(_request: WSUpgradeRequest) -> WSListener:
    return Server()


async def serve() -> None:
    server = await ws_create_server(new_server, "127.0.0.1", 0, ssl=server_context(sys.argv[1]))
    say(str(server.sockets[0].getsockname()[1]))
    await server.serve_forever()


async def connect(port: int) -> tuple[WSTransport, Client]:
    context = client_context(sys.argv[1])
    url = f"{'wss' if context else 'ws'}://127.0.0.1:{port}"
    transport, client = await ws_connect(Client, url, ssl_context=context)
    assert isinstance(client, Client)
    return transport, client


async def round_trip(port: int, count: int, size: int) -> None:
    transport, client = await connect(port)
    done = asyncio.get_running_loop().create_future()
    send = partial(transport.send, WSMsgType.BINARY)
    trips = CalledRoundTrips(count, size, send, done.set_result)
    client.on_message = lambda _data: trips.answered()
    send(b"E")
    trips.ask()
    await done
    trips.report()


async def one_way(port: int, count: int, size: int, _reliable: int) -> None:
    data = b"x" * size
    transport, client = await connect(port)
    transport.send(WSMsgType.BINARY, b"S")
    sender = Sender()
    for begin in range(0, count, BATCH):
        for _ in range(min(BATCH, count - begin)):
            transport.send(WSMsgType.BINARY, data)
        await client.writable.wait()
    transport.send(WSMsgType.BINARY, b"F")
    sender.report(await client.answer)


if __name__ == "__main__":
    uvloop.run(run(sys.argv[2:], serve=serve, round_trip=round_trip, one_way=one_way))
