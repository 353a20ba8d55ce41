"""Symmetric connects: both peers connect, and one connection is made."""

from __future__ import annotations

import pytest

from gns_py.sim.nat_lab import Nat, NatLab

from .conftest import PairFactory

pytestmark = pytest.mark.clone


def test_connecting_to_a_peer_whose_request_waits_accepts_it(nat_lab: NatLab, pair: PairFactory) -> None:
    nat_lab.start_server()
    peers = pair(Nat.PORT, Nat.PORT, symmetric=True)
    peers.alice.listen()
    peers.bob.listen()
    alices = peers.alice.connect(peers.bob)
    peers.bob.inbound()
    bobs = peers.bob.connect(peers.alice)
    alices.wait_connected()
    bobs.wait_connected()
    alices.send("hello")
    assert bobs.recv() == "hello"
