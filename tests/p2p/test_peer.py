"""Peer: connections and sessions from peer to peer, in asyncio."""

from __future__ import annotations

import asyncio
import copy
import logging
import pickle
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from support.loops import LOOPS, Main, new_loop, run_in
from support.meeting import Meeting, meeting

import gns_py
import gns_py.asyncio as gns
import gns_py.session.asyncio as sessions
import gns_py.sync
from gns_py import Config, ConnectionState, ConnectTimeout, Identity, InvalidStateError
from gns_py.p2p import IceServers, Peer, PeerAddress, Route
from gns_py.p2p.signalling import (
    LineSignalling,
    MemoryHub,
    MemorySignalling,
    Signal,
    SignallingClosed,
    WebSocketSignalling,
)

ALICE, BOB = Identity.string("alice"), Identity.string("bob")
NO_ROUTE = "Reflexive candidates enabled|Relay candidates enabled"

pytestmark = pytest.mark.usefixtures("stopped")


@pytest.fixture
def stopped() -> Iterator[None]:
    """Stop GNS before and after a test, since each peer starts it under its identity."""
    gns_py.stop(linger=0)
    yield
    gns_py.stop(linger=0)


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Callable[[Main], None]:
    return lambda main: run_in(new_loop(request.param), main, debug=False)


@pytest.fixture
def others(tmp_path: Path) -> Iterator[Meeting]:
    with meeting(tmp_path) as found:
        yield found


@asynccontextmanager
async def alice(others: Meeting, **named: Any) -> AsyncIterator[Peer]:
    async with LineSignalling("127.0.0.1", others.port, ALICE) as signalling, Peer(signalling, **named) as peer:
        yield peer


def test_a_connection(run: Callable[[Main], None], others: Meeting) -> None:
    others.partner()
    states: list[ConnectionState] = []

    async def main() -> None:
        async with (
            alice(others) as peer,
            gns.connect(peer.at("str:bob"), on_status_changed=lambda change: states.append(change.new)) as connection,
        ):
            assert connection.route is Route.LOCAL
            assert connection.remote_identity == BOB
            assert connection.remote_address is not None
            connection.send(b"hello")
            assert await connection.recv() == b"hello"

    run(main)
    assert states[:3] == [ConnectionState.CONNECTING, ConnectionState.FINDING_ROUTE, ConnectionState.CONNECTED]


def test_texts_name_the_peer_with_and_without_a_route(others: Meeting) -> None:
    others.partner()
    texts: list[str] = []

    async def main() -> None:
        async with alice(others) as peer:
            note = lambda change: texts.append(repr(change.connection))  # noqa: E731
            async with gns.connect(peer.at(BOB), on_status_changed=note) as connection:
                assert repr(connection).endswith("Connection str:bob CONNECTED>")
            async with sessions.connect(peer.at(BOB, 1)) as session:
                assert repr(session).endswith("Session str:bob established>")

    asyncio.run(main())
    assert texts[0].endswith("Connection str:bob CONNECTING>")
    assert texts[1].endswith("Connection str:bob FINDING_ROUTE>")


def test_messages_before_there_is_a_route_arrive(others: Meeting) -> None:
    others.partner()

    async def main() -> None:
        async with alice(others) as peer:
            sent = []

            def send_early(change: gns_py.StatusChanged[Any]) -> None:
                if change.new in (ConnectionState.CONNECTING, ConnectionState.FINDING_ROUTE):
                    sent.append(b"%d" % change.new)
                    change.connection.send(sent[-1])

            async with gns.connect(peer.at(BOB), on_status_changed=send_early) as connection:
                assert len(sent) == 2
                assert [await connection.recv() for _ in sent] == sent

    asyncio.run(main())


def test_it_accepts_connections(run: Callable[[Main], None], others: Meeting) -> None:
    async def main() -> None:
        async def echo(connection: gns.Connection) -> None:
            async for message in connection:
                served.append((connection.remote_identity, connection.route))
                connection.send(message)

        served: list[tuple[Identity, Route]] = []
        async with alice(others) as peer, gns.serve(echo, peer, 5) as server:
            assert server.address == ("str:alice", 5)
            partner = await asyncio.to_thread(others.partner, "str:bob", "str:alice")
            assert await asyncio.to_thread(partner.line) == "from str:bob"
            assert served == [(BOB, Route.LOCAL)]

    run(main)


