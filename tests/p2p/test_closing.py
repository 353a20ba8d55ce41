"""A connection that is closed tells its peer, at once."""

from __future__ import annotations

import time

import pytest
from support.p2p_peers import End

from gns_py.sim.nat_lab import Nat, NatLab

from .conftest import PairFactory

pytestmark = pytest.mark.clone

_KINDS = {Nat.PORT: "direct", Nat.SYMMETRIC: "relayed"}
# A peer that sends something soon after the close is answered that there is no connection.
_UNTIL_NOTHING_IS_SENT = 3.0


@pytest.mark.parametrize("who", ["the one who connected", "the one who accepted"])
@pytest.mark.parametrize("nat", _KINDS, ids=_KINDS.get)
def test_idle(nat_lab: NatLab, pair: PairFactory, nat: Nat, who: str) -> None:
    nat_lab.start_server()
    closing, other = pair(nat, nat).meet()
    if who == "the one who accepted":
        closing, other = other, closing
    assert closing.route().kind == _KINDS[nat]
    time.sleep(_UNTIL_NOTHING_IS_SENT)
    closing.close(1234, "that was all")
    assert other.end() == End("closed-by-peer", 1234, "that was all")


@pytest.mark.parametrize("nat", _KINDS, ids=_KINDS.get)
def test_lingering(nat_lab: NatLab, pair: PairFactory, nat: Nat) -> None:
    nat_lab.start_server()
    alices, bobs = pair(nat, nat).meet()
    for number in range(20):
        alices.send(f"{number} {'x' * 1000}")
    alices.close(1234, "that was all", linger=True)
    assert [bobs.recv().split()[0] for _ in range(20)] == [str(number) for number in range(20)]
    assert bobs.end() == End("closed-by-peer", 1234, "that was all")


def test_while_the_route_is_sought(nat_lab: NatLab, pair: PairFactory) -> None:
    nat_lab.start_server()
    peers = pair(Nat.NO_UDP, Nat.PORT)
    peers.bob.listen()
    alices = peers.alice.connect(peers.bob)
    bobs = peers.bob.inbound()
    bobs.accept()
    peers.alice.expect("state", alices.number, ("finding-route",))
    alices.close(1234, "never mind")
    end = bobs.end()
    assert (end.state, end.reason) == ("closed-by-peer", 1234)


def test_a_host_that_moves_loses_the_connection(nat_lab: NatLab, pair: PairFactory) -> None:
    nat_lab.start_server()
    alices, bobs = pair(Nat.PORT, Nat.PORT).meet()
    nat_lab.move("a")
    for number in range(5):
        alices.send(str(number))
        bobs.send(str(number))
    for link in (alices, bobs):
        end = link.end(20.0)
        assert (end.state, end.reason) == ("problem", 5003)
