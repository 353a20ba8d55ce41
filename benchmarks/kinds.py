"""The kinds of peers: their programs, what these need, and what a user has to know to compare them."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import builds

Command = list[str]


class Kind(NamedTuple):
    """A kind of peer."""

    program: str
    """A module of `peers`, or the name of a C++ program."""
    arguments: str = ""
    what: str = ""
    transport: str = "UDP"
    encrypted: bool = True
    reliable: bool = True
    messages: bool = True
    """It delivers messages, not a stream of bytes."""
    needs: tuple[str, ...] = ()
    """Python modules, in addition to uvloop."""

    def command(self, folder: Path) -> Command:
        """Return how to run it, after compiling it, into the folder, where that is needed."""
        if self.program in builds.BUILDS:
            return [str(builds.BUILDS[self.program](folder)), *self.arguments.split()]
        return [sys.executable, "-m", f"peers.{self.program}", *self.arguments.split()]

    def missing(self) -> str:
        """Return what it lacks to run here, or nothing."""
        modules = [name for name in self.needs if find_spec(name) is None]
        return ", ".join([*modules, *builds.missing(self.program)])


KINDS = {
    "udp": Kind("udp_peer", "", "UDP sockets in C++, blocking", encrypted=False, reliable=False),
    "cpp-inline": Kind("upstream_peer", "inline", "GNS in C++, served by the thread that waits"),
    "cpp-service": Kind("upstream_peer", "service", "GNS in C++ with its service thread; looks every millisecond"),
    "cpp-busy": Kind("upstream_peer", "busy", "GNS in C++ with its service thread; looks all the time"),
    "cpp-core": Kind("core_peer", "", "gns_py's core in C++"),
    "gns_py-sync": Kind("sync_peer", "connection", "gns_py.sync"),
    "gns_py-asyncio": Kind("asyncio_peer", "asyncio connection", "gns_py.asyncio"),
    "gns_py-uvloop": Kind("asyncio_peer", "uvloop connection", "gns_py.asyncio on uvloop"),
    "gns_py-session-sync": Kind("sync_peer", "session", "gns_py.session.sync"),
    "gns_py-session-asyncio": Kind("asyncio_peer", "asyncio session", "gns_py.session.asyncio"),
    "gns_py-session-uvloop": Kind("asyncio_peer", "uvloop session", "gns_py.session.asyncio on uvloop"),
    "websockets": Kind(
        "websockets_peer", "plain", "websockets on uvloop", "TCP", encrypted=False, needs=("websockets", "trustme")
    ),
    "websockets-tls": Kind(
        "websockets_peer", "tls", "websockets on uvloop, TLS", "TCP", needs=("websockets", "trustme")
    ),
    "picows": Kind(
        "picows_peer", "plain", "picows on uvloop, callbacks", "TCP", encrypted=False, needs=("picows", "trustme")
    ),
    "picows-tls": Kind("picows_peer", "tls", "picows on uvloop, callbacks, TLS", "TCP", needs=("picows", "trustme")),
    "enet": Kind("enet_peer", "", "ENet by pyenet", encrypted=False, needs=("enet",)),
    "aioquic": Kind(
        "aioquic_peer", "", "QUIC by aioquic on uvloop, a stream", messages=False, needs=("aioquic", "trustme")
    ),
}
"""In the order of tables."""
OURS = ("cpp-core", "gns_py-sync", "gns_py-asyncio", "gns_py-uvloop")
"""Those through gns_py's core, without sessions."""
