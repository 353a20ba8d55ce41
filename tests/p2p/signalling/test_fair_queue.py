"""Signals that wait: turns, the bound, and who loses signals."""

from __future__ import annotations

from gns_py import Identity
from gns_py.p2p.signalling.fair_queue import FairQueue

ALICE, BOB, MALLORY = (Identity.string(name) for name in ("alice", "bob", "mallory"))


def taken(queue: FairQueue) -> list[bytes]:
    return [queue.get() for _ in range(len(queue))]


def test_signals_of_one_peer_keep_their_order() -> None:
    queue = FairQueue(3)
    assert [queue.put(ALICE, b"%d" % each) for each in range(5)] == [True, True, True, False, False]
    assert taken(queue) == [b"2", b"3", b"4"]


def test_peers_take_turns() -> None:
    queue = FairQueue(8)
    for each in (b"m1", b"m2", b"m3"):
        queue.put(MALLORY, each)
    queue.put(ALICE, b"a1")
    queue.put(BOB, b"b1")
    queue.put(ALICE, b"a2")
    assert [queue.get(), queue.get()] == [b"m1", b"a1"]
    queue.put(BOB, b"b2")
    assert taken(queue) == [b"b1", b"m2", b"a2", b"b2", b"m3"]


def test_a_flood_drops_its_own_signals() -> None:
    queue = FairQueue(4)
    queue.put(ALICE, b"a1")
    queue.put(BOB, b"b1")
    for each in range(100):
        queue.put(MALLORY, b"%d" % each)
    assert len(queue) == 4
    assert queue.put(ALICE, b"a2") is False
    assert taken(queue) == [b"a1", b"b1", b"99", b"a2"]


def test_it_can_be_emptied() -> None:
    queue = FairQueue(4)
    queue.put(ALICE, b"1")
    queue.clear()
    assert len(queue) == 0
    queue.put(BOB, b"2")
    assert taken(queue) == [b"2"]
