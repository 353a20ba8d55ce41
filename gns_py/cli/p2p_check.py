"""``gns-py p2p check``: whether STUN and TURN servers work, what kind of NAT there is, and what to expect of both."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ipaddress
import json
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from .. import Address
from ..address import parse_host_and_port
from ..asyncio.resolver import resolve_in_executor
from ..p2p import IceServers, Turn
from ..p2p.signalling import turn_credentials
from ..p2p.stun_client import StunClient, source_for
from ..p2p.stun_messages import Method, StunMessage
from ..p2p.turn_client import UNAUTHORIZED, Allocation, TurnClient, TurnError, is_passed_on
from .doctor import Problem
from .output import CommandError, Output

Nat: TypeAlias = Literal["none", "endpoint-independent", "symmetric", "unknown"]
_RESOLVING = 5.0
_PASSING = 0.5
# Python's is_private has the addresses of documentation among them, which laboratories use as public ones.
_PRIVATE = [
    ipaddress.ip_network(each)
    for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16", "100.64.0.0/10")
] + [ipaddress.ip_network(each) for each in ("fc00::/7", "fe80::/10", "::1/128")]
_NATS: dict[Nat, str] = {
    "none": "none: this machine has a public address",
    "endpoint-independent": "one port outside for all destinations (endpoint-independent mapping)",
    "symmetric": "another port outside for each destination (symmetric)",
    "unknown": "unknown",
}
_ROUTES: dict[Nat, str] = {
    "none": "Expect direct routes to all peers that can send UDP at all.",
    "endpoint-independent": "Expect direct routes, but for peers behind a symmetric NAT.",
    "symmetric": "Expect direct routes to peers with a public address or an open (full cone) NAT only.",
    "unknown": "Not knowing the NAT, expect anything.",
}


@dataclass
class StunResult:
    """The answer of one address of a STUN or TURN server."""

    server: str
    address: Address
    local: Address | None = None
    mapped: Address | None = None
    seconds: float | None = None


@dataclass
class TurnResult:
    """The answer of one address of a TURN server."""

    server: str
    address: Address
    allocation: Allocation | None = None
    failure: str = ""
    is_passed_on: bool | None = None
    """True if packets to the relay's port come through; None if that could not be tried."""


@dataclass
class Report:
    """Everything that was found out."""

    stun: list[StunResult] = field(default_factory=list)
    turn: list[TurnResult] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def works(self) -> bool:
        """True if no problem is an error."""
        return all(problem.severity != "error" for problem in self.problems)

    @property
    def relays(self) -> bool:
        """True if one TURN server has granted an allocation."""
        return any(each.allocation for each in self.turn)

    def nat(self) -> Nat:
        """Return the kind of NAT between this machine and the servers with IPv4, or if there are none, IPv6."""
        answered = [each for each in self.stun if each.mapped is not None]
        answered = [each for each in answered if each.address.ip.version == 4] or answered
        # A server within this network does not see what the internet sees.
        answered = [each for each in answered if not is_private(each.mapped)] or answered
        mapped = {each.mapped for each in answered}
        if answered and all(each.mapped == each.local for each in answered):
            return "unknown" if any(map(is_private, mapped)) else "none"
        if len(mapped) > 1:
            return "symmetric"
        return "endpoint-independent" if len({each.address for each in answered}) > 1 else "unknown"

    def complain(self, severity: str, problem: str, advice: str) -> None:
        """Add a problem."""
        self.problems.append(Problem(severity, problem, advice))


def is_private(address: Address | None) -> bool:
    """Return whether an address is one of a private network, or of this machine alone."""
    return address is not None and any(address.ip in each for each in _PRIVATE if each.version == address.ip.version)


def run(options: argparse.Namespace, output: Output) -> int:
    """Run the command, and return its exit code."""
    servers = _servers(options)
    report = asyncio.run(examine(servers))
    if options.json:
        print(json.dumps(_facts(report), indent=2))
    else:
        _show(report, output)
    return 0 if report.works else 1


