"""The transport under an engine, over a real connection: credit, holds, and what is left after the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support import eventually

import gns_py.sync as gns
from gns_py import MessageTooLarge
from gns_py.session._core.transport import ConnectionTransport
from gns_py.session.protocol.frames import Data, Ping, decode
from gns_py.session.protocol.transport import Hold

Ends = tuple[gns.Connection, gns.Connection]


@pytest.fixture
def connections() -> Iterator[Ends]:
    """Yield a pair of connections in memory."""
    ends = gns.socket_pair()
    yield ends
    for end in ends:
        end.close()


@pytest.fixture
def transport(connections: Ends) -> ConnectionTransport:
    """Return a transport that unpacks frames, and whose peer has given no credit yet."""
    transport = ConnectionTransport(connections[0])
    transport.begin(1000, 10_000, 10)
    return transport


def test_data_is_numbered_by_lane_within_the_credit(connections: Ends, transport: ConnectionTransport) -> None:
    connections[0].configure_lanes([0, 0])
    assert transport.send_data(b"no credit", 0, False) is None
    transport.allow(1000, 10_000, 3)
    assert [transport.send_data(b"x", lane, False) for lane in (0, 1, 0, 0)] == [1, 1, 2, None]
    assert transport.sent() == {0: 2, 1: 1}
    frames = [decode(connections[1].recv(timeout=5.0)) for _ in range(3)]
    assert sorted(frame.sequence for frame in frames if isinstance(frame, Data)) == [1, 1, 2]


def test_a_hold_does_not_hold_what_the_engine_sends(connections: Ends, transport: ConnectionTransport) -> None:
    transport.allow(1000, 10_000, 3)
    transport.set_hold(Hold.ALL)
    assert transport.send_data(b"x", 0, False) == 1
    assert transport.send(Ping(7).encode(), 0, True, False) > 0
    assert decode(connections[1].recv(timeout=5.0)) == Data(1, b"x")
    assert decode(connections[1].recv(timeout=5.0)) == Ping(7)


def test_frames_that_never_fit_are_refused(transport: ConnectionTransport) -> None:
    transport.allow(2**30, 2**30, 3)
    for send in (transport.send_data, lambda payload, lane, nagle: transport.send(payload, lane, True, nagle)):
        with pytest.raises(MessageTooLarge):
            send(bytes(2**20), 0, False)
    assert transport.sent() == {}


def test_it_measures_silence_and_what_is_outstanding(connections: Ends, transport: ConnectionTransport) -> None:
    assert transport.outstanding() == (0, 0)
    assert transport.grant(0) == (10_000, 10)
    connections[1].send(Ping(1).encode(), nagle=False)
    assert connections[0].recv(timeout=5.0) == Ping(1).encode()
    heard = transport.silence()
    assert 0.0 <= heard < 5.0
    eventually(lambda: transport.silence() > heard)


@pytest.mark.parametrize("closes", [0, 1], ids=["this end", "the peer"])
def test_nothing_fails_after_the_end(connections: Ends, transport: ConnectionTransport, closes: int) -> None:
    transport.allow(1000, 10_000, 10)
    assert [transport.send_data(b"x", 0, False) for _ in range(2)] == [1, 2]
    assert transport.sent() == {0: 2}
    connections[closes].close()
    connections[0].wait_closed(timeout=5.0)
    assert transport.send(Ping(1).encode(), 0, True, False) == 0
    assert transport.send_data(b"x", 0, False) is None
    assert transport.sent() == {0: 2}
    assert transport.outstanding() == (0, 0)
    assert transport.silence() >= 0.0
    transport.request_room_event()
    transport.allow(1, 1, 1)
    transport.set_hold(Hold.DATA)
    transport.close(1000, "", False)
