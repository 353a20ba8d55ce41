"""Signalling over a connection or a session: its life, outages, threads."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from types import ModuleType
from typing import Any

import pytest
from support import eventually
from support.deadline import PATIENCE
from support.outages import QUICK
from support.relay import Relay
from support.signalling import eventually_true, logged_in, next_signal, relay_server, relayed, soon

import gns_py.asyncio
import gns_py.session.asyncio
import gns_py.session.sync
import gns_py.sync
from gns_py import Address, Identity, InvalidStateError
from gns_py.p2p import RelaySignalling, ServerRelay
from gns_py.p2p.signalling import (
    BlockingSignalling,
    Refusal,
    Signal,
    SignallingClosed,
    SignallingRefused,
    SignallingUnavailable,
    wire,
)
from gns_py.p2p.signalling import relayed as datagrams
from gns_py.session import SessionConfig

ALICE, BOB = Identity.string("alice"), Identity.string("bob")
by_api = pytest.mark.parametrize("api", [gns_py.asyncio, gns_py.session.asyncio], ids=["connections", "sessions"])
by_sync_api = pytest.mark.parametrize("api", [gns_py.sync, gns_py.session.sync], ids=["connections", "sessions"])
TIMEOUT = 10.0 * PATIENCE


def run(main: Any) -> None:
    asyncio.run(asyncio.wait_for(main(), 40.0 * PATIENCE))


@by_api
def test_it_has_one_life(api: ModuleType) -> None:
    async def main() -> None:
        async with relay_server(api) as (_, address), logged_in(api, address, "alice") as connection:
            alice = RelaySignalling(connection)
            assert repr(alice).endswith(" not open>")
            with pytest.raises(RuntimeError, match="not answered yet"):
                _ = alice.identity
            with pytest.raises(RuntimeError, match="must be opened first"):
                await alice.send(BOB, b"x")
            async with alice:
                assert repr(alice).endswith(" open>")
                assert (alice.identity, alice.ice_servers) == (ALICE, None)
                with pytest.raises(RuntimeError, match="opened once"):
                    await alice.__aenter__()
                with pytest.raises(InvalidStateError, match="has the connection already"):
                    await RelaySignalling(connection).__aenter__()
                with pytest.raises(InvalidStateError, match="has the connection already"):
                    ServerRelay().add(connection, ALICE)
            assert repr(alice).endswith(" closed>")
            await alice.aclose()
            with pytest.raises(RuntimeError, match="opened once"):
                await alice.__aenter__()
            async with RelaySignalling(connection) as again:
                await again.send(ALICE, b"x")
                assert await next_signal(again) == Signal(ALICE, b"x")
            connection.send(b"x")
            assert await soon(connection.recv()) == b"echo of x"

    run(main)


def test_what_it_is_not_over() -> None:
    with pytest.raises(TypeError, match="must be a Connection or a Session, not str"):
        RelaySignalling("localhost")  # type: ignore[arg-type]

    async def main() -> None:
        api = gns_py.session.asyncio
        async with relay_server(api) as (_, address), logged_in(api, address, "alice") as session:
            with pytest.raises(InvalidStateError, match="a session has the connection"):
                await RelaySignalling(session.connection).__aenter__()

    run(main)


@by_api
def test_it_ends_with_its_connection(api: ModuleType) -> None:
    async def main() -> None:
        ends: list[Any] = []
        async with (
            relay_server(api, ends=ends) as (_, address),
            logged_in(api, address, "alice") as connection,
            RelaySignalling(connection) as alice,
        ):
            closing = ends[0].close()
            if closing is not None:
                await closing
            with pytest.raises(SignallingUnavailable, match="has ended"):
                await soon(anext(alice))
            with pytest.raises(SignallingClosed):
                await alice.send(BOB, b"x")
            with pytest.raises(SignallingUnavailable, match="has ended"):
                await RelaySignalling(connection).__aenter__()

    run(main)


def test_cancelling_the_opening_leaves_nothing() -> None:
    async def main() -> None:
        async def handler(connection: Any) -> None:
            async for _ in connection:
                pass

        async with (
            gns_py.asyncio.serve(handler, "127.0.0.1", 0) as server,
            gns_py.asyncio.connect(*server.address) as connection,
        ):
            opening = asyncio.ensure_future(RelaySignalling(connection).__aenter__())
            await asyncio.sleep(0.1)
            opening.cancel()
            await asyncio.wait({opening})
            assert opening.cancelled()
            diversion = connection.divertible().diversion
            assert diversion is not None
            assert not diversion.is_needed()

    run(main)


async def up_to_the_end(signalling: RelaySignalling) -> AsyncIterator[Signal]:
    with contextlib.suppress(SignallingRefused):
        async for signal in signalling:
            yield signal


def test_what_a_bad_relay_sends_is_ignored_or_ends_it() -> None:
    async def main() -> None:
        ends: list[Any] = []
        async with (
            relay_server(gns_py.asyncio, ends=ends) as (_, address),
            logged_in(gns_py.asyncio, address, "alice") as connection,
            RelaySignalling(connection) as alice,
        ):
            for data in (b"", b"\1", bytes(100), wire.Ping(1).encode(), wire.Send(ALICE, b"x").encode(), bytes(16_300)):
                ends[0].send(datagrams.PREFIX + data, reliable=False)
            ends[0].send(datagrams.wrap(wire.Error(1, 5, "of a request")), reliable=False)
            for _ in range(1000):
                ends[0].send(datagrams.wrap(wire.Received(BOB, b"flood")), reliable=False)
            ends[0].send(b"for the application")
            assert await soon(connection.recv()) == b"for the application"
            ends[0].send(datagrams.wrap(wire.Welcome(BOB, 4096, None)), reliable=False)
            await eventually_true(lambda: repr(alice).endswith(" closed>"))
            got = [signal async for signal in up_to_the_end(alice)]
            assert 1 <= len(got) <= 64
            with pytest.raises(SignallingRefused) as caught:
                await anext(alice)
            assert caught.value.reason is Refusal.NOT_AUTHENTICATED

    run(main)


# ---- outages ---------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def behind_a_network(loss: float = 0.0) -> AsyncIterator[tuple[Any, RelaySignalling, RelaySignalling, Relay]]:
    """Yield alice's session, through a network that can be cut, her signalling and bob's, and the network."""
    api = gns_py.session.asyncio
    settings = SessionConfig(resume_window=30.0, ping_timeout=1.0, min_ping_timeout=0.1)
    async with relay_server(api, listen={"config": QUICK, "session_config": settings}) as (_, address):
        with Relay(address) as network:
            network.loss = loss
            through = Address("127.0.0.1", network.port)
            async with (
                logged_in(api, through, "alice", config=QUICK, session_config=settings) as session,
                RelaySignalling(session) as alice,
                relayed(api, address, "bob") as bob,
            ):
                yield session, alice, bob, network


def test_a_session_that_resumes() -> None:
    async def main() -> None:
        async with behind_a_network() as (session, alice, bob, network):
            for round_ in range(2):
                await alice.send(BOB, b"before")
                assert await next_signal(bob) == Signal(ALICE, b"before")
                network.is_cut = True
                await eventually_true(lambda: not session.is_connected)
                await alice.send(BOB, b"in the outage")
                await bob.send(ALICE, b"lost, perhaps")
                network.is_cut = False
                assert await next_signal(bob) == Signal(ALICE, b"in the outage")
                assert session.drops >= round_ + 1
                while True:
                    await bob.send(ALICE, b"after")
                    with contextlib.suppress(asyncio.TimeoutError):
                        if (await asyncio.wait_for(anext(alice), 0.3)).data == b"after":
                            break
                session.send(b"the application")
                assert await soon(session.recv()) == b"echo of the application"

    run(main)


def test_reconnecting_again_and_again_in_the_middle_of_signalling() -> None:
    async def main() -> None:
        async with behind_a_network() as (session, alice, bob, _):
            got: list[bytes] = []

            async def read() -> None:
                while True:
                    got.append((await anext(bob)).data)

            reading = asyncio.ensure_future(read())
            for number in range(30):
                if number % 5 == 0:
                    session.reconnect()
                await alice.send(BOB, b"%d" % number)
                session.send(b"message %d" % number)
                await asyncio.sleep(0.06)
            for number in range(30):
                assert await soon(session.recv()) == b"echo of message %d" % number
            await alice.send(BOB, b"last")
            await eventually_true(lambda: b"last" in got)
            assert len(set(got)) >= 20
            reading.cancel()
            await asyncio.wait({reading})

    run(main)


def test_a_bad_network() -> None:
    async def main() -> None:
        async with behind_a_network(loss=0.3) as (session, alice, bob, _):
            got = 0
            for number in range(20):
                await alice.send(BOB, b"%d" % number)
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(anext(bob), 0.5)
                    got += 1
            assert got >= 5
            session.send(b"the application")
            assert await soon(session.recv()) == b"echo of the application"

    run(main)


# ---- threads ---------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def sync_server(api: Any) -> Iterator[Any]:
    """Run a game's server of threads."""
    relay = ServerRelay()

    def handler(connection: Any) -> None:
        relay.add(connection, f"str:{connection.recv(TIMEOUT).decode()}", groups=[1])
        connection.send(b"welcome")
        for data in connection:
            connection.send(b"echo of " + data)

    with api.serve(handler, "127.0.0.1", 0) as server:
        yield server


