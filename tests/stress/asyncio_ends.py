"""Connections and sessions of gns_py.asyncio, as plans say."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, TypeVar

import gns_py.asyncio as gns
import gns_py.session.asyncio as sessions
from gns_py import Message
from gns_py.session import AdmissionRules, SessionClosed

from .journal import Journal, Notes
from .plans import Outgoing, Plan, bursts, is_plan
from .settings import ABORTED, CODE, CONFIG, PATIENCE, RAISED, SESSION_CONFIG, SHUTDOWN
from .watch import Watch

T = TypeVar("T")
Link: TypeAlias = "gns.Connection | sessions.Session"
WRONG = (gns.ConnectionClosed, SessionClosed)
LATE = (TimeoutError, asyncio.TimeoutError)  # one and the same from Python 3.11 on
LOOK = 0.05


class _Raised(Exception):  # noqa: N818 - by plan
    pass


async def play(link: Link, notes: Notes, rng: random.Random) -> None:
    """Play one end's part; return once it has ended."""
    writer = asyncio.ensure_future(_write_and_close(link, notes, rng))
    try:
        await _read(link, notes)
        await asyncio.wait([writer], timeout=PATIENCE)
        if not writer.done():
            notes.write("stuck", what="sending, or closing")
        notes.end("wait", await asyncio.wait_for(link.wait_closed(), PATIENCE))
        await _read_rest(link, notes)
        if link.end is None:
            notes.write("stuck", what="nothing is left to be read, and there is no end")
        else:
            notes.end("attribute", link.end)
    except LATE:
        notes.write("stuck", what=f"it does not end: {link!r}")
    except Exception:
        notes.unexpected("playing")
    finally:
        writer.cancel()
        await asyncio.wait([writer])
        link.close()
        notes.write("over")


async def _write_and_close(link: Link, notes: Notes, rng: random.Random) -> None:
    try:
        if notes.mine.lanes > 1:
            link.configure_lanes([0] * notes.mine.lanes)
        sent = 0
        for burst in bursts(notes.plan, notes.mine, rng):
            if sent >= notes.mine.after and notes.mine.how in ("close", "abort", "raise", "cancel"):
                break
            notes.sending(burst)
            if not await _send(link, burst, notes):
                break
            sent += len(burst)
            await asyncio.sleep(rng.random() * 0.01 if notes.mine.pauses else 0)
        await _close(link, notes)
    except WRONG:
        pass  # the reader is told, too
    except Exception:
        notes.unexpected("sending or closing")


async def _send(link: Link, burst: list[Outgoing], notes: Notes) -> bool:
    until = _now() + notes.patience
    for each in burst:
        while True:
            try:
                link.send(each.data, reliable=each.reliable, lane=each.lane)
                break
            except gns.SendQueueFull:
                try:
                    await _impatiently(link.drain, LOOK if notes.mine.impatient else notes.patience)
                except LATE:
                    if _now() > until:
                        if notes.patience == PATIENCE:
                            notes.write("stuck", what="draining")
                        return False
        notes.sent([each])
    return True


async def _close(link: Link, notes: Notes) -> None:
    match notes.mine.how:
        case "read all, close":
            until = _now() + PATIENCE
            while not notes.all_read.is_set() and link.end is None:
                if _now() > until:
                    notes.write("stuck", what="not all has come, and no end")
                    return
                await asyncio.sleep(LOOK)
            if link.end is None:
                notes.closing("close", CODE)
                await link.close(CODE, "read all")
        case "close":
            notes.closing("close", CODE)
            await link.close(CODE, "enough")
        case "abort":
            notes.closing("abort", ABORTED)
            if isinstance(link, gns.Connection):
                link.close(ABORTED, "given up", linger=False)
            else:
                link.abort(ABORTED, "given up")
        case "raise":
            notes.closing("raise", RAISED)
            with contextlib.suppress(_Raised):
                async with link:
                    raise _Raised
        case "cancel":
            notes.closing("cancel", gns.EndReason.GOING_AWAY)
            with contextlib.suppress(asyncio.CancelledError):
                async with link:
                    raise asyncio.CancelledError
        case _:
            pass  # the other end does that


async def _impatiently(what: Callable[[], Awaitable[T]], timeout: float) -> T:
    """Receive a message. Raises LATE."""
    return await asyncio.wait_for(what(), timeout)


async def _read(link: Link, notes: Notes) -> None:
    read = 0
    until = _now() + PATIENCE
    while not (notes.mine.how == "deaf" and read >= notes.mine.after):
        try:
            messages = await _impatiently(link.recv_many, 0.001 if notes.mine.impatient else PATIENCE)
        except LATE:
            if _now() > until:
                notes.write("stuck", what=f"nothing comes, and no end: {link!r}")
                return
            continue
        except WRONG as error:
            notes.end("recv", error.end)
            return
        notes.received(messages)
        read += len(messages)
        until = _now() + PATIENCE
        if notes.mine.pauses:
            await asyncio.sleep(0.005)


