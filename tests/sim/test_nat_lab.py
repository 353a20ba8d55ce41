"""The laboratory itself: its NATs are of the kinds that they are called, and nothing is left of it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from support.deadline import eventually

from gns_py.sim.nat_lab import SECOND_SERVER, SERVER, STRANGER, STUN_PORT, Nat, NatLab

pytestmark = pytest.mark.clone

# Asks the servers from one socket, and prints which addresses they see; then, whether a packet from a stranger arrives.
_ASK = """
import os, socket, struct, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
    asking.settimeout(2.0)
    for server in sys.argv[2:]:
        asking.sendto(struct.pack("!HHI", 1, 0, 0x2112A442) + os.urandom(12), (server, int(sys.argv[1])))
        answer = asking.recv(2000)
        attribute = answer.index(bytes([0, 32, 0, 8]))
        port, address = struct.unpack_from("!HI", answer, attribute + 6)
        print(socket.inet_ntoa(struct.pack("!I", address ^ 0x2112A442)), port ^ 0x2112, flush=True)
    sys.stdin.readline()
    asking.settimeout(0.5)
    try:
        print(asking.recv(2000) == b"hello", flush=True)
    except TimeoutError:
        print(False, flush=True)
"""
_SAY_HELLO = """
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
    stranger.bind((sys.argv[1], 0))
    stranger.sendto(b"hello", (sys.argv[2], int(sys.argv[3])))
"""


@pytest.mark.parametrize("nat", [Nat.NONE, Nat.FULL, Nat.PORT, Nat.SYMMETRIC], ids=lambda nat: nat.value)
def test_kinds(nat_lab: NatLab, nat: Nat) -> None:
    nat_lab.start_server()
    nat_lab.put_behind(nat, Nat.NONE)
    ask = nat_lab.start("a", sys.executable, "-c", _ASK, str(STUN_PORT), SERVER, SECOND_SERVER)
    assert ask.stdout is not None
    first, second = (ask.stdout.readline().split() for _ in range(2))
    nat_lab.run("internet", sys.executable, "-c", _SAY_HELLO, STRANGER, *second)
    strangers_arrive = ask.communicate("\n", timeout=10.0)[0] == "True\n"
    assert first[0] == ("198.51.100.2" if nat is Nat.NONE else "203.0.113.11")
    assert (first == second) == (nat is not Nat.SYMMETRIC)
    assert strangers_arrive == (nat in (Nat.NONE, Nat.FULL))


def test_no_udp(nat_lab: NatLab) -> None:
    nat_lab.start_server()
    nat_lab.put_behind(Nat.NO_UDP, Nat.NONE)
    with pytest.raises(subprocess.CalledProcessError, match="returned non-zero"):
        nat_lab.run("a", sys.executable, "-c", _ASK, str(STUN_PORT), SERVER)


def test_a_host_that_moves(nat_lab: NatLab) -> None:
    nat_lab.start_server()
    nat_lab.put_behind(Nat.FULL, Nat.NONE)
    for host, addresses in (("a", ["203.0.113.11"] * 2), ("b", ["192.0.2.2", "192.0.2.3"])):
        for expected in addresses:
            ask = nat_lab.start(host, sys.executable, "-c", _ASK, str(STUN_PORT), SERVER)
            output = ask.communicate("\n", timeout=10.0)[0]
            assert output.split()[0] == expected
            nat_lab.move(host)


def test_it_ends_with_its_process(nat_lab: NatLab, tmp_path: Path) -> None:  # noqa: ARG001
    script = tmp_path / "killed.py"
    script.write_text(
        f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from gns_py.sim.nat_lab import Nat, NatLab
lab = NatLab()
lab.put_behind(Nat.PORT, Nat.SYMMETRIC)
lab.start_server()
lab.start("a", "sleep", "1000")
print("ready", flush=True)
time.sleep(1000)
"""
    )
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        try:
            children = eventually(lambda: _children(program.pid, {"cat", "sleep", "turnserver"}), what="its programs")
        finally:
            program.send_signal(signal.SIGKILL)
    eventually(lambda: not any(_runs(child) for child in children), 10.0, "the end of its programs")


def _children(pid: int, names: set[str]) -> list[psutil.Process]:
    children = psutil.Process(pid).children(recursive=True)
    return children if {child.name() for child in children} >= names else []


def _runs(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