@contextlib.contextmanager
def client(api: Any, address: Address, name: str) -> Iterator[Any]:
    with api.connect(*address) as connection:
        connection.send(name.encode())
        assert connection.recv(TIMEOUT) == b"welcome"
        yield connection


@by_sync_api
def test_threads_that_do_not_read(api: ModuleType) -> None:
    with (
        sync_server(api) as server,
        client(api, server.address, "alice") as alices,
        client(api, server.address, "bob") as bobs,
        BlockingSignalling(RelaySignalling(alices)) as alice,
        BlockingSignalling(RelaySignalling(bobs)) as bob,
    ):
        assert (alice.identity, bob.identity) == (ALICE, BOB)
        for number in range(5):
            alice.send(BOB, b"%d" % number)
            assert bob.recv(TIMEOUT) == Signal(ALICE, b"%d" % number)
            bob.send(ALICE, b"%d" % number)
            assert alice.recv(TIMEOUT) == Signal(BOB, b"%d" % number)
        alices.send(b"x")
        assert alices.recv(TIMEOUT) == b"echo of x"


@by_sync_api
def test_threads_that_read(api: ModuleType) -> None:
    with (
        sync_server(api) as server,
        client(api, server.address, "alice") as alices,
        client(api, server.address, "bob") as bobs,
        BlockingSignalling(RelaySignalling(alices)) as alice,
        BlockingSignalling(RelaySignalling(bobs)) as bob,
    ):
        got: list[bytes] = []

        def read() -> None:
            while (data := alices.recv(TIMEOUT)) != b"echo of last":
                got.append(data)

        thread = threading.Thread(target=read)
        thread.start()
        polled: list[Any] = []
        for number in range(20):
            bob.send(ALICE, b"%d" % number)
            assert alice.recv(TIMEOUT) == Signal(BOB, b"%d" % number)
            alice.send(BOB, b"%d" % number)
            eventually(lambda: has_signal(bobs, polled, bob), TIMEOUT)
            alices.send(b"%d" % number)
        alices.send(b"last")
        thread.join(TIMEOUT)
        assert got == [b"echo of %d" % number for number in range(20)]
        assert polled == []


def has_signal(connection: Any, polled: list[Any], bob: BlockingSignalling) -> bool:
    polled += connection.poll(0.0)
    with contextlib.suppress(TimeoutError):
        return bob.recv(0) is not None
    return False


@by_sync_api
def test_the_end_of_a_connection_of_threads(api: ModuleType) -> None:
    with (
        sync_server(api) as server,
        client(api, server.address, "alice") as alices,
        BlockingSignalling(RelaySignalling(alices)) as alice,
    ):
        server.close()
        with pytest.raises(SignallingUnavailable, match="has ended"):
            alice.recv(TIMEOUT)
