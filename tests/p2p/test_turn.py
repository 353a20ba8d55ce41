"""Relayed connections last: what a TURN server gives for a time is renewed in time."""

from __future__ import annotations

import time

import pytest
from support.p2p_peers import Ice, Link

from gns_py.sim.nat_lab import SERVER, STUN_PORT, Coturn, Nat, NatLab

from .conftest import PairFactory

pytestmark = pytest.mark.clone

_RELAY_ONLY = Ice(ice=1)
_SERVER = f"{SERVER}:{STUN_PORT}"
_NO_SERVER = f"203.0.113.77:{STUN_PORT}"


def _talk(alices: Link, bobs: Link, seconds: float) -> None:
    """Exchange messages for a time. GNS gives up a connection that has received nothing for 10 seconds."""
    end = time.monotonic() + seconds
    number = 0
    while time.monotonic() < end:
        number += 1
        for source, target in ((alices, bobs), (bobs, alices)):
            source.send(str(number))
            assert target.recv(15.0) == str(number)
        time.sleep(0.2)


def test_permissions_are_renewed(nat_lab: NatLab, pair: PairFactory) -> None:
    nat_lab.start_server(Coturn(allocation_lifetime=8, permission_lifetime=10))
    alices, bobs = pair(Nat.SYMMETRIC, Nat.SYMMETRIC).meet()
    _talk(alices, bobs, 25.0)
    assert alices.route().kind == "relayed"


def test_a_stale_nonce_is_replaced(nat_lab: NatLab, pair: PairFactory) -> None:
    nat_lab.start_server(Coturn(allocation_lifetime=8, nonce_lifetime=3))
    alices, bobs = pair(Nat.SYMMETRIC, Nat.SYMMETRIC).meet()
    _talk(alices, bobs, 22.0)
    assert alices.route().kind == "relayed"


def test_a_stale_nonce_is_replaced_when_permissions_are_asked_for(nat_lab: NatLab, pair: PairFactory) -> None:
    nat_lab.start_server(Coturn(nonce_lifetime=2))
    peers = pair(Nat.SYMMETRIC, Nat.SYMMETRIC, _RELAY_ONLY)
    peers.bob.listen()
    alices = peers.alice.connect(peers.bob)
    bobs = peers.bob.inbound()
    time.sleep(4.0)  # until alice's nonce is stale
    bobs.accept()
    alices.wait_connected()
    bobs.wait_connected()


def test_a_server_that_was_restarted_is_asked_again(nat_lab: NatLab, pair: PairFactory) -> None:
    options = Coturn(allocation_lifetime=8)
    nat_lab.start_server(options)
    alices, bobs = pair(Nat.SYMMETRIC, Nat.SYMMETRIC, _RELAY_ONLY).meet()
    _talk(alices, bobs, 1.0)
    nat_lab.start_server(options)
    _talk(alices, bobs, 15.0)
    assert alices.route().kind == "relayed"


def test_a_forbidden_address_does_not_forbid_the_others(nat_lab: NatLab, pair: PairFactory) -> None:
    nat_lab.start_server(Coturn(denied="203.0.113.11-203.0.113.12"))
    alices, bobs = pair(Nat.SYMMETRIC, Nat.SYMMETRIC).meet()
    assert (alices.route().kind, bobs.route().kind) == ("relayed", "relayed")


def test_a_first_stun_server_that_is_dead_leaves_time_for_a_relay(nat_lab: NatLab, pair: PairFactory) -> None:
    nat_lab.start_server()
    alices, bobs = pair(Nat.SYMMETRIC, Nat.SYMMETRIC, Ice(stun=f"{_NO_SERVER},{_SERVER}")).meet()
    assert (alices.route().kind, bobs.route().kind) == ("relayed", "relayed")


def test_a_first_turn_server_that_is_dead_leaves_time_for_the_second(nat_lab: NatLab, pair: PairFactory) -> None:
    nat_lab.start_server()
    servers = Ice(turn=f"{_NO_SERVER},{_SERVER}", user="user,user", password="password,password", ice=1)
    alices, bobs = pair(Nat.SYMMETRIC, Nat.SYMMETRIC, servers).meet()
    assert (alices.route().kind, bobs.route().kind) == ("relayed", "relayed")


def test_credentials_for_a_time(nat_lab: NatLab, pair: PairFactory) -> None:
    turn = Coturn(secret="secret")
    nat_lab.start_server(turn)
    user, password = turn.credentials(60)
    alices, bobs = pair(Nat.SYMMETRIC, Nat.SYMMETRIC, Ice(user=user, password=password)).meet()
    assert (alices.route().kind, bobs.route().kind) == ("relayed", "relayed")


def test_credentials_that_have_ended(nat_lab: NatLab, pair: PairFactory) -> None:
    turn = Coturn(secret="secret")
    nat_lab.start_server(turn)
    user, password = turn.credentials(-60)
    peers = pair(Nat.SYMMETRIC, Nat.SYMMETRIC, Ice(user=user, password=password))
    peers.bob.listen()
    alices = peers.alice.connect(peers.bob)
    peers.bob.inbound().accept()
    assert alices.end(15.0).reason == 5008


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_a_relay_lasts_longer_than_permissions_do_by_default(nat_lab: NatLab, pair: PairFactory) -> None:
    nat_lab.start_server()
    alices, bobs = pair(Nat.SYMMETRIC, Nat.SYMMETRIC).meet()
    _talk(alices, bobs, 400.0)
    assert alices.route().kind == "relayed"
