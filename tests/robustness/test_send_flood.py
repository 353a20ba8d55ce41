"""400,000 small reliable messages, as fast as the library goes, to peers that do not take them.

GNS alone exits the process at 65,536 unacknowledged pieces on one connection. Memory: a queued 32-byte message costs
some 330 bytes here, and as much at the peer while it is unread; the bounds below allow three times that.
"""

from __future__ import annotations

import contextlib
import json
import struct
import subprocess
import time
from collections.abc import Callable

import psutil
import pytest

import gns_py.sync as gns

pytestmark = pytest.mark.slow

Process = subprocess.Popen[str]
INDEX = struct.Struct("<q")
PADDING = bytes(24)
TOTAL = 400_000
MIB = 1 << 20
# GNS ends a connection that has lost some 16,384 packets in a row: at this rate, if the peer is stopped for 20 seconds.
TO_STOPPED = gns.Config(send_rate_min=1_000_000, send_rate_max=1_000_000)


def message(index: int) -> bytes:
    return INDEX.pack(index) + PADDING


def rss(process: int | None = None) -> int:
    return int(psutil.Process(process).memory_info().rss)


def send_all(connection: gns.Connection, first: int, end: int) -> int:
    """Send the messages from first to end, waiting where necessary; return how often the queue was full."""
    full = 0
    for index in range(first, end):
        while True:
            try:
                connection.send(message(index))
                break
            except gns.SendQueueFull:
                full += 1
                connection.drain(timeout=40)
    return full


def flood(connection: gns.Connection) -> tuple[int, int]:
    """Try to send all messages without waiting; return how many were accepted and how many refused."""
    accepted = refused = 0
    for _ in range(TOTAL):
        try:
            connection.send(message(accepted))
            accepted += 1
        except gns.SendQueueFull:  # noqa: PERF203 - each one is the test
            refused += 1
    return accepted, refused


@pytest.mark.parametrize(
    ("segments", "loss", "more"), [(16_384, 0, 384_000), (16_384, 5, 100_000), (60_000, 0, 30_000)]
)
def test_connection_recovers_when_a_stopped_peer_goes_on(
    spawn: Callable[..., Process],
    bulk: Callable[..., gns.Config],
    simulate: Callable[..., None],
    segments: int,
    loss: int,
    more: int,
) -> None:
    if loss:
        simulate(fake_packet_loss_send=loss, fake_packet_loss_recv=loss)
    peer = spawn("peer.py", "read")
    assert peer.stdout is not None
    port = int(peer.stdout.readline())
    stopped = psutil.Process(peer.pid)
    config = bulk(max_unacked_segments=segments, timeout_connected=30_000) | TO_STOPPED
    with gns.connect("127.0.0.1", port, config=config) as connection:
        stopped.suspend()
        before = rss()
        peer_before = rss(peer.pid)
        accepted, refused = flood(connection)
        assert refused == TOTAL - accepted
        assert segments * 0.5 < accepted <= segments
        assert connection.send_queue().segments <= segments
        time.sleep(1.5)  # unacknowledged, GNS tries again and again
        assert connection.state is gns.ConnectionState.CONNECTED
        assert rss() - before < accepted * 1000 + 8 * MIB
        stopped.resume()
        connection.set_config(bulk())
        send_all(connection, accepted, accepted + more)
        assert rss() - before < segments * 1000 + 8 * MIB
        assert rss(peer.pid) - peer_before < 128 * MIB
        simulate(fake_packet_loss_send=0, fake_packet_loss_recv=0)  # GNS says goodbye once: it must not get lost
        connection.close(1000, "all sent")
    result, _ = peer.communicate(timeout=40)
    assert json.loads(result) == {
        "count": accepted + more,
        "broken": None,
        "by": "PEER",
        "code": 1000,
        "text": "all sent",
    }


