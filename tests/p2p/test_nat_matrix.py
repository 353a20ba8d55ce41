"""Which route two peers find, for each pair of NATs."""

from __future__ import annotations

import time

import pytest
from support.deadline import eventually

from gns_py.sim.nat_lab import Nat, NatLab

from .conftest import PairFactory

pytestmark = pytest.mark.clone

_NATS = [Nat.NONE, Nat.FULL, Nat.PORT, Nat.SYMMETRIC]
# A port-restricted router lets no packet in from a port that it has not sent to, and that of a symmetric one is known
# only when its first packet has been let in.
_RELAYED = {(Nat.PORT, Nat.SYMMETRIC), (Nat.SYMMETRIC, Nat.PORT), (Nat.SYMMETRIC, Nat.SYMMETRIC)}


@pytest.mark.parametrize("nat_b", _NATS, ids=lambda nat: nat.value)
@pytest.mark.parametrize("nat_a", _NATS, ids=lambda nat: nat.value)
def test_route(nat_lab: NatLab, pair: PairFactory, nat_a: Nat, nat_b: Nat) -> None:
    nat_lab.start_server()
    peers = pair(nat_a, nat_b)
    began = time.monotonic()
    alices, bobs = peers.meet()
    took = time.monotonic() - began
    alices.send("hello")
    assert bobs.recv() == "hello"
    bobs.send("hello back")
    assert alices.recv() == "hello back"
    print(f"{nat_a.value:9} {nat_b.value:9} {took:5.2f} s  {alices.route()}")
    kind = "relayed" if (nat_a, nat_b) in _RELAYED else "direct"
    # A relay may be found first.
    eventually(lambda: (alices.route().kind, bobs.route().kind) == (kind, kind), what=f"a route that is {kind}")


@pytest.mark.parametrize("nat_b", [Nat.NONE, Nat.NO_UDP], ids=lambda nat: nat.value)
def test_no_route_without_udp(nat_lab: NatLab, pair: PairFactory, nat_b: Nat) -> None:
    nat_lab.start_server()
    peers = pair(Nat.NO_UDP, nat_b)
    peers.bob.listen()
    alices = peers.alice.connect(peers.bob)
    bobs = peers.bob.inbound()
    bobs.accept()
    ends = alices.end(15.0), bobs.end(15.0)
    assert {end.reason for end in ends} == {5008}
