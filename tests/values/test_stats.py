"""The measurements of a connection."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from support import eventually

import gns_py
import gns_py.sync as gns
from gns_py import Config, ConnectionInfo, ConnectionState, ConnectionStatus, LaneStatus, SendQueue
from gns_py.sync import Connection, ConnectionClosedOK, ListenSocket

PairMaker = Callable[..., tuple[Connection, Connection]]


def test_before_it_is_connected_nothing_is_known(listener: ListenSocket) -> None:
    with gns.connect("127.0.0.1", listener.address.port, wait=False) as client:
        status = client.stats()
        assert status.state is ConnectionState.CONNECTING
        assert (status.quality_local, status.quality_remote) == (None, None)
        assert status.queue_time_us is None
        client.send(bytes(100))
        client.send(bytes(50), reliable=False)
        eventually(lambda: client.stats().pending_reliable + client.stats().pending_unreliable >= 150)
        assert 100 <= client.stats().pending_reliable < 120
        assert 50 <= client.stats().pending_unreliable < 70


def test_the_ping_is_measured_in_milliseconds(make_pair: PairMaker, process_config: Callable[[Config], None]) -> None:
    process_config(Config(fake_packet_lag_send=40))
    client, server = make_pair()
    for _ in range(3):
        client.send(b"?", nagle=False)
        server.send(b"!", nagle=False)
        client.recv(timeout=5.0)
        server.recv(timeout=5.0)
    ping = eventually(lambda: client.stats().ping_ms)
    assert ping is not None
    assert 75 <= ping < 300  # 40 there, 40 back


def test_what_waits_is_counted_and_says_how_long(make_pair: PairMaker) -> None:
    client, _ = make_pair(Config(send_rate_min=10_000, send_rate_max=10_000))
    client.configure_lanes([0, 1])
    for _ in range(10):
        client.send(bytes(1000), lane=0)
        client.send(bytes(1000), lane=1)
    client.send(bytes(300), reliable=False, lane=1)
    eventually(lambda: client.stats().pending_unreliable > 0, what="the last one's hand-over to GNS")
    status, lanes = client.stats(), client.lane_stats()
    assert 10_000 < status.pending_reliable + status.sent_unacked_reliable <= 21_000
    assert status.pending_unreliable >= 300
    assert status.queue_time_us is None  # each lane has its own
    assert len(lanes) == 2
    assert all(isinstance(lane, LaneStatus) for lane in lanes)
    assert sum(lane.pending_reliable for lane in lanes) <= status.pending_reliable
    assert lanes[1].pending_unreliable >= 300
    assert lanes[0].queue_time_us is not None
    assert lanes[1].queue_time_us is not None
    assert 300_000 < lanes[0].queue_time_us < lanes[1].queue_time_us < 5_000_000
    client.close(linger=False)


def test_the_queue_time_of_a_single_lane(make_pair: PairMaker) -> None:
    client, _ = make_pair(Config(send_rate_min=10_000, send_rate_max=10_000))
    for _ in range(10):
        client.send(bytes(1000))
    # The pump may have handed over only some of them.
    queue_time = eventually(lambda: (found := client.stats().queue_time_us or 0) > 500_000 and found)
    assert queue_time < 2_000_000
    client.close(linger=False)


def test_when_all_has_arrived_nothing_waits(pair: tuple[Connection, Connection]) -> None:
    client, _ = pair
    client.send_many([bytes(1000)] * 20)
    eventually(lambda: client.send_queue().messages == 0)
    eventually(lambda: client.stats().sent_unacked_reliable == 0)
    status = client.stats()
    assert (status.pending_reliable, status.pending_unreliable) == (0, 0)
    assert client.send_queue()[:3] == (0, 0, 0)


def test_after_the_end_the_last_ones_stay_until_it_is_closed(pair: tuple[Connection, Connection]) -> None:
    client, server = pair
    client.close()
    server.wait_closed(timeout=5.0)
    assert server.stats().state is ConnectionState.CLOSED_BY_PEER
    assert server.lane_stats() == [LaneStatus(0, 0, 0, 0)]
    server.close()
    for ask in (server.stats, server.lane_stats, server.send_queue, server.details):
        with pytest.raises(ConnectionClosedOK):
            ask()


def test_rates_and_quality_come_with_traffic_and_losses_lower_the_quality(
    make_pair: PairMaker, process_config: Callable[[Config], None]
) -> None:
    client, server = make_pair(Config(send_rate_min=5_000_000, send_rate_max=5_000_000))
    process_config(Config(fake_packet_loss_send=30))
    ends = time.monotonic() + 12.0
    while True:
        client.send(bytes(1000), reliable=False, nagle=False)
        out, back = client.stats(), server.stats()
        if back.quality_local is not None and back.quality_local < 0.9 and out.out_bytes_per_second:
            break
        assert time.monotonic() < ends, (out, back)
        time.sleep(0.002)
    assert back.quality_local > 0.3
    assert out.send_rate == 5_000_000
    assert out.out_bytes_per_second > 500 * out.out_packets_per_second > 0
    assert 0 < back.in_packets_per_second < out.out_packets_per_second
    assert 0 < back.in_bytes_per_second < out.out_bytes_per_second
    assert out.max_jitter_us is None or out.max_jitter_us >= 0
    gns_py.reset_config()


@pytest.mark.parametrize("record", [ConnectionInfo, ConnectionStatus, LaneStatus, SendQueue])
def test_the_records_are_tuples_with_names(record: Any) -> None:
    made = record(*range(len(record._fields)))
    assert tuple(made) == tuple(range(len(record._fields)))
    assert made == made._replace()
    assert record._fields[0] in repr(made)
