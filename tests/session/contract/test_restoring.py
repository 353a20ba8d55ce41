"""Servers with a store, and clients that go while it is asked, or whose sessions it does not know."""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from support import eventually
from support.faulty_store import FaultyStore
from support.outages import TIMEOUT
from support.sessions import SessionApi, engine_of

from gns_py.session import AdmissionRules, CloseReason, Phase
from gns_py.session._core.resumable import ResumableEndpoint
from gns_py.session.protocol.durable import DurableServerEngine
from gns_py.session.store import Record
from gns_py.session.sync import SessionClosed

from .test_durable import Servers, take


class HeldStore(FaultyStore):
    """A store that answers once it may."""

    is_held = False
    waiting = claims = 0

    async def peek(self, session_id: bytes) -> Any:
        self.waiting += 1
        while self.is_held:
            await asyncio.sleep(0.01)
        return await super().peek(session_id)

    async def claim(self, claim: Any) -> Record:
        record = await super().claim(claim)
        self.claims += 1
        return record


@pytest.fixture
def store() -> HeldStore:
    return HeldStore()


@pytest.fixture
def servers(sessions: SessionApi, store: HeldStore) -> Iterator[Servers]:
    with ExitStack() as stack:
        yield Servers(sessions, stack, store)


def test_a_client_that_goes_while_the_store_is_asked(servers: Servers, store: HeldStore) -> None:
    """It takes no place, and leaves nothing behind that keeps its record alive."""
    server = servers.serve(rules=AdmissionRules(max_sessions=2))
    servers.relay.change_server(server.address)
    other = servers.connect()
    servers.newest(1)
    servers.relay.change_server(servers.servers[0].address)
    client = servers.connect()
    servers.newest(2).commit(b"state")
    store.is_held = True
    servers.relay.change_server(server.address)
    client.reconnect()
    eventually(lambda: store.waiting == 1, TIMEOUT)
    client.abort()
    eventually(lambda: server.counters.failed == 1, TIMEOUT)
    store.is_held = False
    eventually(lambda: store.claims == 1, TIMEOUT)
    assert len(server.sessions) == 1
    assert server.counters.resumed == 0
    third = servers.connect()
    servers.newest(3)
    assert third.is_connected
    other.send(b"goes on")
    assert take(servers.served[0], 1) == [b"goes on"]


def test_a_session_that_cannot_be_restored_takes_no_place(servers: Servers, store: HeldStore) -> None:
    client = servers.connect()
    servers.newest(1).commit(b"state")
    before = copy.deepcopy(store._entries)  # noqa: SLF001
    second = servers.fail_over(client)
    eventually(lambda: client.is_connected, TIMEOUT)
    second.commit()
    store._entries = before  # noqa: SLF001 - it has lost the claim
    server = servers.serve(rules=AdmissionRules(max_sessions=1))
    servers.relay.change_server(server.address)
    client.reconnect()
    assert client.wait_closed(timeout=TIMEOUT).reason is CloseReason.LOST_MESSAGES
    other = servers.connect()
    servers.newest(3)
    assert other.is_connected


def test_a_server_that_is_full_takes_no_session_from_its_owner(
    servers: Servers, store: HeldStore, sessions: SessionApi
) -> None:
    server = servers.serve(rules=AdmissionRules(max_sessions=1))
    other = sessions.connect(*server.address)  # not through the relay: it stays
    servers.newest(1)
    client = servers.connect()
    owner = servers.newest(2)
    servers.relay.change_server(server.address)
    client.reconnect()
    eventually(lambda: server.counters.too_many_sessions > 0, TIMEOUT)
    owner.send(b"still here")
    owner.commit(b"state")
    servers.relay.change_server(servers.servers[0].address)
    assert take(client, 1) == [b"still here"]
    assert store.waiting == store.claims == 0
    other.abort()


def test_a_client_comes_while_its_session_ends(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    client = servers.connect()
    servers.newest(1).commit(b"state")
    claim = ResumableEndpoint.claim

    def end_first(endpoint: ResumableEndpoint, *arguments: Any) -> Any:
        with endpoint.lock:
            engine_of(endpoint.session).lose(CloseReason.FAILED_OVER, "", time.monotonic())
        return claim(endpoint, *arguments)

    monkeypatch.setattr(ResumableEndpoint, "claim", end_first)
    client.reconnect()
    assert servers.newest(2).saved_state == b"state"
    client.send(b"goes on")
    assert take(servers.newest(2), 1) == [b"goes on"]


def test_another_server_says_the_goodbye_that_was_promised(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its application finds the session closed. The first server dies before it can say it."""
    client = servers.connect()
    first = servers.newest(1)
    client.send(b"last")
    assert take(first, 1) == [b"last"]
    first.send(b"answer")
    with monkeypatch.context() as patch, ThreadPoolExecutor(1) as pool:
        patch.setattr(DurableServerEngine, "committed", lambda *_: None)
        closing = pool.submit(first.close, 1234, "enough", b"bye")
        eventually(lambda: [each.commit for each in servers.store._entries.values()] == [1], TIMEOUT)  # noqa: SLF001
        second = servers.fail_over(client)
        with pytest.raises(SessionClosed) as closed:
            second.send(b"more")
        first.abort()
        closing.result(TIMEOUT)
    assert (closed.value.end.reason, closed.value.end.code) == (CloseReason.CLOSED_BY_SERVER, 1234)
    del closed
    assert take(client, 1) == [b"answer"]
    assert client.close() == b"bye"
    assert client.wait_closed(timeout=TIMEOUT).ok
    assert second.wait_closed(timeout=TIMEOUT).ok
    eventually(lambda: not servers.store._entries, TIMEOUT)  # noqa: SLF001


def test_plain_sessions_end_as_they_do_without_a_store(servers: Servers) -> None:
    """The store has never heard of them: it has not lost them."""
    server = servers.serve(durable=False)
    servers.relay.change_server(server.address)
    client, other = servers.connect(), servers.connect()
    served = servers.newest(2)
    ours, theirs = (client, other) if client.id == served.id else (other, client)
    servers.relay.is_cut = True
    eventually(lambda: served.phase is ours.phase is Phase.DROPPED, TIMEOUT)
    served.abort(1234, "enough")
    servers.relay.is_cut = False
    assert ours.wait_closed(timeout=TIMEOUT).reason is CloseReason.ABORTED
    restarted = servers.serve(durable=False)
    servers.relay.change_server(restarted.address)
    theirs.reconnect()
    end = theirs.wait_closed(timeout=TIMEOUT)
    assert end.reason is CloseReason.SESSION_EXPIRED
    assert end.can_retry