def _servers(options: argparse.Namespace) -> IceServers:
    if not options.stun and not options.turn:
        options.wrong_usage("give at least one --stun or --turn")
    has_user, has_secret = options.turn_user is not None, options.turn_secret is not None
    if options.turn and has_secret == (has_user and options.turn_password is not None):
        options.wrong_usage("--turn needs either --turn-user and --turn-password, or --turn-secret")
    secret = options.turn_secret.read_bytes().strip() if has_secret else b""
    if has_secret and not secret:
        raise CommandError(f"{options.turn_secret} is empty")
    try:
        if has_secret:
            turn = [turn_credentials(each, secret, options.turn_user or "gns-py") for each in options.turn]
        else:
            turn = [Turn(each, options.turn_user, options.turn_password) for each in options.turn]
        return IceServers(options.stun, turn)
    except ValueError as error:
        raise CommandError(str(error)) from None


async def examine(servers: IceServers) -> Report:
    """Ask all servers at once, and return what they have answered."""
    report = Report()
    names = list(dict.fromkeys([*servers.stun, *(each.address for each in servers.turn)]))
    found = dict(zip(names, await asyncio.gather(*(_resolve(each, report) for each in names)), strict=True))
    await asyncio.gather(
        *(_examine_stun(version, found, report) for version in (4, 6)),
        *(_examine_turn(turn, address, report) for turn in servers.turn for address in found[turn.address]),
    )
    _judge(servers, found, report)
    return report


async def _resolve(name: str, report: Report) -> list[Address]:
    try:
        addresses = await asyncio.wait_for(resolve_in_executor(*parse_host_and_port(name)), _RESOLVING)
    except (OSError, asyncio.TimeoutError) as error:
        report.complain("error", str(error) or f"cannot resolve {name!r} in time", "Check the name and the network.")
        return []
    # A name often has an IPv6 address that this machine has no way to.
    return [each for each in addresses if source_for(each) is not None] or addresses


async def _examine_stun(version: int, found: dict[str, list[Address]], report: Report) -> None:
    """Ask all servers of one family from the same port, since it is the difference of their answers that counts."""
    results = [
        StunResult(name, each) for name, addresses in found.items() for each in addresses if each.ip.version == version
    ]
    if not results:
        return
    report.stun += results

    async def ask(client: StunClient, result: StunResult) -> None:
        answer = await client.ask(result.address, StunMessage(Method.BINDING))
        source = source_for(result.address)
        if answer is not None and source is not None:
            result.local = Address(source, client.port)
            result.mapped, result.seconds = answer.message.mapped_address, answer.seconds

    with contextlib.suppress(OSError):  # without IPv6 on this machine, such servers do not answer
        async with StunClient(results[0].address) as client:
            await asyncio.gather(*(ask(client, each) for each in results))


async def _examine_turn(turn: Turn, address: Address, report: Report) -> None:
    result = TurnResult(turn.address, address)
    report.turn.append(result)
    try:
        async with StunClient(address) as client:
            await _use_turn(turn, result, client, report)
    except OSError as error:
        result.failure = str(error)


async def _use_turn(turn: Turn, result: TurnResult, client: StunClient, report: Report) -> None:
    address = result.address
    server = TurnClient(client, address, turn.username, turn.password)
    try:
        result.allocation = allocation = await server.allocate()
    except TurnError as error:
        result.failure = str(error)
        if error.code == UNAUTHORIZED:
            result.failure += " (the user, the password or the secret is wrong, or the clocks differ)"
        return
    try:
        if allocation.mapped is not None:
            await server.permit(allocation.mapped)
            with contextlib.suppress(OSError):  # the relay's address is of another family, which is not here
                result.is_passed_on = await is_passed_on(client, allocation, _PASSING)
        await server.release()
    except TurnError as error:
        report.complain(
            "warning",
            f"{turn.address} ({address}) grants an allocation, and then says: {error}",
            "It may be told not to relay to this network's addresses; players in other networks may be served.",
        )