async def _read_rest(link: Link, notes: Notes) -> None:
    """Read the messages that had arrived before the end."""
    with contextlib.suppress(*WRONG, *LATE):
        while True:
            messages = await asyncio.wait_for(link.recv_many(), LOOK)
            notes.received(messages)


def _now() -> float:
    return asyncio.get_running_loop().time()


class AsyncioServer:
    """Serves connections and sessions."""

    @classmethod
    async def make(cls, journal: Journal, seed: int) -> AsyncioServer:
        """Open the ports."""
        self = cls()
        self._journal = journal
        self._seed = seed
        self.watch = Watch(journal)
        named: dict[str, Any] = {"config": CONFIG, "on_status_changed": self.watch}
        rules = AdmissionRules(max_pending_per_address=None)
        self._connections = await gns.serve(self._handle_connection, "127.0.0.1", 0, **named)
        self._sessions = await sessions.serve(
            self._handle_session, "127.0.0.1", 0, session_config=SESSION_CONFIG, rules=rules, **named
        )
        self.ports = {"connection": self._connections.address.port, "session": self._sessions.address.port}
        return self

    _journal: Journal
    _seed: int
    _connections: gns.Server
    _sessions: sessions.Server
    watch: Watch
    ports: dict[str, int]

    async def close(self) -> None:
        """End everything, and wait for that."""
        for server in (self._connections, self._sessions):
            server.close(SHUTDOWN, "closing")
        for server in (self._connections, self._sessions):
            await asyncio.wait_for(server.wait_closed(), PATIENCE)

    def left(self) -> dict[str, int]:
        """Return what is still there."""
        return {
            "connections": len(self._connections.connections),
            "sessions": len(self._sessions.sessions),
            "alive": len(self.watch.alive),
        }

    async def _handle_connection(self, connection: gns.Connection) -> None:
        early: list[Message] = []  # which have overtaken the plan
        try:
            while not is_plan((message := await asyncio.wait_for(connection.recv_message(), PATIENCE)).data):
                early.append(message)
        except (gns.ConnectionClosed, *LATE):
            return  # it has vanished before it could send anything
        await self._play(connection, Plan.decode(message.data), early)

    async def _handle_session(self, session: sessions.Session) -> None:
        await self._play(session, Plan.decode(session.peer_data), [])

    async def _play(self, link: Link, plan: Plan, early: list[Message]) -> None:
        notes = Notes(self._journal, plan, "server")
        notes.received(early)
        await play(link, notes, random.Random(f"{self._seed}/{plan.name}/server"))


class AsyncioClient:
    """Has connections and sessions, one after the other in each of some tasks."""

    def __init__(self, journal: Journal, seed: int, name: str, workers: int, ports: Callable[[str], int]) -> None:
        self._journal = journal
        self._seed = seed
        self._name = name
        self._ports = ports
        self._is_stopped = False
        self.watch = Watch(journal)
        self._workers = [asyncio.ensure_future(self._work(number)) for number in range(workers)]

    async def stop(self) -> None:
        """Begin nothing more, and wait for what is in progress."""
        self._is_stopped = True
        await asyncio.gather(*self._workers)

    def left(self) -> dict[str, int]:
        """Return what is still there."""
        return {"alive": len(self.watch.alive)}

    async def _work(self, worker: int) -> None:
        number = 0
        while not self._is_stopped:
            number += 1
            name = f"{self._name}-{worker}-{number}"
            rng = random.Random(f"{self._seed}/{name}")
            plan = Plan.make(name, rng)
            try:
                link = await self._connect(plan)
            except (gns.ConnectionClosed, SessionClosed) as error:
                self._journal.write(e="refused", link=name, why=f"{type(error).__name__}: {error}")
                await asyncio.sleep(LOOK)
                continue
            except Exception:
                self._journal.unexpected("connecting", link=name)
                continue
            await play(link, Notes(self._journal, plan, "client"), rng)

    async def _connect(self, plan: Plan) -> Link:
        named: dict[str, Any] = {"config": CONFIG, "on_status_changed": self.watch, "timeout": PATIENCE}
        port = self._ports(plan.kind)
        if plan.kind == "session":
            return await sessions.connect("127.0.0.1", port, data=plan.encode(), session_config=SESSION_CONFIG, **named)
        connection = await gns.connect("127.0.0.1", port, **named)
        connection.send(plan.encode())
        return connection
