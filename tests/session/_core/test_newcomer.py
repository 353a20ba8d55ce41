"""A connection on which a session may go on: its mark comes after everything that the old connection brings."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support import eventually
from support.plain import Ends, endpoint_of

import gns_py.sync as gns
from gns_py import ClosedBy, ConnectionEnd
from gns_py.session import CloseReason
from gns_py.session._core.newcomer import Newcomer
from gns_py.session._core.transport import ConnectionTransport
from gns_py.session.protocol.frames import Data, Keyed, Ping, Untracked

Pair = tuple[gns.Connection, gns.Connection]


class Recorder:
    """An adopter that records what it is told."""

    def __init__(self) -> None:
        self.told: list[Newcomer | ConnectionEnd] = []

    def adopt(self, newcomer: Newcomer) -> None:
        """See Adopter."""
        self.told.append(newcomer)

    def lose(self, newcomer: Newcomer, end: ConnectionEnd) -> None:  # noqa: ARG002
        """See Adopter."""
        self.told.append(end)


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Yield a pair of connections in memory."""
    ends = gns.socket_pair()
    yield ends
    for end in ends:
        end.close()


def attach(connection: gns.Connection) -> tuple[Newcomer, Recorder]:
    """Return a newcomer that receives the events of a connection, and its adopter."""
    adopter = Recorder()
    newcomer = Newcomer(adopter, connection)
    newcomer.endpoint.attach(newcomer)
    return newcomer, adopter


def read(newcomer: Newcomer) -> bool:
    return newcomer.endpoint.mailbox.receive(0.0)


def test_the_mark_comes_after_what_the_old_connection_has_brought(plain_ends: Ends, pair: Pair) -> None:
    endpoint = endpoint_of(plain_ends.server)
    newcomer, adopter = attach(pair[0])
    for number in range(100):
        plain_ends.client.send(b"%d" % number)
    newcomer.endpoint.move_to(endpoint.mailbox, None)
    assert adopter.told == []
    newcomer.ask_for_mark()
    eventually(lambda: endpoint.mailbox.receive(0.0) and adopter.told)
    assert adopter.told == [newcomer]
    assert len(endpoint.inbox) == 100


@pytest.mark.parametrize(
    "frame", [Data(1, b"x"), Untracked(b"x"), Keyed(b"key", b"x"), Ping(1)], ids=lambda frame: type(frame).__name__
)
@pytest.mark.parametrize("unpacks", [False, True])
def test_a_peer_that_does_not_wait_is_refused(
    pair: Pair, frame: Data | Untracked | Keyed | Ping, unpacks: bool
) -> None:
    newcomer, adopter = attach(pair[0])
    transport = ConnectionTransport(pair[0])
    if unpacks:
        transport.begin(1000, 10_000, 10)
    reliable = not isinstance(frame, Untracked | Keyed)
    for _ in range(2):
        pair[1].send(frame.encode(), reliable=reliable, nagle=False)
    eventually(lambda: read(newcomer) and adopter.told)
    code = CloseReason.INVALID_INBOUND_MESSAGE.native_code
    # It may hear of it again, for a message that was dispatched together with the first.
    assert {(end.closed_by, end.code) for end in adopter.told if isinstance(end, ConnectionEnd)} == {
        (ClosedBy.LOCAL, code)
    }
    assert pair[1].wait_closed(timeout=5.0).code == code
    told = list(adopter.told)
    read(newcomer)
    assert adopter.told == told


@pytest.mark.parametrize("asks", ["before the end", "after the end"])
def test_a_connection_that_ends_is_lost(pair: Pair, asks: str) -> None:
    newcomer, adopter = attach(pair[0])
    pair[1].close(1234, "changed my mind")
    if asks == "after the end":
        eventually(lambda: newcomer.endpoint.current_end() is not None)
        newcomer.ask_for_mark()  # raises nothing
    eventually(lambda: read(newcomer) and adopter.told)
    (end,) = adopter.told
    assert isinstance(end, ConnectionEnd)
    assert (end.closed_by, end.code, end.text) == (ClosedBy.PEER, 1234, "changed my mind")
