"""STUN: requests to servers, what keeps a NAT open, and messages that only claim to be from the peer."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

import psutil
import pytest
from support.deadline import eventually
from support.p2p_peers import Ice

from gns_py.sim.nat_lab import SERVER, STRANGER, Nat, NatLab

from .conftest import PairFactory

pytestmark = pytest.mark.clone

_FORGER = Path(__file__).with_name("forger.py")


def test_a_server_of_the_rfc_tells_the_address(nat_lab: NatLab, pair: PairFactory) -> None:
    nat_lab.start_server()
    alices, _ = pair(Nat.PORT, Nat.PORT, Ice(turn="")).meet()
    assert alices.route().kind == "direct"


@pytest.mark.parametrize("victim", ["the one who connected", "the one who accepted"])
def test_forged_requests_do_not_move_the_connection(nat_lab: NatLab, pair: PairFactory, victim: str) -> None:
    nat_lab.start_server()
    peers = pair(Nat.FULL, Nat.FULL)
    alices, bobs = peers.meet()
    attacked, other = (alices, bobs) if victim == "the one who connected" else (bobs, alices)
    address, port = other.route().address.split(":")
    forger = nat_lab.start("internet", sys.executable, str(_FORGER), STRANGER, address, port)
    host = "a" if attacked is alices else "b"
    before = _datagrams_received(nat_lab, host)
    eventually(lambda: _datagrams_received(nat_lab, host) > before + 50, 10.0, "the arrival of requests")
    for number in range(20):
        for source, target in ((alices, bobs), (bobs, alices)):
            source.send(str(number))
            assert target.recv() == str(number)
    assert forger.communicate(timeout=10.0)[0] == "0 0\n"
    assert other.route().address == f"{address}:{port}"


def _datagrams_received(lab: NatLab, host: str) -> int:
    names, numbers = (line.split() for line in lab.run(host, "grep", "Udp:", "/proc/net/snmp").splitlines())
    return int(numbers[names.index("InDatagrams")])


def test_the_password_cannot_be_guessed(nat_lab: NatLab, pair: PairFactory) -> None:
    nat_lab.start_server()
    peers = pair(Nat.PORT, Nat.PORT)
    peers.meet()
    for identity in ("str:alice", "str:bob"):
        signals = b"".join(bytes.fromhex(data) for sender, _, data in peers.signalling.passed if sender == identity)
        assert re.search(rb"[A-Za-z0-9+/]{25}", signals)


def test_a_server_without_a_route_costs_nothing(nat_lab: NatLab, pair: PairFactory) -> None:
    nat_lab.start_server()
    peers = pair(Nat.PORT, Nat.PORT)
    alices, bobs = peers.meet()
    nat_lab.run("a", "ip", "route", "add", "unreachable", SERVER)
    program = psutil.Process(peers.alice.process.pid)
    # A keep-alive is sent every 15 seconds.
    busy = 0.0
    for number in range(18):
        alices.send(str(number))
        assert bobs.recv() == str(number)
        before = program.cpu_times()
        time.sleep(1.0)
        after = program.cpu_times()
        busy = max(busy, after.user + after.system - before.user - before.system)
    assert busy < 0.4
