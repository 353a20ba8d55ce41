"""Hosts with dozens of addresses, as containers give them, and peers that name many of others."""

from __future__ import annotations

import tempfile
import time

import pytest
from support.deadline import PATIENCE, eventually
from support.p2p_peers import Ice, Signal, Signalling

from gns_py.sim.nat_lab import SERVER, STRANGER, STUN_PORT, Nat, NatLab

from .conftest import Pair, PairFactory
from .test_moving import said, start

pytestmark = pytest.mark.clone

_MOST_BYTES = 4096
"""Of a signal, by default, in the services that have a limit."""
_RELIABLE = 13


def add_bridges(nat_lab: NatLab, host: str, number: int) -> None:
    """Give a host bridges with an IPv4 and an IPv6 address each, which lead nowhere."""
    commands = []
    for bridge in range(number):
        commands.append(f"link add bridge{bridge} type bridge")
        commands.append(f"link set bridge{bridge} up")
        commands.append(f"addr add 172.16.{bridge}.1/24 dev bridge{bridge}")
        commands.append(f"addr add fd00:{bridge + 1:x}::1/64 dev bridge{bridge} nodad")
    with tempfile.NamedTemporaryFile("w", suffix=".batch") as batch:
        batch.write("\n".join(commands) + "\n")
        batch.flush()
        nat_lab.run(host, "ip", "-batch", batch.name)


def limit(signalling: Signalling) -> list[int]:
    """Let it drop what services drop, and return the list to which it appends the sizes of signals."""
    sizes: list[int] = []

    def deliver(signal: Signal) -> None:
        sizes.append(len(signal[2]) // 2)
        if sizes[-1] <= _MOST_BYTES:
            signalling.pass_on(signal)

    signalling.deliver = deliver
    return sizes


def meet(peers: Pair) -> str:
    """Let them meet through a service with a limit, and return the kind of their route."""
    sizes = limit(peers.signalling)
    alices, bobs = peers.meet()
    alices.send("hello")
    assert bobs.recv() == "hello"
    assert max(sizes) <= _MOST_BYTES
    return alices.route().kind


@pytest.mark.parametrize(("at_a", "at_b"), [(30, 0), (0, 30), (30, 30), (125, 125)])
def test_they_are_reached(nat_lab: NatLab, pair: PairFactory, at_a: int, at_b: int) -> None:
    nat_lab.start_server()
    for host, number in (("a", at_a), ("b", at_b)):
        add_bridges(nat_lab, host, number)
    assert meet(pair(Nat.PORT, Nat.PORT)) == "direct"


def test_they_are_reached_through_a_relay(nat_lab: NatLab, pair: PairFactory) -> None:
    nat_lab.start_server()
    for host in "ab":
        add_bridges(nat_lab, host, 30)
    assert meet(pair(Nat.SYMMETRIC, Nat.SYMMETRIC)) == "relayed"


def test_the_address_that_the_internet_sees_is_used_wherever_it_is(nat_lab: NatLab, pair: PairFactory) -> None:
    nat_lab.start_server()
    for number in range(40):
        nat_lab.run("a", "ip", "addr", "add", f"172.16.{number}.1/24", "dev", "net")
    peers = pair(Nat.PORT, Nat.PORT)  # which adds the address after the others
    assert meet(peers) == "direct"


def test_candidates_take_several_signals(nat_lab: NatLab, pair: PairFactory) -> None:
    nat_lab.start_server()
    peers = pair(Nat.PORT, Nat.PORT)
    for number in range(3, 23):
        nat_lab.run("a", "ip", "addr", "add", f"10.1.0.{number}/24", "dev", "net")
    sizes = limit(peers.signalling)
    peers.meet()
    # Each of the 8 addresses that are used has one of its own, one outside of the NAT, and a relay.
    eventually(lambda: nat_lab.logged("str:bob").count("Got remote candidate") == 24, what="24 candidates")
    print(max(sizes))
    assert max(sizes) < 2_000


def test_the_address_from_which_the_peer_is_reached_is_used(nat_lab: NatLab, pair: PairFactory) -> None:
    """A container reaches its host, which has many such networks and no other way."""
    add_bridges(nat_lab, "b", 60)
    nat_lab.run("a", "ip", "link", "add", "inside", "type", "veth", "peer", "name", "outside", "netns", "b")
    nat_lab.run("b", "ip", "link", "set", "outside", "master", "bridge45", "up")
    nat_lab.run("a", "ip", "addr", "add", "172.16.45.2/24", "dev", "inside")
    nat_lab.run("a", "ip", "link", "set", "inside", "up")
    assert meet(pair(Nat.NO_UDP, Nat.NO_UDP, Ice(stun="", turn=""))) == "local"


def test_they_are_reached_through_a_server(nat_lab: NatLab) -> None:
    nat_lab.put_behind(Nat.PORT, Nat.PORT)
    nat_lab.start_server()
    for host in "ab":
        add_bridges(nat_lab, host, 60)
    server = start(nat_lab, "internet", "rendezvous_server", SERVER, "0", f"{SERVER}:{STUN_PORT}", "user", "password")
    _, port = said(server)
    bob = start(nat_lab, "b", "player", "str:bob", SERVER, port)
    assert said(bob) == ["ready"]
    alice = start(nat_lab, "a", "player", "str:alice", SERVER, port, "str:bob")
    assert said(alice) == ["ready", "direct"]


# ---- peers that name addresses of others ----


def varint(value: int) -> bytes:
    """Encode a number as protobuf does."""
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number: int, content: bytes) -> bytes:
    """Encode a field of protobuf with content of some size."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def candidate(address: str, port: int) -> bytes:
    """Return a signal's field with a candidate, of a kind that depends on the port."""
    kind = ("host", "srflx", "relay")[port % 3]
    text = f"candidate:{port} 0 udp {2**31 - port} {address} {port} typ {kind}"
    return field(_RELIABLE, field(1, field(1, field(3, text.encode()))))


