"""The two peers of ``gns-py p2p demo``, each a process: bob sends everything back, alice connects and counts."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .. import Config, ConfigValue, GNSError, StatusChanged, reset_config, set_config
from .. import asyncio as gns
from ..events import RouteChanged
from ..p2p import IceServers, Peer
from ..p2p.signalling import LineSignalling, Signalling
from ..session import asyncio as session
from .demo_server import Entry, clock, state_change

if TYPE_CHECKING:
    from multiprocessing.connection import Connection as Pipe

CONNECTIONS, SESSIONS = 0, 1
"""The virtual ports at which bob listens."""
MESSAGES = 100
NUMBERS = 120
CUT_AT, CUT_SECONDS = 20, 3.0
"""After which number alice is cut off, and for how long."""
_PAUSE = 0.02
_SETTINGS = session.SessionConfig(ping_timeout=1.0, resume_window=30.0)
_LOST = ConfigValue.FAKE_PACKET_LOSS_SEND, ConfigValue.FAKE_PACKET_LOSS_RECV


@dataclass
class Outcome:
    """Alice's measurements."""

    route: str = ""
    ping_ms: float = 0.0
    connected_after: float = 0.0
    numbers: int = 0
    drops: int = 0
    time_dropped: float = 0.0
    failure: str = ""


def run_peer(pipe: Pipe, name: str, service: tuple[str, int], ice_servers: IceServers | None = None) -> None:
    """Be a peer of a signalling service, until the pipe closes. It gets what DemoPeer sends."""
    # Ctrl-C reaches this process, too, but it is to end after the other one, when the pipe closes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.getLogger("gns_py").setLevel(logging.CRITICAL)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        asyncio.run(_run(pipe, name, service, ice_servers))


async def _run(pipe: Pipe, name: str, service: tuple[str, int], ice_servers: IceServers | None) -> None:
    async with LineSignalling(*service, f"str:{name}") as signalling:
        peer = asyncio.ensure_future(DemoPeer(name, pipe.send, signalling, ice_servers).run())
        while not peer.done():
            if await asyncio.to_thread(pipe.poll, 0.1):  # nothing is sent this way: readable means closed
                peer.cancel()
                break
        with contextlib.suppress(asyncio.CancelledError):
            await peer


class DemoPeer:
    """A peer.

    Args:
        name: "alice" or "bob".
        send: Called with entries of the timeline; by alice at last with the Outcome, by bob with "ready".
        signalling: Its signalling.
        ice_servers: The servers that help to find a route.
    """

    def __init__(
        self,
        name: str,
        send: Callable[[object], object],
        signalling: Signalling,
        ice_servers: IceServers | None = None,
    ) -> None:
        self._name = name
        self._send = send
        self._signalling = signalling
        self._ice_servers = ice_servers

    async def run(self) -> None:
        """Be the peer: bob for ever, alice until she has an Outcome."""
        async with Peer(
            self._signalling, ice_servers=self._ice_servers, on_route_changed=self._on_route_changed
        ) as peer:
            await (self._serve(peer) if self._name == "bob" else self._play(peer))

    # ---- bob ----

    async def _serve(self, peer: Peer) -> None:
        async def echo(connection: gns.Connection) -> None:
            async for data in connection:
                connection.send(data, nagle=False)

        async def count(player: session.Session) -> None:
            async for data in player:
                player.send(data)

        async with (
            gns.serve(echo, peer, CONNECTIONS, limits=None, on_status_changed=self._on_status_changed),
            session.serve(count, peer, SESSIONS, session_config=_SETTINGS, limits=None),
        ):
            self._send("ready")
            await asyncio.get_running_loop().create_future()

    # ---- alice ----

    async def _play(self, peer: Peer) -> None:
        outcome = Outcome()
        try:
            await self._exchange(peer, outcome)
            await self._count(peer, outcome)
        except (GNSError, TimeoutError, OSError) as error:
            outcome.failure = str(error) or type(error).__name__
        self._send(outcome)

    async def _exchange(self, peer: Peer, outcome: Outcome) -> None:
        begin = time.perf_counter()
        self._say("connects to str:bob, and knows no address of it")
        async with gns.connect(peer.at("str:bob", CONNECTIONS), on_status_changed=self._on_status_changed) as bob:
            outcome.connected_after = time.perf_counter() - begin
            outcome.ping_ms = 1000 * await bob.ping()
            outcome.route = str(bob.route)
            self._say(f"is connected, route {bob.route}, to {bob.remote_address}, {outcome.ping_ms:.1f} ms")
            for number in range(MESSAGES):
                bob.send(b"%d" % number, nagle=False)
            for number in range(MESSAGES):
                if await bob.recv() != b"%d" % number:
                    raise OSError("a message came back changed or in another order")
            self._say(f"received all {MESSAGES} reliable messages back, in order")
            bob.close(1000, "now a session")

    async def _count(self, peer: Peer, outcome: Outcome) -> None:
        def dropped(_: object, why: session.SessionEnd) -> None:
            self._say(f"has lost its connection: {why.reason.name}")

        def resumed(_: object, replayed: int) -> None:
            self._say(f"goes on over another connection, and sends {replayed} messages again")

        self._say(f"begins a session, and counts to {NUMBERS}")
        where = peer.at("str:bob", SESSIONS)
        cut: asyncio.Future[None] | None = None
        async with session.connect(where, session_config=_SETTINGS, on_dropped=dropped, on_resumed=resumed) as player:
            for number in range(1, NUMBERS + 1):
                if number == CUT_AT:
                    cut = asyncio.ensure_future(self._cut_off())
                player.send(b"%d" % number)
                if int(await player.recv()) != number:
                    raise OSError("a number is missing, or came twice")
                await asyncio.sleep(_PAUSE)
            assert cut is not None
            await cut
            outcome.numbers, outcome.drops, outcome.time_dropped = NUMBERS, player.drops, player.time_dropped

    async def _cut_off(self) -> None:
        """Lose all packets for a while. The signalling, another network here, goes on."""
        self._say(f"is cut off: all its packets are lost for {CUT_SECONDS:g} s")
        set_config(Config(fake_packet_loss_send=100.0, fake_packet_loss_recv=100.0))
        await asyncio.sleep(CUT_SECONDS)
        reset_config(*_LOST)
        self._say("is no longer cut off")

    # ---- the timeline ----

    def _say(self, text: str) -> None:
        self._send(Entry(time.perf_counter(), self._name, text))

    def _on_status_changed(self, event: StatusChanged[Any]) -> None:
        self._send(state_change(self._name, event))

    def _on_route_changed(self, event: RouteChanged[Any]) -> None:
        self._send(Entry(clock(event.time_us), self._name, f"route {event.old} -> {event.new}"))
