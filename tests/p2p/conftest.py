"""Two peers in the NAT laboratory."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest
from support.native import build_program
from support.p2p_peers import Ice, Link, P2PPeer, Signalling

from gns_py.sim.nat_lab import Nat, NatLab


class Pair(NamedTuple):
    """Two peers, and who carries their signals. By convention bob listens."""

    alice: P2PPeer
    bob: P2PPeer
    signalling: Signalling

    def meet(self) -> tuple[Link, Link]:
        """Let alice connect to bob, and bob accept; return both ends as soon as they are connected."""
        self.bob.listen()
        alices = self.alice.connect(self.bob)
        bobs = self.bob.inbound()
        bobs.accept()
        alices.wait_connected()
        bobs.wait_connected()
        return alices, bobs


@pytest.fixture(scope="session")
def native_peer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the peer, linked with the GNS that was built for this package."""
    return build_program("p2p_peer", tmp_path_factory.mktemp("native"))


@pytest.fixture(params=["plain GNS", "gns_py"])
def peer_program(request: pytest.FixtureRequest) -> list[str]:
    """Return the command of the peers: a program of plain GNS, and one of gns_py."""
    if request.param == "plain GNS":
        return [str(request.getfixturevalue("native_peer"))]
    return [sys.executable, str(Path(__file__).parent / "python_peer.py")]


PairFactory = Callable[..., Pair]


@pytest.fixture
def pair(nat_lab: NatLab, peer_program: list[str], request: pytest.FixtureRequest) -> Iterator[PairFactory]:
    """Return a function that puts the hosts behind NATs and starts a peer on each: alice on a, bob on b.

    A peer that logs an error or a bug fails the test, unless it is marked with `native_errors`.
    """
    peers: list[P2PPeer] = []
    with ExitStack() as stack:

        def start(
            nat_a: Nat, nat_b: Nat, ice: Ice | None = None, bobs_ice: Ice | None = None, *, symmetric: bool = False
        ) -> Pair:
            nat_lab.put_behind(nat_a, nat_b)
            signalling = Signalling()
            for place, name, its_ice in (("a", "str:alice", ice), ("b", "str:bob", bobs_ice or ice)):
                peer = P2PPeer(nat_lab, place, peer_program, name, signalling, its_ice, symmetric=symmetric)
                stack.callback(peer.close)
                peers.append(peer)
            return Pair(peers[0], peers[1], signalling)

        yield start
    if not any(request.node.iter_markers("native_errors")):
        assert [problem for peer in peers for problem in peer.problems()] == []
