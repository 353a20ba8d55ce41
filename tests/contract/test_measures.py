"""ping() and history(): what a connection measures on demand."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from support import PATIENCE, eventually

import gns_py
from gns_py import Config, ConnectionClosedOK, ConnectionState, Sample
from gns_py.sync import Connection

Pair = tuple[Connection, Connection]
ProcessConfig = Callable[[Config], None]


# ---- ping() ----------------------------------------------------------------------------------------------------------


def test_ping_takes_no_application_at_the_peer(pair: Pair) -> None:
    client, server = pair
    round_trips = [client.ping(timeout=5.0) for _ in range(5)]
    assert all(0 < each < 1.0 for each in round_trips)
    assert server.ping(timeout=5.0) < 1.0 * PATIENCE
    client.send(b"only this arrives")
    assert server.recv(timeout=5.0) == b"only this arrives"


def test_ping_measures_the_way_there_and_back(pair: Pair, process_config: ProcessConfig) -> None:
    process_config(Config(fake_packet_lag_send=60))
    assert 0.12 <= pair[0].ping(timeout=5.0) < 1.0 * PATIENCE


def test_ping_while_another_thread_reads(pair: Pair) -> None:
    client, server = pair
    received: list[bytes] = []
    thread = threading.Thread(target=lambda: received.append(client.recv(timeout=10.0)))
    thread.start()
    assert client.ping(timeout=5.0) < 1.0 * PATIENCE
    server.send(b"for the reader")
    thread.join()
    assert received == [b"for the reader"]


def test_several_may_ping_at_once(pair: Pair) -> None:
    round_trips: list[float] = []
    threads = [
        threading.Thread(target=lambda: round_trips.extend(pair[0].ping(timeout=5.0) for _ in range(10)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(round_trips) == 40
    assert all(0 < each < 1.0 for each in round_trips)


def test_ping_has_a_time_limit_and_goes_on_after_it(pair: Pair, process_config: ProcessConfig) -> None:
    client, _ = pair
    process_config(Config(fake_packet_lag_send=100))
    with pytest.raises(TimeoutError):
        client.ping(timeout=0.1)
    gns_py.reset_config()
    assert client.ping(timeout=5.0) > 0


@pytest.mark.parametrize("by", ["peer", "this end"])
def test_ping_ends_with_the_connection(pair: Pair, process_config: ProcessConfig, by: str) -> None:
    client, server = pair
    process_config(Config(fake_packet_lag_send=300))
    timer = threading.Timer(0.05, (server if by == "peer" else client).close, (1333, "enough"), {"linger": False})
    timer.start()
    with pytest.raises(ConnectionClosedOK, match=rf"^closed by (the )?{by}, 1333 APP_1333: enough$"):
        list(iter(lambda: client.ping(timeout=5.0), None))  # again and again
    timer.join()
    with pytest.raises(ConnectionClosedOK):
        client.ping(timeout=5.0)


# ---- history() -------------------------------------------------------------------------------------------------------


def test_history_notes_the_last_ones_by_itself(pair: Pair) -> None:
    client, server = pair
    assert client.history() == []
    began = gns_py.time_us()
    client.start_history(interval=0.01, size=10)
    eventually(lambda: len(client.history()) == 10)
    first = client.history()[0]
    eventually(lambda: client.history()[0].time_us > first.time_us)
    samples = client.history()
    times = [sample.time_us for sample in samples]
    assert len(samples) == 10
    assert all(isinstance(sample, Sample) for sample in samples)
    assert began < times[0]
    assert times == sorted(set(times))
    assert times[-1] <= gns_py.time_us()
    assert all(sample.status.state is ConnectionState.CONNECTED for sample in samples)
    assert samples[-1].status.send_rate == client.stats().send_rate
    assert server.history() == []


def test_history_stays_to_the_close_at_this_end(pair: Pair) -> None:
    client, server = pair
    client.start_history(interval=0.005, size=5)
    eventually(lambda: len(client.history()) == 5)
    server.close()
    assert client.wait_closed(timeout=5.0).ok
    assert len(client.history()) == 5
    client.close()
    for use in (client.history, client.start_history):
        with pytest.raises(ConnectionClosedOK):
            use()


@pytest.mark.parametrize(
    ("named", "exception", "text"),
    [
        ({"interval": 0}, ValueError, "interval is 0: it must be 0.001 to 86400 seconds"),
        ({"interval": "1"}, TypeError, "interval must be seconds, not str"),
        ({"size": -1}, ValueError, "size is -1: it must be 0 to 1000000"),
        ({"size": 1.5}, TypeError, "size must be an int, not float"),
    ],
)
def test_wrong_histories(pair: Pair, named: dict[str, Any], exception: type[Exception], text: str) -> None:
    with pytest.raises(exception) as wrong:
        pair[0].start_history(**named)
    assert type(wrong.value) is exception
    assert str(wrong.value) == text
