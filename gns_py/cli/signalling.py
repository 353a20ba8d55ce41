"""``gns-py signalling``: a signalling service for peers."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import ssl
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from .. import Identity
from ..p2p import IcePolicy, IceServers
from ..p2p.signalling import SignallingLimits, SignallingServer, turn_credentials
from .arguments import AddParser, Parser, host, integer, number, port
from .certs_files import read_certificates
from .certs_serve import load_login
from .output import CommandError, Output
from .signalling_tokens import Tokens

if TYPE_CHECKING:
    from websockets.asyncio.server import ServerConnection

DEFAULT_PORT = 8765
_DEFAULTS = SignallingLimits()


def add_parser(add: AddParser) -> None:
    """Add this command's parser, and that of its own command."""
    parser = add(
        "signalling",
        help="run a signalling service for peers",
        description="The service by which peers find each other before they have a connection.",
        epilog="It needs the library websockets: pip install 'gns-py[p2p]'; --trust needs 'gns-py[certs]', too.",
    )
    commands = parser.add_subparsers(title="commands", dest="signalling_command", metavar="COMMAND", required=True)
    serve: Parser = commands.add_parser(
        "serve",
        help="serve clients over WebSockets; Ctrl-C or SIGTERM ends it",
        description="Serve clients over WebSockets. Ctrl-C or SIGTERM ends it. Clients log in in one of three ways, "
        "or in several.",
    )
    serve.add_argument("--host", type=host, default="127.0.0.1", help="address to listen on (%(default)s)")
    serve.add_argument("--port", type=port, default=DEFAULT_PORT, help="TCP port (%(default)s; 0 finds a free one)")
    _add_logins(serve)
    _add_tls(serve)
    _add_ice(serve)
    _add_limits(serve)
    serve.set_defaults(run=run, command="signalling serve")


def _add_logins(parser: Parser) -> None:
    group = parser.add_argument_group("logins")
    group.add_argument("--tokens", type=Path, metavar="FILE", help="a file with lines of a token and its identity")
    group.add_argument(
        "--login", metavar="MODULE:FUNCTION", help="a function that returns the identity of a token, or None"
    )
    group.add_argument(
        "--trust",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="clients with a certificate of this authority may log in; can be repeated; needs --name",
    )
    group.add_argument("--name", default="", help="the host in the URL of this server, for logins by certificate")


def _add_tls(parser: Parser) -> None:
    group = parser.add_argument_group("TLS, without which only a proxy that has it should be able to reach the port")
    group.add_argument("--tls-cert", type=Path, metavar="FILE", help="the certificate of HTTPS, and those above it")
    group.add_argument("--tls-key", type=Path, metavar="FILE", help="its private key, if it is in another file")
    group.add_argument(
        "--forwarded",
        action="store_true",
        help="take the address of a client from X-Forwarded-For, whose last entry the proxy has added",
    )


def _add_ice(parser: Parser) -> None:
    group = parser.add_argument_group("ICE servers, which clients are told to use")
    address = {"action": "append", "default": [], "metavar": "HOST:PORT"}
    group.add_argument("--stun", **address, help="a STUN server; can be repeated")  # type: ignore[arg-type]
    group.add_argument("--turn", **address, help="a TURN server; can be repeated")  # type: ignore[arg-type]
    group.add_argument(
        "--turn-secret", type=Path, metavar="FILE", help="the file with the secret of the TURN servers, for --turn"
    )
    group.add_argument(
        "--turn-hours", type=number(1 / 60, 24 * 30), default=12.0, help="lifetimes of their credentials (%(default)g)"
    )
    group.add_argument("--policy", choices=get_args(IcePolicy), default="all", help="the routes to use (%(default)s)")


def _add_limits(parser: Parser) -> None:
    group = parser.add_argument_group("limits")
    group.add_argument(
        "--all-reach-all", action="store_true", help="signals need no common room; clients learn who is online"
    )
    for name, text in (
        ("max_clients", "connections"),
        ("max_rooms", "rooms"),
        ("rooms_per_client", "rooms that a client may be in"),
        ("max_signal", "bytes of a signal"),
        ("max_capacity", "members of a room"),
    ):
        most = {"max_signal": 8192, "max_capacity": 256}.get(name, 1_000_000)
        flag = "--" + name.replace("_", "-")
        group.add_argument(flag, type=integer(1, most), default=getattr(_DEFAULTS, name), help=f"{text} (%(default)s)")
    for name, text in (
        ("signals_per_second", "signals of one client a second"),
        ("connects_per_second", "connections from one address a second"),
    ):
        flag = "--" + name.replace("_", "-")
        group.add_argument(flag, type=number(0.01, 1e6), default=getattr(_DEFAULTS, name), help=f"{text} (%(default)g)")


