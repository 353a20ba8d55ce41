"""``gns-py p2p check``: servers that work, those that do not, and kinds of NAT; in the laboratory with real ones."""

from __future__ import annotations

import asyncio
import errno
import json
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.turn_server import TurnServer, turn_servers

from gns_py import Address
from gns_py.cli.p2p_check import Report, StunResult, examine, is_private
from gns_py.p2p import IceServers, Turn
from gns_py.sim.nat_lab import SECOND_SERVER, SERVER, STUN_PORT, Coturn, Nat, NatLab

Run = Callable[..., "subprocess.CompletedProcess[str]"]
BEHIND_A_NAT = "9.9.9.9:1", "10.0.0.2:5", "198.51.100.7:5"
"""An answer: the address of the server, the one here, and the one that the server has seen."""
USER = ["--turn-user", "user", "--turn-password", "password"]


def check(run: Run, *arguments: object) -> tuple[int, dict[str, Any]]:
    result = run("p2p", "check", "--json", *arguments)
    assert result.stderr == ""
    return result.returncode, json.loads(result.stdout)


def stun(*servers: TurnServer) -> list[str]:
    return [word for each in servers for word in ("--stun", str(each.address))]


def turn(*servers: TurnServer) -> list[str]:
    return [*(word for each in servers for word in ("--turn", str(each.address))), *USER]


def problems(facts: dict[str, Any]) -> list[str]:
    return [f"{each['severity']}: {each['problem']}" for each in facts["problems"]]


def test_servers_that_work(run: Run) -> None:
    with turn_servers(2) as (first, second):
        for server in (first, second):
            server.mapped = lambda _: Address("198.51.100.7", 40000)
        code, facts = check(run, *stun(first), *turn(second))
        assert second.allocations == 0
    assert (code, facts["problems"], facts["nat"], facts["relays"]) == (0, [], "endpoint-independent", True)
    assert [each["server"] for each in facts["stun"]] == [str(first.address), str(second.address)]
    assert all(each["mapped"] == "198.51.100.7:40000" for each in facts["stun"])
    assert all(0 <= each["round_trip_ms"] < 5000 for each in (*facts["stun"], *facts["turn"]))
    (relay,) = facts["turn"]
    assert (relay["lifetime_s"], relay["passes_on"], relay["failed"]) == (600, True, None)
    assert relay["relayed"].startswith("127.0.0.1:")


def test_the_words(run: Run) -> None:
    with turn_servers(2) as (first, second):
        first.mapped = lambda _: Address("198.51.100.7", 40000)
        second.mapped = lambda _: Address("198.51.100.7", 40001)
        text = run("p2p", "check", *stun(first, second)).stdout
        assert "NAT: another port outside for each destination (symmetric)" in text
        assert "Expect direct routes to peers with a public address or an open (full cone) NAT only." in text
        assert "Without a TURN server, peers cannot connect where there is no direct route." in text
        assert "No problems found." in text
        text = run("p2p", "check", *stun(first), *turn(second)).stdout
        assert "Where there is no direct route, the relay takes its place." in text
        assert "600 s" in text
        second.refusals = {3: 486}
        text = run("p2p", "check", *turn(second)).stdout
        assert "error: " in text
        assert "486 No" in text
        assert "There is no relay that works" in text


def test_one_address_does_not_show_the_nat(run: Run) -> None:
    with turn_servers(1) as (server,):
        server.mapped = lambda _: Address("198.51.100.7", 40000)
        code, facts = check(run, *stun(server))
    assert (code, facts["nat"]) == (0, "unknown")
    assert problems(facts) == ["warning: the kind of NAT is not known"]


def test_a_server_that_is_silent_is_an_error(run: Run) -> None:
    with turn_servers(2) as (first, second):
        first.is_silent = True
        code, facts = check(run, *stun(first, second))
    assert code == 1
    assert f"error: {first.address} does not answer STUN" in problems(facts)
    assert [each["round_trip_ms"] is None for each in facts["stun"]] == [True, False]


def test_a_name_that_is_wrong_is_an_error(run: Run) -> None:
    with turn_servers(1) as (server,):
        code, facts = check(run, "--stun", "wrong.invalid:3478", *stun(server))
    assert code == 1
    assert "cannot resolve 'wrong.invalid'" in problems(facts)[0]


def test_no_server_at_all_answers(run: Run) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        code, facts = check(run, "--stun", f"127.0.0.1:{silent.getsockname()[1]}")
    assert (code, facts["nat"]) == (1, "unknown")
    assert problems(facts)[-1] == "error: no server at all answers over UDP"


@pytest.mark.parametrize(
    ("attribute", "value", "text"),
    [
        ("key", b"another", "401 Unauthorized (the user, the password or the secret is wrong"),
        ("refusals", {3: 508}, "508 No"),
        ("passes_on", False, "which it should relay, do not arrive"),
        ("signs_with", None, "not signed"),
    ],
)
def test_a_relay_that_does_not_work(run: Run, attribute: str, value: object, text: str) -> None:
    with turn_servers(1) as (server,):
        setattr(server, attribute, value)
        code, facts = check(run, *turn(server))
    assert code == 1
    assert text in str(problems(facts))


