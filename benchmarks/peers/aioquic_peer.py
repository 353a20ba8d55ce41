"""The benchmark's peers with aioquic on uvloop: QUIC, one stream, in which each message follows its size.

Usage: -m peers.aioquic_peer serve | round_trip PORT COUNT SIZE | one_way PORT COUNT SIZE RELIABLE
"""

from __future__ import annotations

import asyncio
import ssl
import struct
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aioquic.asyncio.client
import aioquic.asyncio.server
import uvloop
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import QuicEvent, StreamDataReceived
from peers.common import BATCH, CalledRoundTrips, Sender, Service, run, say
from peers.tls import certificate

SIZE = struct.Struct("!I")
ALPN = ["bench"]
STREAM = 0


class Messages(QuicConnectionProtocol):
    """An end of a connection."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - aioquic's own
        super().__init__(*arguments, **options)
        self._buffer = b""

    def quic_event_received(self, event: QuicEvent) -> None:
        if not isinstance(event, StreamDataReceived):
            return
        data, begin = self._buffer + event.data, 0
        while len(data) - begin >= SIZE.size:
            end = begin + SIZE.size + SIZE.unpack_from(data, begin)[0]
            if end > len(data):
                break
            self.on_message(data[begin + SIZE.size : end])
            begin = end
        self._buffer = data[begin:]

    def put(self, data: bytes) -> None:
        """Queue a message. aioquic sends what an event has queued when the event is over."""
        self._quic.send_stream_data(STREAM, SIZE.pack(len(data)) + data)

    def on_message(self, data: bytes) -> None:
        raise NotImplementedError


class Server(Messages):
    """A server's end."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - aioquic's own
        super().__init__(*arguments, **options)
        self._service = Service()

    def on_message(self, data: bytes) -> None:
        if answer := self._service.answer(data):
            self.put(answer)


class Client(Messages):
    """A client's end."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - aioquic's own
        super().__init__(*arguments, **options)
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.trips: CalledRoundTrips | None = None

    def on_message(self, data: bytes) -> None:
        if self.trips:
            self.trips.answered()
        else:
            self.answer.set_result(data)


async def serve() -> None:
    configuration = QuicConfiguration(is_client=False, alpn_protocols=ALPN)
    leaf = certificate()
    with leaf.cert_chain_pems[0].tempfile() as chain, leaf.private_key_pem.tempfile() as key:
        configuration.load_cert_chain(chain, key)
    # The port that it gets cannot be asked for.
    for port in range(30500, 31500):
        try:
            await aioquic.asyncio.server.serve("127.0.0.1", port, configuration=configuration, create_protocol=Server)
        except OSError:
            continue
        say(str(port))
        await asyncio.get_running_loop().create_future()
    sys.exit("no port is free")


@asynccontextmanager
async def connect(port: int) -> AsyncIterator[Client]:
    configuration = QuicConfiguration(is_client=True, alpn_protocols=ALPN, verify_mode=ssl.CERT_NONE)
    async with aioquic.asyncio.client.connect(
        "127.0.0.1", port, configuration=configuration, create_protocol=Client
    ) as client:
        assert isinstance(client, Client)
        yield client


async def round_trip(port: int, count: int, size: int) -> None:
    async with connect(port) as client:
        done = asyncio.get_running_loop().create_future()
        client.trips = CalledRoundTrips(count, size, client.put, done.set_result)
        client.put(b"E")
        client.trips.ask()
        client.transmit()
        await done
        client.trips.report()


async def one_way(port: int, count: int, size: int, _reliable: int) -> None:
    data = b"x" * size
    async with connect(port) as client:
        client.put(b"S")
        sender = Sender()
        for begin in range(0, count, BATCH):
            for _ in range(min(BATCH, count - begin)):
                client.put(data)
            client.transmit()
            await asyncio.sleep(0)
        client.put(b"F")
        client.transmit()
        sender.report(await client.answer)


if __name__ == "__main__":
    uvloop.run(run(sys.argv[1:], serve=serve, round_trip=round_trip, one_way=one_way))
