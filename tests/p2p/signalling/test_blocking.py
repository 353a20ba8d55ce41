"""Signallings for threads: each kind, many threads at once, and its end from anywhere."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack

import pytest
from support import eventually
from support.signalling import login

from gns_py import Identity
from gns_py.p2p import IceServers
from gns_py.p2p.signalling import (
    BlockingSignalling,
    LineSignalling,
    LineSignallingServer,
    MemberJoined,
    MemoryHub,
    MemorySignalling,
    Refusal,
    Signal,
    SignallingClosed,
    SignallingError,
    SignallingRefused,
    SignallingServer,
    WebSocketSignalling,
)

ALICE, BOB = Identity.string("alice"), Identity.string("bob")
Connect = Callable[[str], BlockingSignalling]


class ServerThread:
    """A server in a loop of its own."""

    def __init__(self, server: SignallingServer | LineSignallingServer) -> None:
        self.server = server
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        self.host, self.port = server.addresses[0]

    async def _listen(self) -> None:
        await self.server.listen("127.0.0.1", 0)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self.server.aclose(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()


@pytest.fixture(params=["memory", "line", "websocket"])
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    with ExitStack() as stack:

        def keep(signalling: BlockingSignalling) -> BlockingSignalling:
            return stack.enter_context(signalling)

        if request.param == "memory":
            hub = MemoryHub()
            yield lambda name: keep(BlockingSignalling(lambda: MemorySignalling(hub, f"str:{name}")))
            return
        if request.param == "line":
            lines = ServerThread(LineSignallingServer())
            stack.callback(lines.close)
            yield lambda name: keep(BlockingSignalling(LineSignalling(lines.host, lines.port, f"str:{name}")))
            return
        pytest.importorskip("websockets.asyncio")
        server = ServerThread(SignallingServer(login, rooms_only=False))
        stack.callback(server.close)
        url = f"ws://{server.host}:{server.port}"
        yield lambda name: keep(BlockingSignalling(WebSocketSignalling(url, token=name)))


def test_signals(connect: Connect) -> None:
    alice, bob = connect("alice"), connect("bob")
    assert (alice.identity, alice.ice_servers) == (ALICE, None)
    bob.send(BOB, b"ready")
    assert bob.recv(10) == Signal(BOB, b"ready")
    alice.send(BOB, b"hello")
    assert bob.recv() == Signal(ALICE, b"hello")
    with pytest.raises(TimeoutError, match="no signal within 0 s"):
        bob.recv(0)
    with pytest.raises(TimeoutError):
        bob.recv(0.01)
    with pytest.raises(ValueError, match="must have 1 to "):
        alice.send(BOB, b"")


def test_closing_ends_what_waits(connect: Connect) -> None:
    alice = connect("alice")
    ended: list[object] = []

    def receive() -> None:
        ended.extend(list(alice))
        try:
            alice.recv()
        except SignallingClosed as error:
            ended.append(error)

    threads = [threading.Thread(target=receive) for _ in range(3)]
    for each in threads:
        each.start()
    time.sleep(0.05)  # so that they wait
    alice.close()
    alice.close()
    for each in threads:
        each.join(10)
    assert [type(each) for each in ended] == [SignallingClosed] * 3
    with pytest.raises(SignallingClosed):
        alice.send(ALICE, b"x")


def test_many_threads(connect: Connect) -> None:
    alice, bob = connect("alice"), connect("bob")
    bob.send(BOB, b"ready")
    bob.recv(10)

    def send(number: int) -> None:
        for count in range(5):
            alice.send(BOB, bytes([number, count]))

    threads = [threading.Thread(target=send, args=(number,)) for number in range(6)]
    for each in threads:
        each.start()
    found = {bob.recv(10).data for _ in range(30)}
    for each in threads:
        each.join()
    assert found == {bytes([number, count]) for number in range(6) for count in range(5)}


def test_rooms() -> None:
    pytest.importorskip("websockets.asyncio")
    server = ServerThread(SignallingServer(login, ice_servers=IceServers(["s:1"])))
    url = f"ws://{server.host}:{server.port}"
    try:
        with (
            BlockingSignalling(WebSocketSignalling(url, token="alice")) as alice,
            BlockingSignalling(WebSocketSignalling(url, token="bob")) as bob,
        ):
            assert alice.ice_servers == IceServers(["s:1"])
            room = alice.run(alice.inner.create_room())
            bob.run(bob.inner.join(room.name))
            assert alice.run(anext(room), timeout=10) == MemberJoined(BOB)
            with pytest.raises(TimeoutError, match=r"not within 0.01 s"):
                alice.run(anext(room), timeout=0.01)
        with pytest.raises(SignallingRefused) as raised:
            BlockingSignalling(WebSocketSignalling(url, token="bad"))
        assert raised.value.reason is Refusal.NOT_AUTHENTICATED
    finally:
        server.close()


def test_the_reason_of_an_end() -> None:
    hub = MemoryHub()
    with (
        BlockingSignalling(lambda: MemorySignalling(hub, ALICE)) as old,
        BlockingSignalling(lambda: MemorySignalling(hub, ALICE)),
    ):
        for _ in range(2):
            with pytest.raises(SignallingRefused) as raised:
                old.recv(10)
            assert raised.value.reason is Refusal.REPLACED


class Failing:
    """A signalling of an application, with a fault."""

    identity = ALICE
    ice_servers = None
    is_sending = threading.Event()

    async def send(self, to: Identity, signal: bytes) -> None:  # noqa: ARG002
        self.is_sending.set()
        await asyncio.sleep(3600)

    async def __aiter__(self) -> AsyncIterator[Signal]:
        yield Signal(BOB, b"one")
        raise RuntimeError("a bug")

    async def aclose(self) -> None:
        raise RuntimeError("another bug")


def test_a_signalling_that_fails() -> None:
    signalling = BlockingSignalling(Failing())
    assert signalling.recv(10).data == b"one"
    with pytest.raises(SignallingError, match="a bug"):
        signalling.recv(10)
    errors: list[Exception] = []

    def send() -> None:
        try:
            signalling.send(BOB, b"x")
        except SignallingClosed as error:
            errors.append(error)

    sending = threading.Thread(target=send)
    sending.start()
    assert Failing.is_sending.wait(10)
    with pytest.raises(RuntimeError, match="another bug"):
        signalling.close()
    sending.join(10)
    assert len(errors) == 1
    eventually(lambda: not any(each.name == "gns_py signalling" for each in threading.enumerate()))


def test_coroutines_that_are_begun_while_it_closes_end() -> None:
    hub = MemoryHub()
    for _ in range(30):
        signalling = BlockingSignalling(lambda: MemorySignalling(hub, ALICE))
        ended: list[object] = []

        def send(signalling: BlockingSignalling = signalling, ended: list[object] = ended) -> None:
            try:
                while True:
                    signalling.send(ALICE, b"x")
            except SignallingClosed:
                ended.append(True)

        threads = [threading.Thread(target=send) for _ in range(3)]
        for each in threads:
            each.start()
        signalling.close()
        for each in threads:
            each.join(10)
        assert ended == [True] * 3
