"""Players whose addresses change in the middle of a game: their sessions go on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.nat_lab import SERVER, STUN_PORT, Nat, NatLab

pytestmark = pytest.mark.clone

HERE = Path(__file__).parent


def start(nat_lab: NatLab, place: str, program: str, *arguments: str) -> subprocess.Popen[str]:
    """Start one of the programs beside this file."""
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


@pytest.mark.parametrize("movers", ["a", "ab"])
def test_sessions_go_on_from_other_addresses(nat_lab: NatLab, movers: str) -> None:
    nat_lab.put_behind(Nat.PORT, Nat.PORT)
    nat_lab.start_server()
    server = start(nat_lab, "internet", "rendezvous_server", SERVER, f"{SERVER}:{STUN_PORT}", "user", "password")
    word, port = said(server)
    assert word == "ready"
    bob = start(nat_lab, "b", "player", "str:bob", SERVER, port)
    assert said(bob) == ["ready"]
    alice = start(nat_lab, "a", "player", "str:alice", SERVER, port, "str:bob")
    assert said(alice) == ["ready", "direct"]
    tell(alice, range(100))
    assert [said(alice) for _ in range(100)] == [[str(number)] for number in range(100)]
    for place in movers:
        nat_lab.move(place)
    tell(alice, range(100, 200))
    lines = [said(alice) for _ in range(101)]
    assert lines.count(["dropped"]) >= 1
    lines = [line for line in lines if line != ["dropped"]]
    while len(lines) < 100:
        if (line := said(alice)) != ["dropped"]:
            lines.append(line)
    assert lines == [[str(number)] for number in range(100, 200)]
