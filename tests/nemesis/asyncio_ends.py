"""Servers and clients of gns_py.session.asyncio, on any loop."""

from __future__ import annotations

import asyncio
import contextlib
import itertools

import gns_py.session.asyncio as sessions
from gns_py import GNSError, SendQueueFull
from gns_py.session import SessionClosed

from .history import History
from .part import Part
from .plans import Outgoing, Plan
from .roles import Settings
from .settings import ABORTED, BATCH, COMPLETE, MIDWAY, PATIENCE, SHUTDOWN

_LOOK = 0.05


async def play(session: sessions.Session, part: Part) -> None:
    """Play one end's part, until the session has ended."""
    part.write("open", session.id.hex())
    writer = asyncio.ensure_future(_write(session, part))
    try:
        with contextlib.suppress(SessionClosed):
            while True:
                part.handled(await asyncio.wait_for(session.recv_many(BATCH), PATIENCE))
        end = await asyncio.wait_for(session.wait_closed(), PATIENCE)
        part.ended(end, session.drops, session.time_dropped)
    except Exception:
        part.fault()
        session.abort(ABORTED, "it hangs")
    finally:
        writer.cancel()
        await asyncio.wait([writer])


async def _write(session: sessions.Session, part: Part) -> None:
    try:
        session.configure_lanes([0, 1, 1], [1, 1, 2])
        for burst in part.plan.bursts(part.side):
            await _send(session, part, burst)
            await asyncio.sleep(part.plan.pause)
        if not part.closes:
            return
        while part.plan.how == "complete" and not part.has_everything:
            await asyncio.sleep(_LOOK)
        part.write("close", part.plan.how)
        if part.plan.how == "abort":
            session.abort(ABORTED, "by plan")
        else:
            await session.close(COMPLETE if part.plan.how == "complete" else MIDWAY)
    except SessionClosed:
        pass  # the reader is told, too
    except Exception:
        part.fault()
        session.abort(ABORTED, "it hangs")


async def _send(session: sessions.Session, part: Part, burst: list[Outgoing]) -> None:
    with part.sending(burst) as accepted:
        for each in burst:
            while True:
                try:
                    number = session.send(each.data, lane=each.lane)
                    break
                except SendQueueFull:
                    await asyncio.wait_for(session.drain(), PATIENCE)
            part.accepted(each, number, accepted)


class AsyncioServer:
    """A server whose sessions have tasks."""

    def __init__(self, settings: Settings, history: History) -> None:
        self._settings = settings
        self._history = history

    async def open(self) -> None:
        """Open the port."""
        self._server = await sessions.serve(
            self._handle, self._settings.host, self._settings.port, **self._settings.serve_options(self._history)
        )
        self.port = self._server.address.port

    async def _handle(self, session: sessions.Session) -> None:
        await play(session, self._settings.part_of(session, self._history))

    def left(self) -> int:
        """Return the number of sessions."""
        return len(self._server.sessions)

    async def close(self) -> None:
        """End everything, and wait for that."""
        self._server.close(SHUTDOWN)
        await asyncio.wait_for(self._server.wait_closed(), PATIENCE)


class AsyncioClient:
    """Has one session after the other in each of some tasks."""

    def __init__(self, settings: Settings, history: History) -> None:
        self._settings = settings
        self._history = history
        self._is_stopped = False
        self._open: dict[str, sessions.Session] = {}
        self._extra = itertools.count()
        self._tasks = [asyncio.ensure_future(self._work(number)) for number in range(settings.workers)]

    def reconnect(self, count: int) -> None:
        """Let that many sessions change their connection."""
        for session in list(self._open.values())[:count]:
            with contextlib.suppress(SessionClosed, GNSError):
                session.reconnect()

    def crowd(self, count: int, worker: str) -> None:
        """Begin more sessions at once, which end by their plans, with the key of that worker, if it has one."""
        for _ in range(count):
            name = f"{self._settings.name}.{worker}.x{next(self._extra)}"
            self._tasks.append(asyncio.ensure_future(self._session(name)))

    def left(self) -> int:
        """Return the number of sessions."""
        return len(self._open)

    async def stop(self) -> None:
        """Begin nothing more, and wait for the sessions that are there."""
        self._is_stopped = True
        await asyncio.wait(self._tasks, timeout=PATIENCE)

    async def _work(self, worker: int) -> None:
        for number in itertools.count():
            if self._is_stopped:
                return
            await self._session(f"{self._settings.name}.{worker}.{number}")

    async def _session(self, name: str) -> None:
        part = Part(self._history, Plan.of(name, self._settings.lasts), "client")
        part.write("begin")
        try:
            session = await sessions.connect(*self._settings.where(name), **self._settings.connect_options(name, part))
        except (SessionClosed, GNSError, OSError) as error:
            part.write("refused", type(error).__name__, error)
            await asyncio.sleep(_LOOK)
            return
        except Exception:
            part.fault()
            return
        self._open[name] = session
        try:
            await play(session, part)
        finally:
            del self._open[name]
