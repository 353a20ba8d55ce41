"""Players whose addresses change in the middle of a game: their sessions go on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gns_py.sim.nat_lab import SERVER, STUN_PORT, Nat, NatLab

pytestmark = pytest.mark.clone

HERE = Path(__file__).parent
Serve = Callable[..., tuple[subprocess.Popen[str], str]]


def start(nat_lab: NatLab, place: str, program: str, *arguments: str) -> subprocess.Popen[str]:
    """Start one of the programs in this folder."""
    log = nat_lab.log(f"{program}-{place}")
    return nat_lab.start(place, sys.executable, str(HERE / f"{program}.py"), *arguments, errors=log)


def said(process: subprocess.Popen[str]) -> list[str]:
    """Return the words of the next line that it prints."""
    assert process.stdout is not None
    return process.stdout.readline().split()


def tell(process: subprocess.Popen[str], numbers: range) -> None:
    assert process.stdin is not None
    for number in numbers:
        process.stdin.write(f"{number}\n")


@pytest.fixture
def serve(nat_lab: NatLab) -> Serve:
    """Return a function that starts the signalling server, and returns it and its port."""
    nat_lab.put_behind(Nat.PORT, Nat.PORT)
    nat_lab.start_server()

    def start_server(port: str = "0") -> tuple[subprocess.Popen[str], str]:
        ice = f"{SERVER}:{STUN_PORT}", "user", "password"
        server = start(nat_lab, "internet", "rendezvous_server", SERVER, port, *ice)
        word, found = said(server)
        assert word == "ready"
        return server, found

    return start_server


def answers(player: subprocess.Popen[str], numbers: range) -> None:
    """Let a player send numbers, and expect each of them once and in order."""
    tell(player, numbers)
    lines: list[list[str]] = []
    while len(lines) < len(numbers):
        if (line := said(player)) != ["dropped"]:
            lines.append(line)
    assert lines == [[str(number)] for number in numbers]


def players(nat_lab: NatLab, port: str) -> subprocess.Popen[str]:
    """Start both, and return the one that has connected."""
    bob = start(nat_lab, "b", "player", "str:bob", SERVER, port)
    assert said(bob) == ["ready"]
    alice = start(nat_lab, "a", "player", "str:alice", SERVER, port, "str:bob")
    assert said(alice) == ["ready", "direct"]
    answers(alice, range(100))
    return alice


@pytest.mark.parametrize("movers", ["a", "ab"])
def test_sessions_go_on_from_other_addresses(nat_lab: NatLab, serve: Serve, movers: str) -> None:
    alice = players(nat_lab, serve()[1])
    for place in movers:
        nat_lab.move(place)
    answers(alice, range(100, 200))


def test_the_signalling_server_dies_and_comes_back(nat_lab: NatLab, serve: Serve) -> None:
    server, port = serve()
    alice = players(nat_lab, port)
    server.kill()
    server.wait()
    answers(alice, range(100, 200))  # they need it no longer
    nat_lab.move("a")
    serve(port)
    answers(alice, range(200, 300))
