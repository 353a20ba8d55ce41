"""The demo's server, whose other end is this test."""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection as Pipe

import pytest
from support import PATIENCE

import gns_py
import gns_py.sync as gns
from gns_py.cli.demo_server import Entry, Side, clock, run_server, simulation


@pytest.fixture(scope="module", autouse=True)
def _resource_tracker() -> None:
    """Start multiprocessing's helper process before the tests, since its descriptor stays open."""
    if sys.platform != "win32":
        from multiprocessing import resource_tracker

        resource_tracker.ensure_running()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """Run a server on a perfect network, and return the pipe to it."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=run_server, args=(theirs, 0.0, 0), daemon=True)
    server.start()
    theirs.close()
    try:
        yield ours
    finally:
        ours.close()
        server.join(10 * PATIENCE)
        assert server.exitcode == 0
        server.close()


def test_it_echoes_and_reports(pipe: Pipe) -> None:
    host, port = pipe.recv()
    with gns.connect(host, port, timeout=10 * PATIENCE) as client:
        for reliable in (True, True, False):
            client.send(b"hello", reliable=reliable, nagle=False)
            assert client.recv(10 * PATIENCE) == b"hello"
        client.close(1234, "bye")
    items: list[Entry | Side] = []
    while not items or isinstance(items[-1], Entry):
        items.append(pipe.recv())
    *entries, side = items
    texts = [entry.text for entry in entries if isinstance(entry, Entry)]
    assert [text.partition(" (")[0] for text in texts] == [
        "NONE -> CONNECTING",
        "CONNECTING -> CONNECTED",
        "CONNECTED -> CLOSED_BY_PEER",
    ]
    assert isinstance(side, Side)
    assert (side.reliable_received, side.unreliable_received, side.bytes_received) == (2, 1, 15)
    assert (side.reliable_sent, side.unreliable_sent, side.bytes_sent) == (2, 1, 15)
    assert side.status is not None


def test_it_ends_with_the_pipe(pipe: Pipe) -> None:
    pipe.recv()


def test_clock_converts_to_a_time_of_this_machine() -> None:
    assert clock(gns_py.time_us() - 1_000_000) == pytest.approx(time.perf_counter() - 1.0, abs=0.2)


def test_simulation_affects_what_this_process_sends(process_config: Callable[[gns.Config], None]) -> None:
    process_config(simulation(12.5, 7))
    assert gns_py.get_config(gns_py.ConfigValue.FAKE_PACKET_LOSS_SEND) == 12.5
    assert gns_py.get_config(gns_py.ConfigValue.FAKE_PACKET_LAG_SEND) == 7
