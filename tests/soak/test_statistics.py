"""A connection's figures, compared with what is known of its network: rates, queue times, jitter, history."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise

import pytest
from support import eventually

import gns_py
from gns_py import Config, ConnectionState
from gns_py.sync import Connection, ConnectionClosed, ConnectionClosedOK

pytestmark = pytest.mark.slow

RATE = 100_000
PairMaker = Callable[..., tuple[Connection, Connection]]


@pytest.fixture
def narrow(make_pair: PairMaker) -> tuple[Connection, Connection]:
    """Yield a connection whose every delay is known: it sends 100,000 bytes per second."""
    return make_pair(Config(send_rate_min=RATE, send_rate_max=RATE))


@pytest.mark.parametrize("waiting", [10, 40])
def test_the_queue_time_tells_when_the_next_message_leaves(narrow: tuple[Connection, Connection], waiting: int) -> None:
    client, server = narrow
    client.send_many([bytes(1000)] * waiting, reliable=False)
    predicted = eventually(lambda: client.stats().queue_time_us)
    assert predicted is not None
    asked = gns_py.time_us()
    client.send(b"the next one", reliable=False, nagle=False)
    while (message := server.recv_message(timeout=5.0)).data != b"the next one":
        pass
    assert message.received_us - asked == pytest.approx(predicted, abs=50_000)
    assert predicted == pytest.approx(1000 * waiting / RATE * 1e6, abs=100_000)


def test_both_ends_measure_the_rates_at_which_messages_go(pair: tuple[Connection, Connection]) -> None:
    client, server = pair
    next_tick = time.monotonic()
    ends = next_tick + 12.0
    while not ((out := client.stats()).out_bytes_per_second and (back := server.stats()).in_bytes_per_second):
        assert time.monotonic() < ends, "GNS measures for five seconds"
        client.send(bytes(1000), reliable=False, nagle=False)  # one packet
        next_tick += 0.005
        while (remaining := next_tick - time.monotonic()) > 0:
            server.poll(remaining)
    assert out.out_packets_per_second == pytest.approx(200, rel=0.1)
    assert back.in_packets_per_second == pytest.approx(200, rel=0.1)
    # The headers of GNS, of UDP and of IP count.
    assert 1020 < out.out_bytes_per_second / out.out_packets_per_second < 1100
    assert 1020 < back.in_bytes_per_second / back.in_packets_per_second < 1100


def test_a_new_send_rate_holds_at_once(narrow: tuple[Connection, Connection]) -> None:
    client, server = narrow
    client.send(bytes(400_000))
    eventually(lambda: (client.stats().queue_time_us or 0) > 3_000_000)
    client.set_config(Config(send_rate_min=20 * RATE, send_rate_max=20 * RATE))
    assert client.stats().send_rate == 20 * RATE
    begin = time.monotonic()
    assert len(server.recv(timeout=5.0)) == 400_000
    assert time.monotonic() - begin < 1.5  # instead of 4


def test_jitter_is_the_largest_since_the_last_look(
    make_pair: PairMaker, process_config: Callable[[Config], None]
) -> None:
    # Packets carry their time of sending only if asked to: otherwise jitter is measured now and then.
    client, server = make_pair(Config(send_time_since_previous_packet=1))

    def jitter() -> int:
        server.stats()
        for _ in range(60):
            client.send(b"tick", reliable=False, nagle=False)
            server.recv(timeout=5.0)
            time.sleep(0.005)
        return server.stats().max_jitter_us or 0

    steady = eventually(lambda: (found := jitter()) < 15_000 and found, 10.0, "a steady network")
    process_config(
        Config(fake_packet_jitter_send_avg=30, fake_packet_jitter_send_max=60, fake_packet_jitter_send_pct=50)
    )
    shaken = jitter()
    assert 20_000 < shaken < 100_000
    assert steady < shaken
    assert server.stats().max_jitter_us is None  # nothing has arrived since


def test_history_is_noted_however_busy_python_is(pair: tuple[Connection, Connection]) -> None:
    client, _ = pair
    assert client.history() == []
    client.start_history(interval=0.02, size=1000)
    busy_until = time.monotonic() + 0.6
    while time.monotonic() < busy_until:
        pass
    samples = client.history()
    assert 15 <= len(samples) <= 32
    assert all(sample.status.state is ConnectionState.CONNECTED for sample in samples)
    assert all((later.time_us - sooner.time_us) / 1e6 >= 0.009 for sooner, later in pairwise(samples))
    assert samples[-1].time_us == pytest.approx(gns_py.time_us(), abs=100_000)


def test_history_tells_how_a_queue_has_drained(narrow: tuple[Connection, Connection]) -> None:
    client, server = narrow
    client.start_history(interval=0.01, size=500)
    client.send(bytes(50_000))
    server.recv(timeout=5.0)
    queued = [sample for sample in client.history() if sample.status.pending_reliable]
    first, last = queued[0], queued[-1]
    sent = first.status.pending_reliable - last.status.pending_reliable
    assert sent > 30_000
    assert sent / (last.time_us - first.time_us) * 1e6 == pytest.approx(RATE, rel=0.15)
    assert all(a.status.pending_reliable >= b.status.pending_reliable for a, b in pairwise(queued))


def test_history_keeps_the_last_ones_until_it_is_told_otherwise(pair: tuple[Connection, Connection]) -> None:
    client, server = pair
    client.start_history(interval=0.001, size=5)
    eventually(lambda: len(client.history()) == 5)
    last = client.history()[-1]
    eventually(lambda: client.history()[0].time_us > last.time_us)
    assert len(client.history()) == 5
    client.start_history(size=0)
    assert client.history() == []
    client.start_history(interval=0.001, size=5)
    eventually(lambda: len(client.history()) == 5)
    server.close()
    client.wait_closed(timeout=5.0)
    assert len(client.history()) == 5
    client.close()
    for ask in (client.history, client.start_history):
        with pytest.raises(ConnectionClosed) as raised:
            ask()
        assert isinstance(raised.value, ConnectionClosedOK)


@pytest.mark.parametrize(
    ("interval", "size", "error"),
    [
        (0.0009, 10, ValueError),
        (86401, 10, ValueError),
        (float("nan"), 10, ValueError),
        ("1", 10, TypeError),
        (True, 10, TypeError),
        (1.0, -1, ValueError),
        (1.0, 1_000_001, ValueError),
        (1.0, 5.0, TypeError),
    ],
)
def test_a_history_that_cannot_be(
    pair: tuple[Connection, Connection], interval: float, size: int, error: type[Exception]
) -> None:
    with pytest.raises(error):
        pair[0].start_history(interval, size)
