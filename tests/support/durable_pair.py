"""Both ends of a durable session of the blocking API."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from gns_py.session.store import SessionStore
from gns_py.session.sync import Session

from .deadline import eventually


@contextmanager
def make_pair(gns: ModuleType, store: SessionStore) -> Iterator[tuple[Session, Session]]:
    """Yield the client's end and the server's, of a durable session in this store."""
    served: list[Session] = []
    may_end = threading.Event()

    def handler(session: Session) -> None:
        served.append(session)
        may_end.wait()

    with gns.serve(handler, "127.0.0.1", 0, store=store, durable=True) as server:
        client = gns.connect(*server.address)
        try:
            eventually(lambda: served)
            yield client, served[0]
        finally:
            client.abort()
            may_end.set()