def test_a_machine_without_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    class Socket(socket.socket):
        def __init__(self, family: int = -1, *arguments: Any, **named: Any) -> None:
            if family == socket.AF_INET6:
                raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
            super().__init__(family, *arguments, **named)

    with turn_servers(1) as (server,):
        server.relayed = Address("::1", 40000)  # which a server may grant
        monkeypatch.setattr(socket, "socket", Socket)
        relay = Turn(str(server.address), "user", "password")
        found = asyncio.run(examine(IceServers(["[::1]:3478", str(server.address)], [relay])))
        assert [each.seconds is not None for each in found.stun] == [True, False]
        assert [each.is_passed_on for each in found.turn] == [None]
        assert [each.problem for each in found.problems if each.severity == "error"] == [
            "[::1]:3478 does not answer STUN"
        ]
        found = asyncio.run(examine(IceServers([], [Turn("[::1]:3478", "user", "password")])))
        assert "Address family not supported" in found.problems[0].problem


def test_a_relay_that_does_not_serve_this_network_is_a_warning(run: Run) -> None:
    with turn_servers(1) as (server,):
        server.refusals = {8: 403}
        code, facts = check(run, *turn(server))
    assert (code, facts["relays"]) == (0, True)
    assert "and then says: 403 No" in problems(facts)[0]


def test_a_secret_in_a_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("north\n", encoding="utf-8")
    with turn_servers(1) as (server,):
        check(run, "--turn", server.address, "--turn-secret", "secret")
        assert server.requests[-1].text(0x0006).endswith(":gns-py")


def report(*found: tuple[str, str, str]) -> Report:
    results = []
    for texts in found:
        address, local, mapped = map(Address.parse, texts)
        results.append(StunResult("s", address, local, mapped, 0.1))
    return Report(results)


@pytest.mark.parametrize(
    ("found", "nat"),
    [
        ([], "unknown"),
        ([("9.9.9.9:1", "198.51.100.7:5", "198.51.100.7:5")], "none"),
        ([("10.0.0.1:1", "10.0.0.2:5", "10.0.0.2:5")], "unknown"),
        ([BEHIND_A_NAT], "unknown"),
        ([BEHIND_A_NAT, ("9.9.9.8:1", "10.0.0.2:5", "198.51.100.7:5")], "endpoint-independent"),
        ([BEHIND_A_NAT, ("9.9.9.8:1", "10.0.0.2:5", "198.51.100.7:6")], "symmetric"),
        ([BEHIND_A_NAT, ("9.9.9.8:1", "10.0.0.2:5", "198.51.100.8:5")], "symmetric"),
        ([BEHIND_A_NAT, ("10.0.0.1:1", "10.0.0.2:5", "10.0.0.2:5")], "unknown"),
        ([BEHIND_A_NAT, ("[2001:db8::1]:1", "[2001:db8::2]:5", "[2001:db8::2]:5")], "unknown"),
        ([("[2001:db8::1]:1", "[2001:db8::2]:5", "[2001:db8::2]:5")], "none"),
    ],
)
def test_kinds_of_nat(found: list[tuple[str, str, str]], nat: str) -> None:
    assert report(*found).nat() == nat


@pytest.mark.parametrize("address", ["10.1.2.3", "100.64.0.1", "192.168.0.1", "169.254.1.1", "fd00::1", "::1"])
def test_private_addresses(address: str) -> None:
    assert is_private(Address(address, 1))


@pytest.mark.parametrize("address", ["8.8.8.8", "203.0.113.1", "2001:db8::1", "172.32.0.1"])
def test_public_addresses(address: str) -> None:
    assert not is_private(Address(address, 1))
    assert not is_private(None)


@pytest.mark.clone
@pytest.mark.parametrize(
    ("nat", "kind"),
    [
        (Nat.NONE, "none"),
        (Nat.FULL, "endpoint-independent"),
        (Nat.PORT, "endpoint-independent"),
        (Nat.SYMMETRIC, "symmetric"),
        (Nat.NO_UDP, "unknown"),
    ],
)
def test_in_the_laboratory(nat_lab: NatLab, tmp_path: Path, nat: Nat, kind: str) -> None:
    nat_lab.put_behind(nat, Nat.NONE)
    nat_lab.start_server(Coturn(secret="secret"))
    (tmp_path / "secret").write_text("secret", encoding="utf-8")
    servers = ["--stun", f"{SECOND_SERVER}:{STUN_PORT}", "--turn", f"{SERVER}:{STUN_PORT}"]
    command = [sys.executable, "-m", "gns_py", "p2p", "check", "--json", *servers, "--turn-secret", tmp_path / "secret"]
    with nat_lab.start("a", *map(str, command)) as program:
        output, _ = program.communicate(timeout=30.0)
    facts = json.loads(output)
    assert facts["nat"] == kind
    works = nat is not Nat.NO_UDP
    assert program.returncode == (0 if works else 1), facts
    assert facts["relays"] is works
    assert [each["passes_on"] for each in facts["turn"]] == [True if works else None]
    if works:
        assert facts["problems"] == []
        assert facts["turn"][0]["lifetime_s"] == 600