def _judge(servers: IceServers, found: dict[str, list[Address]], report: Report) -> None:
    for name in servers.stun:
        mine = [each for each in report.stun if each.server == name]
        if mine and not any(each.seconds is not None for each in mine):
            report.complain("error", f"{name} does not answer STUN", _port_advice(mine[0].address))
    for turn in servers.turn:
        results = [each for each in report.turn if each.server == turn.address]
        if found[turn.address] and not any(each.allocation for each in results):
            advice = _port_advice(results[0].address)
            if results[0].failure[:1].isdigit():
                advice = "Compare the credentials and the server's configuration; its log says more."
            report.complain("error", f"{turn.address} does not relay: {results[0].failure}", advice)
        for each in results:
            _judge_allocation(each, report)
    if report.nat() == "unknown" and any(each.mapped for each in report.stun):
        report.complain(
            "warning",
            "the kind of NAT is not known",
            "Give the addresses of two STUN servers in the internet: one alone does not show whether the port changes.",
        )
    if servers.stun and not any(each.seconds is not None for each in report.stun) and not report.relays:
        report.complain(
            "error", "no server at all answers over UDP", "If the servers are right, this network does not let UDP out."
        )


def _judge_allocation(result: TurnResult, report: Report) -> None:
    if result.allocation is None:
        return
    relayed = result.allocation.relayed
    if is_private(relayed) and not is_private(result.address):
        report.complain(
            "error",
            f"{result.server} relays at {relayed}, an address of a private network",
            "It is behind a NAT of its own: set external-ip in turnserver.conf.",
        )
    elif result.is_passed_on is False:
        report.complain(
            "error",
            f"{result.server}: packets to {relayed}, which it should relay, do not arrive",
            "Let UDP to its relay ports through its firewall: 49152 to 65535, or min-port to max-port.",
        )


def _port_advice(address: Address) -> str:
    return f"Check that it runs, and that firewalls let UDP to port {address.port} through."


def _expectations(report: Report) -> list[str]:
    lines = [_ROUTES[report.nat()]]
    if report.relays:
        lines.append("Where there is no direct route, the relay takes its place.")
    elif report.turn:
        lines.append("There is no relay that works: where there is no direct route, peers cannot connect.")
    else:
        lines.append("Without a TURN server, peers cannot connect where there is no direct route.")
    return lines


def _show(report: Report, output: Output) -> None:
    rows = [
        [each.server, str(each.address), *_answer(each.seconds), str(each.mapped or ""), str(each.local or "")]
        for each in report.stun
    ]
    if rows:
        output.table("STUN", ["server", "address", "round trip", "seen from there", "here"], rows)
        output.line()
    if report.turn:
        output.table(
            "TURN",
            ["server", "address", "round trip", "relays at", "lifetime"],
            [_turn_row(each) for each in report.turn],
        )
        output.line()
    output.line(f"NAT: {_NATS[report.nat()]}", "bold")
    for line in _expectations(report):
        output.line(line)
    for severity, problem, advice in report.problems:
        output.line(f"{severity}: {problem}. {advice}", "red" if severity == "error" else "yellow")
    if not report.problems:
        output.line("No problems found.", "green")


def _turn_row(result: TurnResult) -> list[str]:
    if result.allocation is None:
        return [result.server, str(result.address), "fails", "", ""]
    relayed, _, lifetime, seconds = result.allocation
    return [result.server, str(result.address), *_answer(seconds), str(relayed), f"{lifetime} s"]


def _answer(seconds: float | None) -> list[str]:
    return ["no answer" if seconds is None else f"{seconds * 1000:.1f} ms"]


def _facts(report: Report) -> dict[str, object]:
    return {
        "stun": [
            {
                "server": each.server,
                "address": str(each.address),
                "round_trip_ms": _milliseconds(each.seconds),
                "mapped": _text(each.mapped),
                "local": _text(each.local),
            }
            for each in report.stun
        ],
        "nat": report.nat(),
        "turn": [
            {
                "server": each.server,
                "address": str(each.address),
                "relayed": _text(each.allocation and each.allocation.relayed),
                "lifetime_s": each.allocation and each.allocation.lifetime,
                "round_trip_ms": _milliseconds(each.allocation and each.allocation.seconds),
                "passes_on": each.is_passed_on,
                "failed": each.failure or None,
            }
            for each in report.turn
        ],
        "relays": report.relays,
        "problems": [problem._asdict() for problem in report.problems],
    }


def _text(address: Address | None) -> str | None:
    return None if address is None else str(address)


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
