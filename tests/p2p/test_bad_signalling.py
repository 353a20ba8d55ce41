"""Peers whose signalling loses signals, or repeats them."""

from __future__ import annotations

import random

import pytest
from support.p2p_peers import Signal

from gns_py.sim.nat_lab import Nat, NatLab

from .conftest import PairFactory

pytestmark = pytest.mark.clone


@pytest.mark.parametrize(("loss", "duplicates"), [(0.3, 0.0), (0.6, 0.0), (0.0, 0.5), (0.3, 0.5)])
def test_they_find_each_other(nat_lab: NatLab, pair: PairFactory, loss: float, duplicates: float) -> None:
    nat_lab.start_server()
    peers = pair(Nat.PORT, Nat.PORT)
    chance = random.Random(17)
    lost: list[Signal] = []

    def deliver(signal: Signal) -> None:
        if chance.random() < loss:
            lost.append(signal)
            return
        for _ in range(1 + (chance.random() < duplicates)):
            peers.signalling.pass_on(signal)

    peers.signalling.deliver = deliver
    peers.bob.listen()
    alices = peers.alice.connect(peers.bob)
    bobs = peers.bob.inbound(12.0)
    bobs.accept()
    alices.wait_connected(20.0)
    bobs.wait_connected(20.0)
    alices.send("hello")
    assert bobs.recv() == "hello"
    print(f"{loss:.0%} lost: {len(lost)} of {len(lost) + len(peers.signalling.passed)} signals")