def test_requests_can_be_rejected(others: Meeting) -> None:
    async def main() -> None:
        async with alice(others) as peer, gns.listen(peer, 5) as socket:
            partner = await asyncio.to_thread(others.partner, "str:bob", "str:alice")
            request = await anext(socket)
            assert request.connection.remote_identity == BOB
            request.reject(1001, "not today")
            code = await asyncio.to_thread(partner.wait)
            assert code == 1
            assert "not today" in partner.stderr

    asyncio.run(main())


def test_a_session_goes_on_over_another_route(run: Callable[[Main], None], others: Meeting) -> None:
    others.partner()

    async def main() -> None:
        async with alice(others) as peer, sessions.connect(peer.at(BOB, 1)) as session:
            session.send(b"before")
            assert await session.recv() == b"before"
            session.reconnect()
            session.send(b"after")
            assert await session.recv() == b"after"
            assert session.drops == 1
            assert session.route is Route.LOCAL

    run(main)


def test_a_session_has_several_peers_to_go_to(others: Meeting) -> None:
    others.partner("str:carol")

    async def main() -> None:
        async with alice(others) as peer:
            async with sessions.connect(lambda: peer.at("str:carol", 1)) as session:
                session.send(b"hello")
                assert await session.recv() == b"hello"
            where = [peer.at(BOB, 1), peer.at("str:carol", 1)]
            async with sessions.connect(where, timeout=10.0) as session:
                session.send(b"hello")
                assert await session.recv() == b"hello"
                assert session.remote_identity == Identity.string("carol")

    asyncio.run(main())


def test_threads_connect_to_its_peers(others: Meeting) -> None:
    others.partner()

    def talk(address: PeerAddress) -> None:
        with gns_py.sync.connect(address) as connection:
            connection.send(b"hello")
            assert connection.recv(timeout=10.0) == b"hello"
            assert connection.route is Route.LOCAL

    async def main() -> None:
        async with alice(others) as peer:
            await asyncio.to_thread(talk, peer.at(BOB))

    asyncio.run(main())


def test_nobody_answers(others: Meeting) -> None:
    async def main() -> None:
        async with alice(others) as peer:
            with pytest.raises(ConnectTimeout):
                await gns.connect(peer.at("str:nobody"), timeout=0.5)

    asyncio.run(main())


def test_established_connections_outlive_the_peer(others: Meeting) -> None:
    others.partner()

    async def main() -> None:
        async with alice(others) as peer:
            connection = await gns.connect(peer.at(BOB))
        async with connection:
            connection.send(b"hello")
            assert await connection.recv() == b"hello"
        with pytest.raises(InvalidStateError, match="the peer is closed"):
            await gns.connect(peer.at(BOB))

    asyncio.run(main())


# ---- without another peer ----


def memory(**named: Any) -> Peer:
    return Peer(MemorySignalling(MemoryHub(), ALICE), **named)


def test_addresses() -> None:
    async def main() -> None:
        async with memory() as peer:
            assert peer.at("str:bob") == peer.at(BOB, 0) == ("str:bob", 0)
            assert str(peer.at(BOB, 7)) == "str:bob port 7"
            assert peer.at(BOB).identity == BOB
            with pytest.raises(ValueError, match="not an identity"):
                peer.at("bob")
            with pytest.raises(ValueError, match="invalid identity"):
                peer.at("invalid")
            with pytest.raises(TypeError, match="identity must be"):
                peer.at(7)  # type: ignore[arg-type]
            for port in (-1, 65_536):
                with pytest.raises(ValueError, match="port"):
                    peer.at(BOB, port)
            with pytest.raises(TypeError, match="has its port"):
                gns.connect(peer.at(BOB), 7)
            assert copy.deepcopy(peer.at(BOB)) == peer.at(BOB)
            with pytest.raises(TypeError, match="pickled"):
                pickle.dumps(peer.at(BOB))

    asyncio.run(main())


def test_arguments() -> None:
    with pytest.raises(TypeError, match="port is missing"):
        gns.connect("127.0.0.1")

    async def main() -> None:
        with pytest.raises(TypeError):
            memory(ice_servers="stun.example.org")
        with pytest.raises(TypeError):
            memory(on_route_changed=main)
        for wrong in (None, "str:alice", MemorySignalling):
            with pytest.raises(TypeError, match="signalling"):
                Peer(wrong)  # type: ignore[arg-type]

    asyncio.run(main())