def run(options: argparse.Namespace, output: Output) -> int:
    """Run the command, and return its exit code."""
    try:
        server = _server(options)
    except ImportError as error:
        raise CommandError(str(error)) from None
    context = _tls(options)
    _allow_many_descriptors()
    asyncio.run(_serve(server, options, context, output))
    return 0


def _server(options: argparse.Namespace) -> SignallingServer:
    ways: list[Callable[[str], object]] = []
    if options.tokens is not None and options.login is not None:
        raise CommandError("give either --tokens or --login")
    if options.tokens is not None:
        ways.append(Tokens.load(options.tokens).identity)
    if options.login is not None:
        ways.append(load_login(options.login))
    trust = [each for file in options.trust for each in read_certificates(file)]
    if not ways and not trust:
        raise CommandError("clients need a way to log in: --tokens, --login or --trust")
    if trust and not options.name:
        raise CommandError("--trust needs --name, which clients sign: the host in the URL of this server")
    names = ("max_clients", "max_rooms", "rooms_per_client", "max_signal", "max_capacity")
    limits = {each: getattr(options, each) for each in (*names, "signals_per_second", "connects_per_second")}
    try:
        return SignallingServer(
            ways[0] if ways else None,  # type: ignore[arg-type]
            trust=trust or None,
            name=options.name,
            ice_servers=_ice_servers(options),
            rooms_only=not options.all_reach_all,
            limits=SignallingLimits(**limits),
            address_of=_forwarded if options.forwarded else None,
        )
    except ValueError as error:
        raise CommandError(str(error)) from None


def _ice_servers(options: argparse.Namespace) -> Callable[[Identity], IceServers] | None:
    if options.turn and options.turn_secret is None:
        raise CommandError("--turn needs --turn-secret")
    if not options.stun and not options.turn:
        return None
    secret = b""
    if options.turn:
        secret = options.turn_secret.read_bytes().strip()
        if not secret:
            raise CommandError(f"{options.turn_secret} is empty")
    lifetime = timedelta(hours=options.turn_hours)

    def ice_servers(identity: Identity) -> IceServers:
        turn = [turn_credentials(each, secret, identity, lifetime) for each in options.turn]
        return IceServers(options.stun, turn, options.policy)

    try:
        ice_servers(Identity.string("check"))  # a wrong address is reported now
    except ValueError as error:
        raise CommandError(str(error)) from None
    return ice_servers


def _tls(options: argparse.Namespace) -> ssl.SSLContext | None:
    if options.tls_cert is None:
        if options.tls_key is not None:
            raise CommandError("--tls-key needs --tls-cert")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(options.tls_cert, options.tls_key)
    except (ssl.SSLError, ValueError) as error:
        raise CommandError(f"{options.tls_cert}: {error}") from None
    return context


def _forwarded(websocket: ServerConnection) -> str:
    """Return the address that the proxy saw: the last entry, since a client can send entries of its own."""
    headers = websocket.request.headers.get_all("X-Forwarded-For") if websocket.request is not None else []
    return headers[-1].rpartition(",")[2].strip() if headers else ""


def _allow_many_descriptors() -> None:
    """Raise the limit of open connections to what the system lets this user have."""
    with contextlib.suppress(ImportError, OSError, ValueError):  # there is no such module on Windows
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _serve(
    server: SignallingServer, options: argparse.Namespace, context: ssl.SSLContext | None, output: Output
) -> None:
    stopping = asyncio.Event()
    with contextlib.suppress(NotImplementedError):  # Windows
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    async with server:
        for address, number_ in await server.listen(options.host, options.port, ssl=context):
            scheme = "ws" if context is None else "wss"
            shown = f"[{address}]" if ":" in address else address
            output.line(f"listening on {scheme}://{shown}:{number_}", "bold")
        await stopping.wait()
    output.line("stopped", "dim")
