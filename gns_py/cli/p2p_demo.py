"""``gns-py p2p demo``: two peers find each other, and a session between them outlives its connection.

This process is the signalling service, and the peers are its children (p2p_demo_peer); with ``--lab`` all three are
programs of a laboratory (p2p_demo_lab). Events of both peers are printed as one timeline.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from ..p2p.signalling import LineSignallingServer
from ..sim.nat_lab import Nat
from .demo_server import Entry
from .output import CommandError, Output
from .p2p_demo_lab import SERVICE, laboratory
from .p2p_demo_peer import Outcome, run_peer

if TYPE_CHECKING:
    from multiprocessing.connection import Connection as Pipe

# The longest that the start of a peer, and then all of it, may take, in seconds.
_START, _LIMIT = 15.0, 60.0
_LOOK = 0.02
# An entry is printed when it is this old, so that those of the other process that are older have arrived.
_AGE = 0.2
_STYLES = {"alice": "green", "bob": "cyan"}


def run(options: argparse.Namespace, output: Output) -> int:
    """Run the command, and return its exit code."""
    timeline = _Timeline(output)
    outcome = asyncio.run(_run_in_lab(timeline, *options.lab) if options.lab else _run(timeline))
    if outcome.failure:
        hint = "" if options.lab else ". Peers need a network address that is not one of loopback"
        raise CommandError(f"{outcome.failure}{hint}")
    drops = "once" if outcome.drops == 1 else f"{outcome.drops} times"
    output.line()
    output.line(f"Connected after {outcome.connected_after:.2f} s, route {outcome.route}, {outcome.ping_ms:.1f} ms.")
    output.line(
        f"The session lost its connection {drops}, for {outcome.time_dropped:.1f} s in all. "
        f"All {outcome.numbers} numbers arrived there and back, each once and in order.",
        "bold green",
    )
    return 0


async def _run(timeline: _Timeline) -> Outcome:
    async with LineSignallingServer() as server:
        _, port = await server.listen()
        timeline.add("network", "a signalling service has started: it passes the peers' signals on, and nothing else")
        return await _play(timeline, lambda name: _peer(name, port))


async def _run_in_lab(timeline: _Timeline, alices: str, bobs: str) -> Outcome:
    with laboratory(Nat(alices), Nat(bobs)) as start, start(SERVICE) as service:
        await timeline.hear(service, _START, "the signalling service did not start")
        for name, nat in (("alice", alices), ("bob", bobs)):
            timeline.add("network", f"{name} is behind a router: NAT {nat}" if nat != "none" else f"{name} is public")
        timeline.add("network", "a signalling service, and a STUN and TURN server, are between the routers")
        return await _play(timeline, start)


async def _play(timeline: _Timeline, start: Callable[[str], AbstractContextManager[Pipe]]) -> Outcome:
    try:
        with start("bob") as bob:
            await timeline.hear(bob, _START, "bob did not start")
            with start("alice") as alice:
                outcome = await timeline.hear(alice, _LIMIT, "alice did not finish", bob)
    finally:
        timeline.show()
    assert isinstance(outcome, Outcome)
    return outcome


@contextmanager
def _peer(name: str, port: int) -> Iterator[Pipe]:
    # A new process, not a fork: the child of a process where GNS runs cannot use it.
    context = multiprocessing.get_context("spawn")
    pipe, its_pipe = context.Pipe()
    arguments = its_pipe, name, ("127.0.0.1", port)
    process = context.Process(target=run_peer, args=arguments, name=f"gns-py p2p demo {name}", daemon=True)
    process.start()
    its_pipe.close()
    try:
        yield pipe
    finally:
        pipe.close()
        process.join(2.0)
        process.kill()
        process.join()


class _Timeline:
    """Events of all processes, printed in the order of their times."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._begin = time.perf_counter()
        self._entries: list[Entry] = []

    def add(self, who: str, text: str) -> None:
        self._entries.append(Entry(time.perf_counter(), who, text))

    async def hear(self, peer: Pipe, limit: float, failure: str, *others: Pipe) -> object:
        """Take entries from all, until there is something else from the first one; return that."""
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            for pipe in (peer, *others):
                item = self._take(pipe)
                if item is not None:
                    return item
            self.show(time.perf_counter() - _AGE)
            await asyncio.sleep(_LOOK)
        raise CommandError(f"{failure} within {limit:g} s")

    def _take(self, pipe: Pipe) -> object:
        try:
            while pipe.poll():
                item = pipe.recv()
                if not isinstance(item, Entry):
                    return item
                self._entries.append(item)
        except (EOFError, ConnectionResetError, BrokenPipeError):
            raise CommandError("a peer's process ended too early") from None
        return None

    def show(self, until: float = float("inf")) -> None:
        """Print the entries of up to a time that have not been printed yet."""
        due = sorted(each for each in self._entries if each.when <= until)
        self._entries = [each for each in self._entries if each.when > until]
        for when, who, text in due:
            self._output.line(f"{when - self._begin:7.3f} s  {who:<9}{text}", _STYLES.get(who, "dim"))
