"""Hostile clients of a server in a process of its own, and good clients that must not notice them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import psutil
import pytest
from support.signalling import RawClient, eventually_true, next_signal, raw_client, soon
from support.signalling_process import ServerProcess, server_process

from gns_py import Identity
from gns_py.p2p.signalling import Signalling, WebSocketSignalling
from gns_py.p2p.signalling.wire import (
    Create,
    GetIceServers,
    HelloCertificate,
    HelloToken,
    Join,
    Leave,
    Ping,
    Send,
)

pytest.importorskip("websockets.asyncio")
pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="measures the server's process as Linux shows it"),
    pytest.mark.slow,
]

ALICE, BOB, MALLORY = (Identity.string(name) for name in ("alice", "bob", "mallory"))
MEGABYTE = 1024 * 1024


class Watch:
    """Two good clients, whose signals go back and forth while others attack."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.round_trips = 0

    async def play(self, alice: Signalling, bob: Signalling) -> None:
        """Let a signal go back and forth: each must arrive."""
        while True:
            for sender, receiver in ((alice, bob), (bob, alice)):
                await sender.send(receiver.identity, b"%d" % self.round_trips)
                signal = await next_signal(receiver)
                while signal.sender != sender.identity:
                    signal = await next_signal(receiver)
                assert signal.data == b"%d" % self.round_trips
            self.round_trips += 1
            await asyncio.sleep(0.12)


@contextlib.asynccontextmanager
async def good_clients(folder: Path, **limits: float) -> AsyncIterator[Watch]:
    """Run a server, and let two clients of it play; both must still be connected, and play, at the end."""
    with server_process(folder, 0, **limits) as server:
        watch = Watch(server)
        async with (
            WebSocketSignalling(server.url, token="alice") as alice,
            WebSocketSignalling(server.url, token="bob") as bob,
        ):
            room = await alice.join("lobby", create=True)
            await bob.join("lobby")
            playing = asyncio.ensure_future(watch.play(alice, bob))
            memory = server.memory
            try:
                yield watch
                before = watch.round_trips
                await eventually_true(
                    lambda: playing.done() or watch.round_trips > before + 1, "that they go on playing"
                )
                assert not playing.done(), playing.result()
                assert alice.is_connected
                assert bob.is_connected
                assert set(room.members) >= {ALICE, BOB}
                grown = (server.memory - memory) / MEGABYTE
                assert grown < 60, f"{grown} MB"
            finally:
                playing.cancel()
                await asyncio.wait({playing})


def attack(folder: Path, attacker: Callable[[Watch], Awaitable[object]], **limits: float) -> None:
    """Run a server, good clients and an attacker."""

    async def main() -> None:
        async with good_clients(folder, **limits) as watch:
            await attacker(watch)

    asyncio.run(main())


async def for_a_while(awaitable: Awaitable[object], seconds: float = 1.5) -> None:
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(awaitable, seconds)


def test_a_flood_of_signals(tmp_path: Path) -> None:
    async def attacker(watch: Watch) -> None:
        async def flood(name: str) -> None:
            async with raw_client(watch.server.url) as raw:
                await raw.log_in(name)
                await raw.send(Join(1, "lobby", 0))
                while True:
                    for to in (ALICE, BOB):
                        await raw.send(Send(to, bytes(4096)))
                    await asyncio.sleep(0)

        await for_a_while(asyncio.gather(*(flood(f"mallory {number}") for number in range(5))))
        assert watch.server.ask()["pauses"] > 0  # their own connections hold them back

    async def main() -> None:
        with server_process(tmp_path) as server:
            watch = Watch(server)
            async with (
                WebSocketSignalling(server.url, token="alice") as alice,
                WebSocketSignalling(server.url, token="bob") as bob,
            ):
                await alice.join("lobby", create=True)
                await bob.join("lobby")
                await attacker(watch)
                await alice.send(BOB, b"still here")
                signal = await next_signal(bob)
                while signal.sender != ALICE:
                    signal = await next_signal(bob)
                assert signal.data == b"still here"

    asyncio.run(main())


@pytest.mark.parametrize("message", [Ping(1), Create(1, "", 2), Leave("lobby"), GetIceServers(), Join(1, "nowhere", 0)])
def test_a_flood_of_requests(tmp_path: Path, message: Ping) -> None:
    async def attacker(watch: Watch) -> None:
        async def flood(name: str) -> None:
            async with raw_client(watch.server.url) as raw:
                await raw.log_in(name)
                while True:
                    await raw.send(message)
                    await asyncio.sleep(0.0002)

        await for_a_while(asyncio.gather(*(flood(f"mallory {number}") for number in range(5))))
        assert watch.server.ask()["pauses"] > 0

    attack(tmp_path, attacker)


