"""Each connection is told its end once."""

from __future__ import annotations

import threading
from typing import Any

from gns_py import StatusChanged

from .journal import Journal


class Watch:
    """Counts the ends that events report, and the connections that live."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._lock = threading.Lock()
        self.alive: set[Any] = set()

    def __call__(self, event: StatusChanged[Any]) -> None:
        with self._lock:
            if event.end is None:
                self.alive.add(event.connection)
            elif event.connection in self.alive:
                self.alive.discard(event.connection)
            else:
                self._journal.write(e="unexpected", what=f"a second end of {event.connection!r}: {event.end}")
