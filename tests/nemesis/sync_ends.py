"""Servers and clients of gns_py.session.sync."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time

import gns_py.session.sync as sessions
from gns_py import GNSError, SendQueueFull
from gns_py.session import SessionClosed

from .history import History
from .part import Part
from .plans import Outgoing, Plan
from .roles import Settings
from .settings import ABORTED, BATCH, COMPLETE, MIDWAY, PATIENCE, SHUTDOWN

_LOOK = 0.05


def play(session: sessions.Session, part: Part) -> None:
    """Play one end's part, until the session has ended."""
    part.write("open", session.id.hex())
    is_over = threading.Event()
    writer = threading.Thread(target=_write, args=(session, part, is_over))
    try:
        session.configure_lanes([0, 1, 1], [1, 1, 2])
        writer.start()
        with contextlib.suppress(SessionClosed):
            while True:
                part.handled(session.recv_many(BATCH, PATIENCE))
        part.ended(session.wait_closed(PATIENCE), session.drops, session.time_dropped)
    except SessionClosed:  # configure_lanes()
        part.ended(session.wait_closed(PATIENCE), session.drops, session.time_dropped)
    except Exception:
        part.fault()
        session.abort(ABORTED, "it hangs")
    finally:
        is_over.set()
        if writer.ident is not None:
            writer.join()


def _write(session: sessions.Session, part: Part, is_over: threading.Event) -> None:
    try:
        for burst in part.plan.bursts(part.side):
            _send(session, part, burst)
            if is_over.wait(part.plan.pause):
                return
        if not part.closes:
            return
        while part.plan.how == "complete" and not part.has_everything:
            if is_over.wait(_LOOK):
                return
        part.write("close", part.plan.how)
        if part.plan.how == "abort":
            session.abort(ABORTED, "by plan")
        else:
            session.close(COMPLETE if part.plan.how == "complete" else MIDWAY)
    except SessionClosed:
        pass  # the reader is told, too
    except Exception:
        part.fault()
        session.abort(ABORTED, "it hangs")


def _send(session: sessions.Session, part: Part, burst: list[Outgoing]) -> None:
    with part.sending(burst) as accepted:
        for each in burst:
            while True:
                try:
                    number = session.send(each.data, lane=each.lane)
                    break
                except SendQueueFull:
                    session.drain(PATIENCE)
            part.accepted(each, number, accepted)


class SyncServer:
    """A server whose sessions have threads."""

    def __init__(self, settings: Settings, history: History) -> None:
        self._settings = settings
        self._history = history

    def open(self) -> None:
        """Open the port."""
        self._server = sessions.serve(
            self._handle, self._settings.host, self._settings.port, **self._settings.serve_options(self._history)
        )
        self.port = self._server.address.port

    def _handle(self, session: sessions.Session) -> None:
        play(session, self._settings.part_of(session, self._history))

    def left(self) -> int:
        """Return the number of sessions."""
        return len(self._server.sessions)

    def close(self) -> None:
        """End everything, and wait for that."""
        self._server.close(SHUTDOWN)
        self._server.wait_closed(PATIENCE)


class SyncClient:
    """Has one session after the other in each of some threads."""

    def __init__(self, settings: Settings, history: History) -> None:
        self._settings = settings
        self._history = history
        self._is_stopped = threading.Event()
        self._open: dict[str, sessions.Session] = {}
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._work, args=(number,)) for number in range(settings.workers)]
        self._extra = itertools.count()
        for thread in self._threads:
            thread.start()

    def reconnect(self, count: int) -> None:
        """Let that many sessions change their connection."""
        with self._lock:
            chosen = list(self._open.values())[:count]
        for session in chosen:
            with contextlib.suppress(SessionClosed, GNSError):
                session.reconnect()

    def crowd(self, count: int, worker: str) -> None:
        """Begin more sessions at once, which end by their plans, with the key of that worker, if it has one."""
        for _ in range(count):
            name = f"{self._settings.name}.{worker}.x{next(self._extra)}"
            thread = threading.Thread(target=self._session, args=(name,))
            self._threads.append(thread)
            thread.start()

    def left(self) -> int:
        """Return the number of sessions."""
        return len(self._open)

    def stop(self) -> None:
        """Begin nothing more, and wait for the sessions that are there."""
        self._is_stopped.set()
        deadline = time.monotonic() + PATIENCE
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _work(self, worker: int) -> None:
        for number in itertools.count():
            if self._is_stopped.is_set():
                return
            self._session(f"{self._settings.name}.{worker}.{number}")

    def _session(self, name: str) -> None:
        part = Part(self._history, Plan.of(name, self._settings.lasts), "client")
        part.write("begin")
        try:
            session = sessions.connect(*self._settings.where(name), **self._settings.connect_options(name, part))
        except (SessionClosed, GNSError, OSError) as error:
            part.write("refused", type(error).__name__, error)
            self._is_stopped.wait(_LOOK)
            return
        except Exception:
            part.fault()
            return
        with self._lock:
            self._open[name] = session
        try:
            play(session, part)
        finally:
            with self._lock:
                del self._open[name]
