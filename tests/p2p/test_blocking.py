"""BlockingPeer: connections and sessions from peer to peer, for threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.meeting import Meeting, meeting

import gns_py
import gns_py.session.sync as sessions
import gns_py.sync as gns
from gns_py import Identity, InvalidStateError
from gns_py.p2p import BlockingPeer, Route
from gns_py.p2p.signalling import LineSignalling, MemoryHub, MemorySignalling, SignallingClosed, SignallingUnavailable

ALICE, BOB = Identity.string("alice"), Identity.string("bob")


@pytest.fixture(autouse=True)
def _stopped() -> Iterator[None]:
    gns_py.stop(linger=0)
    yield
    gns_py.stop(linger=0)


@pytest.fixture
def others(tmp_path: Path) -> Iterator[Meeting]:
    with meeting(tmp_path) as found:
        yield found


def alice(others: Meeting, **named: Any) -> BlockingPeer:
    return BlockingPeer(LineSignalling("127.0.0.1", others.port, ALICE), **named)


def memory() -> BlockingPeer:
    return BlockingPeer(lambda: MemorySignalling(MemoryHub(), ALICE))


def test_connections_and_sessions(others: Meeting) -> None:
    others.partner()
    with alice(others) as peer:
        assert peer.identity == ALICE == gns_py.local_identity()
        with gns.connect(peer.at(BOB)) as connection, sessions.connect(peer.at(BOB, 1)) as session:
            for end in (connection, session):
                end.send(b"hello")
                assert end.recv(timeout=10.0) == b"hello"
                assert end.route is Route.LOCAL


def test_a_poll_loop(others: Meeting) -> None:
    with alice(others) as peer, gns.listen(peer, 5) as socket:
        partner = others.partner("str:bob", "str:alice")
        is_answered = False
        while not is_answered:
            for event in socket.poll(10.0):
                match event:
                    case gns_py.ConnectionRequest():
                        event.accept()
                    case gns_py.MessageReceived(connection, message):
                        connection.send(message.data)
                        is_answered = True
        assert partner.line() == "from str:bob"


def test_a_server(others: Meeting) -> None:
    served = threading.Event()

    def serve(connection: gns.Connection) -> None:
        for message in connection:
            connection.send(message)
            served.set()

    with alice(others) as peer, gns.serve(serve, peer, 5):
        partner = others.partner("str:bob", "str:alice")
        assert partner.line() == "from str:bob"
        assert served.wait(10.0)


def test_the_signalling_is_closed_with_it() -> None:
    with memory() as peer:
        signalling = peer.signalling
        assert peer.run(signalling.send(BOB, b"x")) is None
    with pytest.raises(SignallingClosed):
        peer.run(signalling.send(BOB, b"x"))
    with pytest.raises(InvalidStateError, match="the peer is closed"):
        gns.connect(peer.at(BOB))
    with pytest.raises(RuntimeError, match="once"):
        peer.__enter__()


def test_it_is_used_before_its_block() -> None:
    peer = memory()
    with pytest.raises(InvalidStateError, match="with block"):
        gns.connect(peer.at(BOB))
    with pytest.raises(InvalidStateError, match="with block"):
        gns.listen(peer, 0)
    for connect in (gns.connect, sessions.connect):
        with pytest.raises(TypeError, match=r"peer\.at\("):
            connect(peer)  # type: ignore[arg-type]
    assert not gns_py.is_running()
    with peer:  # GNS would otherwise run under another identity by now
        assert peer.identity == ALICE


@pytest.mark.parametrize("connect", [gns.connect, sessions.connect])
@pytest.mark.parametrize("port", [(), (0,), (5,)])
def test_one_connects_to_an_address_not_to_a_peer(connect: Callable[..., object], port: tuple[int, ...]) -> None:
    with memory() as peer, pytest.raises(TypeError, match=r"peer\.at\("):
        connect(peer, *port)


def test_what_is_no_signalling() -> None:
    for wrong in (None, "str:alice", MemorySignalling):
        with pytest.raises(TypeError, match="signalling"):
            BlockingPeer(wrong)  # type: ignore[arg-type]


def test_a_signalling_that_cannot_be_opened_leaves_nothing() -> None:
    before = threading.active_count()
    with pytest.raises(SignallingUnavailable), BlockingPeer(LineSignalling("127.0.0.1", 1, ALICE, timeout=1.0)):
        pass
    assert threading.active_count() == before


def test_gns_runs_under_another_identity() -> None:
    gns_py.start(BOB)
    with pytest.raises(InvalidStateError), memory():
        pass
