"""The thread that answers for sessions while no one reads them."""

from __future__ import annotations

import logging
import threading
import time
import weakref
from typing import Protocol

_log = logging.getLogger("gns_py")
# Seconds between two rounds. A reader serves its session at once; this is for pings, acks and time limits meanwhile.
_PERIOD = 0.1


class Ticking(Protocol):
    """The internal end of a session, or a listener."""

    @property
    def has_ended(self) -> bool:
        """True if it needs no more rounds."""

    def keep_going(self) -> bool:
        """Do what is due; return whether more will be due."""


class Ticker:
    """Keeps sessions going: one thread for all of a process, while there are any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: weakref.WeakSet[Ticking] = weakref.WeakSet()
        self._kept: set[Ticking] = set()
        self._thread: threading.Thread | None = None

    def add(self, session: Ticking) -> None:
        """Keep a session going until it ends, or is dropped."""
        with self._lock:
            self._sessions.add(session)
            if self._thread is None or not self._thread.is_alive():  # dead in a forked child
                thread = threading.Thread(target=self._run, name="gns_py sessions", daemon=True)
                try:
                    thread.start()
                except RuntimeError:
                    _log.exception("no thread is left to keep sessions going; the next session tries again")
                else:
                    self._thread = thread

    def keep_alive(self, session: Ticking) -> None:
        """Keep a session until it ends, even if it is dropped."""
        with self._lock:
            self._kept.add(session)

    def _run(self) -> None:
        while True:
            time.sleep(_PERIOD)
            with self._lock:
                sessions = list(self._sessions)
                if not sessions:
                    self._thread = None
                    return
            for session in sessions:
                self._tick(session)
            del sessions[:]
            session = None  # type: ignore[assignment]

    def _tick(self, session: Ticking) -> None:
        try:
            goes_on = session.keep_going()
        except BaseException:  # a callback's SystemExit, for example
            _log.exception("keeping %r going failed", session)
            goes_on = not session.has_ended
        if not goes_on:
            with self._lock:
                self._sessions.discard(session)
                self._kept.discard(session)


ticker = Ticker()
