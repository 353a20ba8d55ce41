"""The signalling service and the peers of ``gns-py p2p demo --lab``, each a program of a laboratory of NATs."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from multiprocessing.connection import Connection

from ..p2p import IceServers, Turn
from ..p2p.signalling import LineSignallingServer
from ..sim.nat_lab import SERVER, STUN_PORT, Nat, NatLab, why_not
from .output import CommandError
from .p2p_demo_peer import run_peer

SERVICE = "service"
_PLACES = {SERVICE: "internet", "alice": "a", "bob": "b"}
_SIGNALLING = SERVER, 10000
_COTURN = f"{SERVER}:{STUN_PORT}"


@contextlib.contextmanager
def laboratory(alices: Nat, bobs: Nat) -> Iterator[Callable[[str], AbstractContextManager[Connection]]]:
    """Build a laboratory with its STUN and TURN server, and return the function that starts one of its programs.

    Args:
        alices: The NAT before alice.
        bobs: The NAT before bob.

    Raises:
        CommandError: There can be none here.
    """
    if reason := why_not():
        raise CommandError(reason)
    with contextlib.ExitStack() as stack:
        try:
            lab = stack.enter_context(NatLab())
            lab.put_behind(alices, bobs)
            lab.start_server()
        except (OSError, subprocess.SubprocessError) as error:
            raise CommandError(f"the NAT laboratory does not work here: {error}") from None
        yield lambda name: _start(lab, name)


@contextlib.contextmanager
def _start(lab: NatLab, name: str) -> Iterator[Connection]:
    """Start a program, and return the pipe to which it sends what it has to say."""
    pipe, its_pipe = multiprocessing.Pipe()
    with pipe:
        with its_pipe:
            descriptor = its_pipe.fileno()
            program = f"from {__name__} import main; main({name!r}, {descriptor})"
            lab.start(_PLACES[name], sys.executable, "-c", program, pass_fds=[descriptor])
        yield pipe


async def _serve(pipe: Connection) -> None:
    async with LineSignallingServer() as server:
        await server.listen(*_SIGNALLING)
        pipe.send("ready")
        await asyncio.to_thread(pipe.poll, None)  # nothing is sent this way: readable means closed


def main(name: str, descriptor: int) -> None:
    """Be one of the programs."""
    with Connection(descriptor) as pipe:
        if name == SERVICE:
            asyncio.run(_serve(pipe))
        else:
            run_peer(pipe, name, _SIGNALLING, IceServers([_COTURN], [Turn(_COTURN, "user", "password")]))
