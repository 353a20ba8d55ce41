"""Two programs that exchange random messages over a bad network, with the parameters of GNS's own soak test.

A few of them run every day; all of them, in three quarters of an hour, with: pytest -m soak
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from soak.peer import FULL, Report, Round, Task
from support import Peer

pytestmark = pytest.mark.slow

SEND_BUFFER = 512 * 1024  # GNS's default
_SOURCE = Path(__file__).with_name("peer.py").read_text()


class Network(NamedTuple):
    """The effect of each end on the packets that it sends."""

    rate: int
    loss: float = 0
    lag: int = 0
    reorder: float = 0
    reorder_time: int = 0

    def __str__(self) -> str:
        return "-".join(f"{value:g}" for value in self)


QUICK = (Network(128_000, 10, 50, 2, 50), Network(1_000_000, 5, 10, 1, 10))
WHOLE = (
    Network(64_000, 20, 100, 4, 50),
    Network(1_000_000, 20, 100, 4, 10),
    Network(1_000_000, 2, 5, 2, 1),
    Network(2_000_000),
    Network(128_000, 20, 100, 4, 40),
    Network(500_000, 20, 100, 4, 30),
    Network(64_000),
    Network(128_000),
    Network(256_000),
    Network(500_000),
    Network(1_000_000),
    Network(64_000, 1, 25, 1, 10),
    Network(1_000_000, 1, 25, 1, 10),
    Network(64_000, 5, 50, 2, 50),
    Network(1_000_000, 5, 50, 2, 10),
)
modes = pytest.mark.parametrize("game", [False, True], ids=["flood", "game"])


@modes
@pytest.mark.parametrize("network", QUICK, ids=str)
def test_a_bad_network_for_a_short_while(network: Network, game: bool, peer: Callable[..., Peer]) -> None:
    exchange(network, game, peer, rounds=2, active=2.0, quiet=0.5)


@pytest.mark.soak
@pytest.mark.timeout(600)
@modes
@pytest.mark.parametrize("network", WHOLE, ids=str)
def test_the_whole_matrix(network: Network, game: bool, peer: Callable[..., Peer]) -> None:
    exchange(network, game, peer, rounds=5, active=10.0, quiet=5.0)


def exchange(
    network: Network, game: bool, peer: Callable[..., Peer], *, rounds: int, active: float, quiet: float
) -> None:
    """Both ends send for `active` seconds and are quiet until everything has arrived, in several rounds."""
    # Each API is at one end; in the other mode the ends are swapped.
    apis = ("asyncio", "sync") if game else ("sync", "asyncio")
    seed = random.getrandbits(32)
    task = Task(apis[0], seed, port=0, **network._asdict(), game=game, active=active, quiet=quiet)
    print(task)
    server = _start(peer, task)
    client = _start(peer, replace(task, api=apis[1], port=int(server.line())))
    ends = server, client
    for end in ends:
        assert end.line() == "connected"
    # The time that a full queue takes at that rate, each packet sent twice, and the last ones some times over.
    drains_within = 2 * SEND_BUFFER / network.rate + 5.0
    for _ in range(rounds):
        for end in ends:
            end.say("round")
        results = [Round(**json.loads(end.line(active + drains_within + quiet))) for end in ends]
        for result in results:
            print(result)
            assert result.drained < drains_within
            assert game or result.most_queued > SEND_BUFFER - FULL, "the queue was never full"
            _check_stats(result.active, network)
    server.say(f"end {results[1].sent}")
    client.say(f"end {results[0].sent}")
    reports = [Report(**json.loads(end.line())) for end in ends]
    for report, other, result in zip(reports, reversed(reports), reversed(results), strict=True):
        print(report)
        assert report.state == "CONNECTED"
        assert report.log == []
        assert report.reliable == result.sent > rounds
        # A message is in one to three packets.
        least = (1 - network.loss / 100) ** 3 - 0.1
        assert least * other.sent_unreliable < report.unreliable <= other.sent_unreliable
    for end in ends:
        end.say("quit")
    assert [end.wait() for end in ends] == [0, 0], [end.stderr for end in ends]


def _check_stats(stats: dict[str, Any], network: Network) -> None:
    """Measured while the queue was not empty: each figure against what it must be with this network."""
    assert stats["send_rate"] == network.rate
    assert 2 * network.lag <= stats["ping_ms"] <= 2 * (network.lag + network.reorder_time) + 50
    assert stats["out_bytes_per_second"] < 1.1 * network.rate
    if stats["quality_local"] is not None:  # known after some seconds
        in_order = 1 - (network.loss + network.reorder) / 100
        assert stats["quality_local"] == pytest.approx(in_order, abs=0.1)
    waits = stats["pending_reliable"] + stats["pending_unreliable"]
    assert stats["queue_time_us"] == pytest.approx(waits / network.rate * 1e6, abs=100_000)


def _start(peer: Callable[..., Peer], task: Task) -> Peer:
    return peer(_SOURCE, json.dumps(asdict(task)))
