"""A server of gns_py.session.sync whose sessions are durable."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

import gns_py.session.sync as sessions
from gns_py import SendQueueFull
from gns_py.session import SessionClosed
from gns_py.session.store import StoreUnavailable

from .history import History
from .roles import Settings
from .settings import ABORTED, ATTEMPTS, BATCH, MIDWAY, PATIENCE, TICK
from .sync_ends import SyncServer
from .view import View

_PAUSE = 0.2
Commit = Callable[[sessions.Session, bytes], None]


def play(session: sessions.Session, view: View, commit: Commit) -> None:
    """Play the server's part in a durable session, until it has ended here."""
    view.write("open", session.id.hex(), "restored" if session.restored else "new", view.base)
    try:
        try:
            _go_on(session, view, commit)
            view.write("close", view.plan.how)
            if view.plan.how == "abort":
                session.abort(ABORTED, "by plan")
            else:
                session.close(MIDWAY)
        except SessionClosed:
            _answer_goodbye(session, view, commit)
        view.ended(session.wait_closed(PATIENCE), session.drops, session.time_dropped)
    except Exception:
        view.fault()
        session.abort(ABORTED, "it hangs")


def _go_on(session: sessions.Session, view: View, commit: Commit) -> None:
    """Take, send and commit, until it is this end that closes."""
    session.configure_lanes([0, 1, 1], [1, 1, 2])
    while not view.closes_now or view.is_dirty:
        wait = view.wait
        with contextlib.suppress(TimeoutError):
            view.handled(session.recv_many(BATCH, wait))
        _send(session, view)
        if view.is_commit_due:
            _commit(session, view, commit)


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


def _commit(session: sessions.Session, view: View, commit: Commit) -> None:
    state = view.begin_commit()
    try:
        commit(session, state)
    except StoreUnavailable:
        view.unanswered()
    else:
        view.committed()


def _answer_goodbye(session: sessions.Session, view: View, commit: Commit) -> None:
    with contextlib.suppress(SessionClosed):
        for _ in range(ATTEMPTS):
            if not view.is_dirty:
                break
            _commit(session, view, commit)
    session.close()


class DurableSyncServer(SyncServer):
    """A server with a store, whose sessions have threads."""

    def __init__(self, settings: Settings, history: History) -> None:
        super().__init__(settings, history)
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._due: dict[sessions.Session, tuple[bytes, Future[None]]] = {}

    def open(self) -> None:
        """Open the store, and then the port, however long the store may be away."""
        while True:
            try:
                super().open()
                break
            except StoreUnavailable:
                time.sleep(_PAUSE)
        threading.Thread(target=self._tick, daemon=True).start()

    def _handle(self, session: sessions.Session) -> None:
        settings = self._settings
        view = View(self._history, settings.plan_of(session), settings.name, next(self._numbers), session.saved_state)
        play(session, view, self._commit_soon if view.commits_in_ticks else sessions.Session.commit)

    def _commit_soon(self, session: sessions.Session, state: bytes) -> None:
        stored: Future[None] = Future()
        with self._lock:
            self._due[session] = state, stored
        stored.result()

    def _tick(self) -> None:
        while True:
            time.sleep(TICK)
            with self._lock:
                due, self._due = self._due, {}
            if not due:
                continue
            try:
                failed = self._server.commit({session: state for session, (state, _) in due.items()})
            except Exception as error:
                failed = dict.fromkeys(due, error)
            for session, (_, stored) in due.items():
                if session in failed:
                    stored.set_exception(failed[session])
                else:
                    stored.set_result(None)
