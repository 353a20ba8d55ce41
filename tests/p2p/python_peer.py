"""A peer of gns_py that a test talks to in lines, in the place of tests/core/p2p_peer.cpp, which describes them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import gns_py
import gns_py.asyncio as gns
from gns_py import Config, ConnectionClosed, ConnectionState, Identity, LogLevel, StatusChanged
from gns_py.p2p import Peer
from gns_py.p2p.signalling import Signal

# The names that the options of the command line have here.
_OPTIONS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "stun": ("p2p_stun_server_list", str),
    "turn": ("p2p_turn_server_list", str),
    "user": ("p2p_turn_user_list", str),
    "password": ("p2p_turn_pass_list", str),
    "ice": ("p2p_transport_ice_enable", int),
    "timeout": ("timeout_initial", int),
    "symmetric": ("symmetric_connect", int),
}
_STATES = {
    ConnectionState.CONNECTING: "connecting",
    ConnectionState.FINDING_ROUTE: "finding-route",
    ConnectionState.CONNECTED: "connected",
    ConnectionState.CLOSED_BY_PEER: "closed-by-peer",
    ConnectionState.PROBLEM_DETECTED_LOCALLY: "problem",
}


def say(*words: object) -> None:
    print(*words, flush=True)


class Lines:
    """The signalling: the test delivers what is printed."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.ice_servers = None
        self.arrived: asyncio.Queue[Signal] = asyncio.Queue()

    async def send(self, to: Identity, signal: bytes) -> None:
        say("signal", to, signal.hex())

    async def __aiter__(self) -> AsyncIterator[Signal]:
        while True:
            yield await self.arrived.get()

    async def aclose(self) -> None:
        pass


class Program:
    """The connections, and the commands."""

    def __init__(self, peer: Peer, signalling: Lines, config: Config) -> None:
        self._peer, self._signalling, self._config = peer, signalling, config
        self._connections: dict[int, gns.Connection] = {}
        self._requests: dict[int, gns_py.ConnectionRequest[gns.Connection]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._socket: gns.ListenSocket | None = None

    def note(self, change: StatusChanged[gns.Connection]) -> None:
        state = _STATES.get(change.new, "none")
        say("state", change.connection.handle, state, change.info.end_reason, change.info.end_text)

    def start(self, coroutine: Any) -> None:
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def listen(self) -> None:
        self._socket = await gns.listen(self._peer, 0, config=self._config, on_status_changed=self.note)
        self.start(self._accept(self._socket))

    async def _accept(self, socket: gns.ListenSocket) -> None:
        async for request in socket:
            connection = request.connection
            self._requests[connection.handle] = request
            say("inbound", connection.handle, connection.remote_identity)

    async def connect(self, to: str) -> None:
        """Print the handle as soon as there is one, which the first change of state brings."""
        told = False

        def note(change: StatusChanged[gns.Connection]) -> None:
            nonlocal told
            if not told:
                told = True
                self._connections[change.connection.handle] = change.connection
                say("connecting", change.connection.handle)
            self.note(change)

        address = self._peer.at(to)

        async def wait() -> None:
            with contextlib.suppress(gns_py.ConnectFailed):
                connection = await gns.connect(address, timeout=None, config=self._config, on_status_changed=note)
                self.start(self._receive(connection))

        self.start(wait())

    async def accept(self, number: str) -> None:
        connection = self._requests.pop(int(number)).accept()
        self._connections[connection.handle] = connection
        self.start(self._receive(connection))

    async def _receive(self, connection: gns.Connection) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in connection:
                say("message", connection.handle, message.decode())

    async def send(self, number: str, *words: str) -> None:
        with contextlib.suppress(ConnectionClosed):
            self._connections[int(number)].send(" ".join(words).encode(), no_delay=False)

    async def close(self, number: str, reason: str, linger: str, *words: str) -> None:
        self._connections[int(number)].close(int(reason), " ".join(words), linger=linger == "1")

    async def route(self, number: str) -> None:
        connection = self._connections[int(number)]
        say("route", number, connection.route, connection.remote_address or "[::]:0")

    async def signal(self, sender: str, data: str) -> None:
        self._signalling.arrived.put_nowait(Signal(Identity.parse(sender), bytes.fromhex(data)))


class StandardError(logging.Handler):
    """Prints lines as the other program does: 2 is an error, or worse; 5 is anything else."""

    def emit(self, record: logging.LogRecord) -> None:
        print(f"GNS {2 if record.levelno >= logging.ERROR else 5}: {self.format(record)}", file=sys.stderr)


async def main(name: str, *options: str) -> None:
    given = dict(each.split("=", 1) for each in options)
    if not given["turn"]:  # plain GNS does not mind
        del given["user"], given["password"]
    config = Config(**{_OPTIONS[key][0]: _OPTIONS[key][1](value) for key, value in given.items()})
    loop = asyncio.get_running_loop()
    signalling = Lines(Identity.parse(name))
    async with Peer(signalling) as peer:
        gns_py.set_log_level(LogLevel.VERBOSE)
        gns_py.set_config(Config(log_level_p2p_rendezvous=LogLevel.VERBOSE))
        program = Program(peer, signalling, config)
        say("ready")
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            command, *words = line.split()
            await getattr(program, command)(*words)


if __name__ == "__main__":
    logging.getLogger("gns_py").addHandler(StandardError())
    logging.getLogger("gns_py").setLevel(logging.DEBUG)
    asyncio.run(main(*sys.argv[1:]))
