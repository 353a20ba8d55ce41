"""The thread that answers for sessions while nobody reads them."""

from __future__ import annotations

import logging
import threading
import time
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .session import Session

_log = logging.getLogger("gns_py")
# Seconds between two looks. Who reads a session serves it at once; this is for pings, acks and time limits besides.
_PERIOD = 0.1


class Keeper:
    """Keeps sessions going: one thread for all of a process, while there are any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: weakref.WeakSet[Session] = weakref.WeakSet()
        self._held: set[Session] = set()
        self._thread: threading.Thread | None = None

    def add(self, session: Session) -> None:
        """From now on, until it ends or nobody has it any more."""
        with self._lock:
            self._sessions.add(session)
            if self._thread is None or not self._thread.is_alive():  # dead in a forked child
                thread = threading.Thread(target=self._run, name="gns_py sessions", daemon=True)
                try:
                    thread.start()
                except RuntimeError:
                    _log.exception("no thread is left to keep sessions that nobody reads; the next session tries again")
                else:
                    self._thread = thread

    def hold(self, session: Session) -> None:
        """Until it ends, also if nobody else has it."""
        with self._lock:
            self._held.add(session)

    def _run(self) -> None:
        while True:
            time.sleep(_PERIOD)
            with self._lock:
                sessions = list(self._sessions)
                if not sessions:
                    self._thread = None
                    return
            for session in sessions:
                try:
                    goes_on = session._keep()
                except BaseException:  # a callback's SystemExit, say
                    _log.exception("keeping %r failed", session)
                    goes_on = session._engine.end is None
                if not goes_on:
                    with self._lock:
                        self._sessions.discard(session)
                        self._held.discard(session)
            del sessions[:]
            session = None  # type: ignore[assignment]


keeper = Keeper()