@pytest.mark.parametrize("segments", [16_384, 60_000])
def test_connection_to_a_peer_that_stays_stopped_ends_with_a_reason(
    spawn: Callable[..., Process], bulk: Callable[..., gns.Config], segments: int
) -> None:
    peer = spawn("peer.py", "read")
    assert peer.stdout is not None
    port = int(peer.stdout.readline())
    stopped = psutil.Process(peer.pid)
    with gns.connect(
        "127.0.0.1", port, config=bulk(max_unacked_segments=segments, timeout_connected=1000)
    ) as connection:
        stopped.suspend()
        before = rss()
        with contextlib.suppress(gns.ConnectionClosedError):  # on a slow machine, before all were tried
            flood(connection)
        end = connection.wait_closed(timeout=90)
        assert (end.closed_by.name, end.code) == ("PROBLEM", gns.EndReason.MISC_TIMEOUT)
        assert connection.state is gns.ConnectionState.PROBLEM_DETECTED_LOCALLY
        assert end.can_retry
        with pytest.raises(gns.ConnectionClosedError):
            connection.send(message(0))
        assert rss() - before < segments * 1000 + 8 * MIB


def test_peer_whose_application_never_reads_ends_the_connection(
    spawn: Callable[..., Process], bulk: Callable[..., gns.Config]
) -> None:
    peer = spawn("peer.py", "deaf")
    assert peer.stdout is not None
    port = int(peer.stdout.readline())
    with gns.connect("127.0.0.1", port, config=bulk()) as connection:
        before = rss()
        peer_before = rss(peer.pid)
        with pytest.raises(gns.ConnectionClosedError):
            send_all(connection, 0, TOTAL)
        end = connection.wait_closed(timeout=5)
        assert (end.closed_by.name, end.code) == ("PEER", gns.EndReason.MESSAGE_QUEUE_LIMIT_REACHED)
        assert connection.state is gns.ConnectionState.CLOSED_BY_PEER
        assert rss() - before < 32 * MIB
        assert rss(peer.pid) - peer_before < 64 * MIB
    result, _ = peer.communicate("read\n", timeout=20)
    # The bound is recv_queue_messages by default, then the reason.
    assert json.loads(result) == {
        "count": 65_536,
        "broken": None,
        "by": "PROBLEM",
        "code": 2003,
        "text": "the reader was too slow: its receive queue is full",
    }


@pytest.mark.parametrize(
    ("segments", "loss", "count"), [(16_384, 0, TOTAL), (60_000, 0, 150_000), (16_384, 2, 200_000)]
)
def test_all_messages_arrive_in_order_at_a_peer_that_reads(
    spawn: Callable[..., Process],
    bulk: Callable[..., gns.Config],
    simulate: Callable[..., None],
    segments: int,
    loss: int,
    count: int,
) -> None:
    if loss:
        simulate(fake_packet_loss_send=loss, fake_packet_loss_recv=loss)
    peer = spawn("peer.py", "read")
    assert peer.stdout is not None
    port = int(peer.stdout.readline())
    with gns.connect(
        "127.0.0.1", port, config=bulk(max_unacked_segments=segments, timeout_connected=30_000)
    ) as connection:
        before = rss()
        send_all(connection, 0, count)
        assert rss() - before < segments * 1000 + 8 * MIB
        simulate(fake_packet_loss_send=0, fake_packet_loss_recv=0)  # GNS says goodbye once: it must not get lost
        connection.close(1000, "all sent")
    result, _ = peer.communicate(timeout=40)
    outcome = json.loads(result)
    assert (outcome["count"], outcome["broken"], outcome["code"]) == (count, None, 1000)


def test_flood_before_the_connection_is_established_is_bounded_and_delivered(
    spawn: Callable[..., Process], bulk: Callable[..., gns.Config]
) -> None:
    peer = spawn("peer.py", "read")
    assert peer.stdout is not None
    port = int(peer.stdout.readline())
    stopped = psutil.Process(peer.pid)
    stopped.suspend()
    with gns.connect("127.0.0.1", port, config=bulk(timeout_initial=30_000), wait=False) as connection:
        accepted, refused = flood(connection)
        assert connection.state is gns.ConnectionState.CONNECTING
        assert refused == TOTAL - accepted
        assert connection.send_queue().segments <= 16_384
        stopped.resume()
        connection.drain(timeout=20)
        send_all(connection, accepted, accepted + 1000)
        connection.close(1000, "all sent")
    result, _ = peer.communicate(timeout=20)
    outcome = json.loads(result)
    assert (outcome["count"], outcome["broken"], outcome["code"]) == (accepted + 1000, None, 1000)
