"""A server of gns_py.session.asyncio whose sessions are durable."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable

import gns_py.session.asyncio as sessions
from gns_py import SendQueueFull
from gns_py.session import SessionClosed
from gns_py.session.store import StoreUnavailable

from .asyncio_ends import AsyncioServer
from .history import History
from .roles import Settings
from .settings import ABORTED, ATTEMPTS, BATCH, MIDWAY, PATIENCE, TICK
from .view import View

_PAUSE = 0.2
Commit = Callable[[sessions.Session, bytes], Awaitable[None]]


async def play(session: sessions.Session, view: View, commit: Commit) -> None:
    """Play the server's part in a durable session, until it has ended here."""
    view.write("open", session.id.hex(), "restored" if session.restored else "new", view.base)
    try:
        try:
            await _go_on(session, view, commit)
            view.write("close", view.plan.how)
            if view.plan.how == "abort":
                session.abort(ABORTED, "by plan")
            else:
                await session.close(MIDWAY)
        except SessionClosed:
            await _answer_goodbye(session, view, commit)
        end = await asyncio.wait_for(session.wait_closed(), PATIENCE)
        view.ended(end, session.drops, session.time_dropped)
    except Exception:
        view.fault()
        session.abort(ABORTED, "it hangs")


async def _go_on(session: sessions.Session, view: View, commit: Commit) -> None:
    """Take, send and commit, until it is this end that closes."""
    session.configure_lanes([0, 1, 1], [1, 1, 2])
    while not view.closes_now or view.is_dirty:
        wait = view.wait
        with contextlib.suppress(asyncio.TimeoutError):
            view.handled(await asyncio.wait_for(session.recv_many(BATCH), wait))
        _send(session, view)
        if view.is_commit_due:
            await _commit(session, view, commit)


def _send(session: sessions.Session, view: View) -> None:
    burst = view.take_burst()
    if not burst:
        return
    with view.sending(burst) as accepted:
        for place, each in enumerate(burst):
            try:
                number = session.send(each.data, lane=each.lane)
            except SendQueueFull:
                view.put_back(burst[place:])
                return
            view.accepted(each, number, accepted)


async def _commit(session: sessions.Session, view: View, commit: Commit) -> None:
    state = view.begin_commit()
    try:
        await commit(session, state)
    except StoreUnavailable:
        view.unanswered()
    else:
        view.committed()


async def _answer_goodbye(session: sessions.Session, view: View, commit: Commit) -> None:
    with contextlib.suppress(SessionClosed):
        for _ in range(ATTEMPTS):
            if not view.is_dirty:
                break
            await _commit(session, view, commit)
    session.close()


class DurableAsyncioServer(AsyncioServer):
    """A server with a store, whose sessions have tasks."""

    def __init__(self, settings: Settings, history: History) -> None:
        super().__init__(settings, history)
        self._numbers = itertools.count(1)
        self._due: dict[sessions.Session, tuple[bytes, asyncio.Future[None]]] = {}

    async def open(self) -> None:
        """Open the store, and then the port, however long the store may be away."""
        while True:
            try:
                await super().open()
                break
            except StoreUnavailable:
                await asyncio.sleep(_PAUSE)
        self._ticker = asyncio.ensure_future(self._tick())

    async def _handle(self, session: sessions.Session) -> None:
        settings = self._settings
        view = View(self._history, settings.plan_of(session), settings.name, next(self._numbers), session.saved_state)
        await play(session, view, self._commit_soon if view.commits_in_ticks else _commit_now)

    async def _commit_soon(self, session: sessions.Session, state: bytes) -> None:
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._due[session] = state, stored
        await stored

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            due, self._due = self._due, {}
            if not due:
                continue
            try:
                failed = await self._server.commit({session: state for session, (state, _) in due.items()})
            except Exception as error:
                failed = dict.fromkeys(due, error)
            for session, (_, stored) in due.items():
                if session in failed:
                    stored.set_exception(failed[session])
                else:
                    stored.set_result(None)


async def _commit_now(session: sessions.Session, state: bytes) -> None:
    await session.commit(state)
