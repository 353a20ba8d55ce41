"""Sessions for threads over connections in memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from support import eventually

import gns_py.sync as gns
from gns_py._core.deadline import Deadline
from gns_py.session._core.request import SessionRequest
from gns_py.session._core.session import BaseSession
from gns_py.session.protocol.client import ClientEngine
from gns_py.session.protocol.config import SessionConfig
from gns_py.session.protocol.server import ServerEngine
from gns_py.session.sync import Session
from gns_py.session.sync.endpoint import ThreadEndpoint


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Yield threads."""
    with ThreadPoolExecutor(4) as pool:
        yield pool


@pytest.fixture
def thread_ends() -> Iterator[tuple[Session, Session]]:
    """Yield the client's and the server's end of an established session."""
    first, second = gns.socket_pair()
    config, now = SessionConfig(), time.monotonic()
    client = Session(ThreadEndpoint(first, lambda transport: ClientEngine(transport, config, b"", None, now)))
    engines: list[ServerEngine] = []

    def make_engine(transport: object) -> ServerEngine:
        engines.append(ServerEngine(transport, config, now))  # type: ignore[arg-type]
        return engines[0]

    server = Session(ThreadEndpoint(second, make_engine))
    until((client, server), lambda: engines[0].is_undecided)
    SessionRequest(server, engines[0]).accept()
    until((client, server), lambda: client.is_established and server.is_established)
    yield client, server
    client.abort()
    server.abort()


def until(ends: tuple[Session, Session], condition: Callable[[], object]) -> None:
    """Read both ends until the condition is true."""

    def is_true() -> object:
        for end in ends:
            BaseSession.session_endpoint_of(end).read(Deadline(0.0))
        return condition()

    eventually(is_true)