def test_it_is_used_before_its_block() -> None:
    async def main() -> None:
        peer = memory()
        with pytest.raises(InvalidStateError, match="async with"):
            await gns.connect(peer.at(BOB))
        with pytest.raises(InvalidStateError, match="async with"):
            await gns.listen(peer, 0)
        assert not gns_py.is_running()
        async with peer:  # GNS would otherwise run under another identity by now
            assert peer.identity == ALICE

    asyncio.run(main())


@pytest.mark.parametrize("connect", [gns.connect, sessions.connect])
@pytest.mark.parametrize("port", [(), (0,), (5,)])
def test_one_connects_to_an_address_not_to_a_peer(connect: Callable[..., object], port: tuple[int, ...]) -> None:
    async def main() -> None:
        async with memory() as peer:
            with pytest.raises(TypeError, match=r"peer\.at\("):
                connect(peer, *port)

    asyncio.run(main())


def test_it_can_be_shown_before_its_signalling_is_open() -> None:
    pytest.importorskip("websockets.asyncio")

    async def main() -> None:
        peer = Peer(WebSocketSignalling("ws://127.0.0.1:1", token="alice"))
        assert repr(peer) == "<gns_py.p2p.peer.Peer not open>"
        with pytest.raises(RuntimeError, match="async with"):
            await peer.__aenter__()
        async with memory() as peer:
            assert repr(peer) == "<gns_py.p2p.peer.Peer str:alice open>"
        assert repr(peer) == "<gns_py.p2p.peer.Peer str:alice closed>"

    asyncio.run(main())


def test_it_starts_gns_under_its_identity() -> None:
    async def main() -> None:
        async with memory() as peer:
            assert gns_py.local_identity() == ALICE == peer.identity
            async with memory():  # the same identity
                pass
            with pytest.raises(InvalidStateError):
                async with Peer(MemorySignalling(MemoryHub(), BOB)):
                    pass
            with pytest.raises(InvalidStateError, match="once"):
                await peer.__aenter__()

    asyncio.run(main())


def test_gns_is_stopped_meanwhile() -> None:
    async def main() -> None:
        async with memory() as peer:
            gns_py.stop(linger=0)
            with pytest.raises(gns_py.NotRunningError):
                await gns.connect(peer.at(BOB), timeout=0.1)

    asyncio.run(main())


class Broken(MemorySignalling):
    """Its service fails."""

    async def send(self, to: Identity, signal: bytes) -> None:  # noqa: ARG002
        raise OSError("the service is gone")

    async def __aiter__(self) -> AsyncIterator[Signal]:  # type: ignore[override]
        await self.failing.wait()
        raise RuntimeError("it has failed")
        yield

    failing: asyncio.Event


def test_a_signalling_that_fails_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        signalling = Broken(MemoryHub(), ALICE)
        signalling.failing = asyncio.Event()
        async with Peer(signalling) as peer:
            with pytest.raises(ConnectTimeout):
                await gns.connect(peer.at(BOB), timeout=1.2)  # some signals
            signalling.failing.set()
            await asyncio.sleep(0.01)  # the task has to see it
            with pytest.raises(SignallingClosed) as raised:
                await gns.connect(peer.at(BOB), timeout=0.1)
            assert isinstance(raised.value.__cause__, RuntimeError)

    with caplog.at_level(logging.ERROR, "gns_py.p2p"):
        asyncio.run(main())
    assert [record.message.split("> ")[1] for record in caplog.records if record.name == "gns_py.p2p"] == [
        "does not send; that is not logged again",
        "has failed",
    ]


def test_the_first_signal_that_is_refused_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with memory() as peer:
            peer.receive(BOB, bytes(9000))
            peer.receive(BOB, b"not a signal")

    with caplog.at_level(logging.DEBUG, "gns_py.p2p"):
        asyncio.run(main())
    records = [record for record in caplog.records if record.name == "gns_py.p2p"]
    assert [record.levelno for record in records] == [logging.WARNING, logging.DEBUG]
    assert records[0].message == "a signal of str:bob is dropped: the signal is too large"


def test_servers_can_be_configured() -> None:
    async def main() -> None:
        servers = IceServers(stun=["127.0.0.1:1"])
        async with memory(ice_servers=servers) as peer:
            assert peer.servers.p2p_stun_server_list == "127.0.0.1:1"

    asyncio.run(main())


def test_options_of_the_application_go_first() -> None:
    async def main() -> None:
        async with memory() as peer, gns.listen(peer, 3, config=Config(p2p_transport_ice_enable=2)) as socket:
            assert socket.get_config(gns_py.ConfigValue.P2P_TRANSPORT_ICE_ENABLE) == 2

    asyncio.run(main())