async def logged_in_by_hand(server: ServerProcess, name: str) -> socket.socket:
    """Return a socket that is logged in and never reads by itself."""
    loop = asyncio.get_running_loop()
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.setblocking(False)
    await loop.sock_connect(raw, ("127.0.0.1", server.port))
    request = (
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    await loop.sock_sendall(raw, request.encode())
    await loop.sock_recv(raw, 4096)
    await loop.sock_sendall(raw, frame(2, HelloToken(name).encode()))
    return raw


def frame(opcode: int, data: bytes) -> bytes:
    """Return a frame of a WebSocket client, masked with zeros."""
    size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
    return bytes([0x80 | opcode]) + size + bytes(4) + data


@pytest.mark.parametrize("opcode", [9, 2], ids=["pings of WebSockets", "pings of the protocol"])
def test_a_client_that_never_reads_what_it_asks_for(tmp_path: Path, opcode: int) -> None:
    async def attacker(watch: Watch) -> None:
        loop = asyncio.get_running_loop()
        raw = await logged_in_by_hand(watch.server, "mallory")
        data = frame(9, bytes(125)) if opcode == 9 else frame(2, Ping(1).encode())
        memory = watch.server.memory
        with raw:
            with contextlib.suppress(OSError):  # it is given up
                await for_a_while(send_for_ever(loop, raw, data * 500), 4.0)
            assert watch.server.memory - memory < 30 * MEGABYTE

    attack(tmp_path, attacker, send_timeout=1.0)


async def send_for_ever(loop: asyncio.AbstractEventLoop, raw: socket.socket, data: bytes) -> None:
    while True:
        await loop.sock_sendall(raw, data)


def test_members_that_never_read_signals_hold_no_one_up(tmp_path: Path) -> None:
    async def attacker(watch: Watch) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.ExitStack() as stack:
            for number in range(2):
                raw = stack.enter_context(await logged_in_by_hand(watch.server, f"slow {number}"))
                await loop.sock_sendall(raw, frame(2, Join(1, "lobby", 0).encode()))
            async with WebSocketSignalling(watch.server.url, token="talker") as talker:
                room = await talker.join("lobby")
                await eventually_true(lambda: len(room.members) == 5)
                slow = [each for each in room.others if str(each).startswith("str:slow")]
                for _ in range(100):  # more than the system's own buffers take
                    for _ in range(30):
                        for receiver in slow:
                            await talker.send(receiver, bytes(4000))
                    await asyncio.sleep(0.01)
                # They are given up, and everyone else learns it.
                await eventually_true(lambda: len(room.members) == 3)
            assert watch.server.ask()["violations"] == 2

    attack(tmp_path, attacker, send_timeout=1.0, signals_per_second=100_000.0, signal_burst=10_000)


def test_noise_instead_of_a_handshake(tmp_path: Path) -> None:
    async def attacker(watch: Watch) -> None:
        source = random.Random(1)
        descriptors = watch.server.descriptors
        starts = [b"", b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"]
        for number in range(60):
            reader, writer = await asyncio.open_connection("127.0.0.1", watch.server.port)
            with contextlib.suppress(OSError):
                writer.write(starts[number % len(starts)] + source.randbytes(source.choice([0, 1, 100, 100_000])))
                if number % 3 == 0:
                    writer.write_eof()
                    await asyncio.wait_for(reader.read(), 5.0)
            writer.transport.abort()
        await eventually_true(lambda: watch.server.descriptors <= descriptors)

    attack(tmp_path, attacker, connect_burst=1000, hello_timeout=2.0)


def test_half_handshakes(tmp_path: Path) -> None:
    """Connections that stop at each step: they are closed in time, and count until then."""

    async def attacker(watch: Watch) -> None:
        descriptors = watch.server.descriptors
        writers = []
        for number in range(30):
            _, writer = await asyncio.open_connection("127.0.0.1", watch.server.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n"[: number % 25])
            writers.append(writer)
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(10):
                await stack.enter_async_context(raw_client(watch.server.url))
            assert watch.server.descriptors >= descriptors + 40
            await eventually_true(lambda: watch.server.descriptors <= descriptors)
        for writer in writers:
            writer.transport.abort()
        assert watch.server.ask()["refused_logins"] == 10

    attack(tmp_path, attacker, connect_burst=1000, hello_timeout=1.0)


def test_a_thousand_connects(tmp_path: Path) -> None:
    async def attacker(watch: Watch) -> None:
        descriptors = watch.server.descriptors
        for _ in range(20):
            opened = await asyncio.gather(
                *(asyncio.open_connection("127.0.0.1", watch.server.port) for _ in range(50)), return_exceptions=True
            )
            for each in opened:
                if not isinstance(each, BaseException):
                    each[1].transport.abort()
        assert watch.server.ask()["refused_connections"] > 500
        await eventually_true(lambda: watch.server.descriptors <= descriptors)

    attack(tmp_path, attacker)


def test_more_connections_than_the_system_has_descriptors_for(tmp_path: Path) -> None:
    async def main() -> None:
        async with good_clients(tmp_path, connects_per_second=10_000.0, connect_burst=10_000) as watch:
            psutil.Process(watch.server.program.process.pid).rlimit(psutil.RLIMIT_NOFILE, (256, 256))
            with contextlib.ExitStack() as stack:
                for _ in range(400):
                    stack.enter_context(socket.create_connection(("127.0.0.1", watch.server.port)))
                    await asyncio.sleep(0.001)
                await eventually_true(lambda: watch.server.ask()["refused_connections"] > 200, "that many are refused")
                assert watch.server.descriptors < 256
            program = watch.server.program
        assert program.stderr == ""

    asyncio.run(main())


@pytest.mark.parametrize("logged_in", [False, True])
def test_garbage_of_all_kinds(tmp_path: Path, logged_in: bool) -> None:
    async def attacker(watch: Watch) -> None:
        source = random.Random(2)
        messages = [
            HelloToken("mallory").encode(),
            HelloCertificate(b"x", bytes(64)).encode(),
            Send(ALICE, b"x").encode(),
            Create(1, "", 2).encode(),
            Join(1, "lobby", 0).encode(),
            Ping(1).encode(),
        ]

        async def try_one(number: int, raw: RawClient) -> None:
            if logged_in:
                await raw.log_in(f"mallory {number}")
            for _ in range(20):
                data = bytearray(source.choice(messages))
                for _ in range(source.randrange(3)):
                    data[source.randrange(len(data))] = source.randrange(256)
                if source.random() < 0.2:
                    data += source.randbytes(source.choice([1, 100, 20_000]))
                await raw.websocket.send(bytes(data) if source.random() < 0.95 else "text")

        from websockets.exceptions import ConnectionClosed

        for number in range(60):
            async with raw_client(watch.server.url) as raw:
                with contextlib.suppress(ConnectionClosed):
                    await soon(try_one(number, raw))
        assert watch.server.ask()["violations" if logged_in else "refused_logins"] > 10

    attack(tmp_path, attacker, connect_burst=1000)


def test_frames_that_claim_to_be_huge(tmp_path: Path) -> None:
    async def attacker(watch: Watch) -> None:
        loop = asyncio.get_running_loop()
        for header in (
            b"\x82\xff" + b"\x7f" + b"\xff" * 7 + bytes(4),  # 2^63 bytes
            b"\x82\xff" + (10_000_000).to_bytes(8, "big") + bytes(4),
            b"\x02\xfe" + (16_000).to_bytes(2, "big") + bytes(4),  # the first of many fragments
        ):
            with await logged_in_by_hand(watch.server, "mallory") as raw, contextlib.suppress(OSError):
                await for_a_while(send_for_ever(loop, raw, header + os.urandom(16_000)), 0.5)

    attack(tmp_path, attacker)


def test_logins_that_replace_each_other(tmp_path: Path) -> None:
    async def attacker(watch: Watch) -> None:
        from websockets.exceptions import ConnectionClosed

        async def log_in() -> None:
            while True:
                async with raw_client(watch.server.url) as raw:
                    with contextlib.suppress(ConnectionClosed):
                        await raw.log_in("mallory")
                        await raw.send(Join(1, "lobby", 0))

        await for_a_while(asyncio.gather(*(log_in() for _ in range(4))))
        await eventually_true(lambda: watch.server.ask()["clients"] <= 3)

    attack(tmp_path, attacker, connect_burst=100_000)


def test_a_server_that_is_killed_and_back(tmp_path: Path) -> None:
    async def main() -> None:
        with server_process(tmp_path) as first:
            port = first.port
            alice = await WebSocketSignalling(first.url, token="alice").__aenter__()
            bob = await WebSocketSignalling(first.url, token="bob").__aenter__()
            room = await alice.create_room()
            await bob.join(room.name)
            first.program.kill()
        await eventually_true(lambda: not alice.is_connected and not bob.is_connected)
        with server_process(tmp_path, port) as second:
            receiving = asyncio.ensure_future(next_signal(bob))
            while not receiving.done():
                await alice.send(BOB, b"hello again")
                await asyncio.sleep(0.05)
            assert receiving.result().sender == ALICE
            await eventually_true(lambda: set(room.members) == {ALICE, BOB})
            await alice.aclose()
            await bob.aclose()
            assert second.ask()["violations"] == 0

    asyncio.run(main())
