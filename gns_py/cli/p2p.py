"""``gns-py p2p``: find out whether peers can reach each other, and watch two of them."""

from __future__ import annotations

from pathlib import Path

from ..sim.nat_lab import Nat
from . import p2p_check, p2p_demo
from .arguments import AddParser, Parser


def add_parser(add: AddParser) -> None:
    """Add this command's parser, and those of its own commands."""
    parser = add(
        "p2p",
        help="check STUN and TURN servers, and watch two peers connect",
        description="Tools for connections from peer to peer.",
    )
    commands = parser.add_subparsers(title="commands", dest="p2p_command", metavar="COMMAND", required=True)
    _add_check(
        commands.add_parser(
            "check",
            help="ask STUN and TURN servers, and say what kind of NAT there is and what to expect",
            description="Ask STUN and TURN servers, and say what kind of NAT there is and what to expect. It needs two "
            "STUN addresses to know the NAT; a TURN server's is one, too. Exit code 1 if a server does not work.",
        )
    )
    _add_demo(
        commands.add_parser(
            "demo",
            help="watch two peers find each other, and a session that outlives its connection",
            description="Start a signalling service and two peers, which find each other by it, and show what happens "
            "at both ends.",
        )
    )


def _add_check(parser: Parser) -> None:
    address = {"action": "append", "default": [], "metavar": "HOST:PORT"}
    parser.add_argument("--stun", **address, help="a STUN server; can be repeated")  # type: ignore[arg-type]
    parser.add_argument("--turn", **address, help="a TURN server; can be repeated")  # type: ignore[arg-type]
    parser.add_argument("--turn-user", metavar="NAME", help="the user of the TURN servers")
    parser.add_argument("--turn-password", metavar="TEXT", help="the password; other users of this machine can see it")
    parser.add_argument(
        "--turn-secret",
        type=Path,
        metavar="FILE",
        help="instead: a file with the secret, coturn's static-auth-secret",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    parser.set_defaults(run=p2p_check.run, command="p2p check", wrong_usage=parser.error)


def _add_demo(parser: Parser) -> None:
    parser.add_argument(
        "--lab",
        nargs=2,
        choices=[nat.value for nat in Nat],
        metavar="NAT",
        help="put alice and bob behind routers of this machine with these NATs, each "
        f"{', '.join(nat.value for nat in Nat)}, and a STUN and TURN server between them; Linux only, with ip, nft and "
        "turnserver (coturn)",
    )
    parser.set_defaults(run=p2p_demo.run, command="p2p demo")
