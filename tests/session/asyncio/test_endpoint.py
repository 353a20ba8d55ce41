"""The internal end of a session of an event loop: its timer, other threads, and loops that are closed."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref

import pytest
from support import PATIENCE, counts_references
from support.loops import Runner, new_loop

import gns_py.asyncio as connections
from gns_py import EndReason
from gns_py.session import CloseReason
from gns_py.session._core.session import BaseSession
from gns_py.session.asyncio import Session, SessionTimeout
from gns_py.session.asyncio.endpoint import LoopEndpoint
from gns_py.session.protocol.client import ClientEngine
from gns_py.session.protocol.config import SessionConfig


def begin(timeout: float | None) -> tuple[Session, connections.Connection]:
    """Return a client whose handshake has begun, and the connection of a server that does not answer."""
    first, second = connections.socket_pair()
    now = time.monotonic()
    deadline = None if timeout is None else now + timeout
    endpoint = LoopEndpoint(first, lambda transport: ClientEngine(transport, SessionConfig(), b"", deadline, now))
    return Session(endpoint), second


def endpoint_of(session: Session) -> LoopEndpoint:
    """Return the internal end of a session."""
    return BaseSession.session_endpoint_of(session)


def test_the_timer_does_what_is_due(run: Runner) -> None:
    async def main() -> None:
        session, peer = begin(0.05)
        with pytest.raises(SessionTimeout):
            await asyncio.wait_for(session.wait_established(), 5.0 * PATIENCE)
        assert (await peer.wait_closed()).code == CloseReason.ABORTED.native_code

    run(main)


@counts_references
def test_the_timer_does_not_keep_a_session_that_was_dropped(run: Runner) -> None:
    async def main() -> None:
        session, peer = begin(60.0)
        gone = weakref.ref(endpoint_of(session))
        with pytest.warns(ResourceWarning, match="unclosed session"):
            del session
        gc.collect()
        assert gone() is None
        assert (await peer.wait_closed()).code == CloseReason.ABORTED.native_code

    run(main)


def test_a_change_on_another_thread_wakes_tasks(run: Runner) -> None:
    async def main() -> None:
        session, peer = begin(None)
        waiting = asyncio.ensure_future(session.wait_closed())
        await asyncio.sleep(0)
        await asyncio.to_thread(session.abort, 1007)
        assert (await asyncio.wait_for(waiting, 5.0 * PATIENCE)).code == 1007
        await peer.wait_closed()

    run(main)


def test_it_cannot_say_goodbye_in_a_closed_loop() -> None:
    async def main() -> tuple[Session, connections.Connection]:
        return begin(60.0)

    loop = new_loop("asyncio")
    session, peer = loop.run_until_complete(main())
    loop.close()
    endpoint = endpoint_of(session)
    with pytest.raises(ValueError, match="code is 1"):
        endpoint.begin_close(1, "", b"")
    assert not endpoint.has_ended
    changes: list[object] = []
    endpoint.watcher = changes.append
    endpoint.begin_close(EndReason.APP_GENERIC, "closed", b"lost")
    assert endpoint.engine.end is not None
    assert endpoint.engine.end.reason is CloseReason.ABORTED
    assert changes == [endpoint]
    assert endpoint.endpoint.is_closed_here
    peer.close()
