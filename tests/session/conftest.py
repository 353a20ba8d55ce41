"""Tests of sessions use what the APIs have in common, and run with each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, NamedTuple

import pytest
from support.loops import LOOPS, new_loop
from support.sessions import BlockingSessions, SessionApi

from gns_py import Config
from gns_py.session import sync
from gns_py.session.sync import ListenSocket, Session, SessionConfig


@pytest.fixture(
    params=[
        "sync",
        *(pytest.param(loop, marks=[pytest.mark.slow] * (loop != "asyncio")) for loop in LOOPS if loop != "eager"),
    ]
)
def sessions(request: pytest.FixtureRequest) -> Iterator[SessionApi]:
    """Yield each API under the names of gns_py.session.sync."""
    if request.param == "sync":
        yield sync
        return
    blocking = BlockingSessions(new_loop(request.param))
    yield blocking
    assert blocking.close() == []


class Ends(NamedTuple):
    """Both ends of a session."""

    client: Session
    server: Session


EndsMaker = Callable[..., Ends]


@pytest.fixture
def make_ends(sessions: SessionApi, fast: Config) -> Iterator[EndsMaker]:
    """Yield a function (session_config for both, server=..., config=...) that makes a session over UDP on loopback."""
    with ExitStack() as stack, ThreadPoolExecutor(1) as pool:

        def make(
            session_config: SessionConfig | None = None, *, server: SessionConfig | None = None, config: Config = fast
        ) -> Ends:
            named: dict[str, Any] = {"config": config}
            listener = stack.enter_context(
                sessions.listen("127.0.0.1", 0, session_config=server or session_config, **named)
            )
            accepting = pool.submit(listener.accept, timeout=5.0)
            client = sessions.connect("127.0.0.1", listener.address.port, session_config=session_config, **named)
            ends = Ends(client, accepting.result())
            for end in ends:
                stack.callback(end.abort)
            return ends

        yield make


@pytest.fixture
def ends(make_ends: EndsMaker) -> Ends:
    """Return a session with the default settings."""
    return make_ends()


@pytest.fixture
def session_listener(sessions: SessionApi) -> Iterator[ListenSocket]:
    """Yield a listen socket for sessions."""
    with sessions.listen("127.0.0.1", 0) as listener:
        yield listener