def add_candidates(signalling: Signalling, number: int) -> None:
    """Let alice name ports of a third party in each of her signals."""
    added = b"".join(candidate(STRANGER, 10_000 + port) for port in range(number)).hex()

    def deliver(signal: Signal) -> None:
        sender, receiver, data = signal
        signalling.pass_on((sender, receiver, data + added if sender == "str:alice" else data))

    signalling.deliver = deliver


def count_packets_to(nat_lab: NatLab, address: str) -> None:
    """Begin to count the packets of UDP that arrive in the internet for an address."""
    for rule in (
        "table ip counting",
        "chain ip counting arrivals { type filter hook input priority -300 ; }",
        f"rule ip counting arrivals ip daddr {address} meta l4proto udp counter",
    ):
        nat_lab.run("internet", "nft", f"add {rule}")


def packets_counted(nat_lab: NatLab) -> int:
    """Return how many there were."""
    words = nat_lab.run("internet", "nft", "list", "table", "ip", "counting").split()
    return int(words[words.index("packets") + 1])


# The core takes 64 by signals.
@pytest.mark.parametrize("peer_program", ["plain GNS"], indirect=True)
def test_no_more_than_100_candidates_are_kept(nat_lab: NatLab, pair: PairFactory) -> None:
    peers = pair(Nat.NONE, Nat.NONE, Ice(stun="", turn=""))
    add_candidates(peers.signalling, 200)
    alices, _ = peers.meet()
    assert alices.route().kind == "direct"
    assert nat_lab.logged("str:bob").count("Got remote candidate") > 100
    assert "there are enough" in nat_lab.logged("str:bob")


@pytest.mark.parametrize("peer_program", ["gns_py"], indirect=True)
def test_a_peer_directs_few_packets_to_others(nat_lab: NatLab, pair: PairFactory) -> None:
    for number in range(3, 23):
        nat_lab.run("b", "ip", "addr", "add", f"192.0.2.{number}/24", "dev", "net")
    peers = pair(Nat.NONE, Nat.NONE, Ice(stun="", turn=""))
    count_packets_to(nat_lab, STRANGER)
    add_candidates(peers.signalling, 100)
    peers.meet()
    found = [packets_counted(nat_lab)]
    while len(found) < 5 or found[-1] != found[-5]:  # a request that is not answered is sent again within 2 s
        time.sleep(PATIENCE)
        found.append(packets_counted(nat_lab))
        assert found[-1] <= 3 * 32 * 5
    print(f"{found[-1]} packets")
    assert found[-1] > 300
