"""Durable sessions: servers that share a store go on with each other's."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
from support import echo, eventually
from support.faulty_store import FaultyStore
from support.outages import QUICK, TIMEOUT, quick
from support.relay import Relay
from support.sessions import SessionApi, engine_of

from gns_py.errors import InvalidStateError
from gns_py.session import CloseReason, Phase, SessionConfig
from gns_py.session.store import MemoryStore, RecordTooLarge, StoreUnavailable
from gns_py.session.sync import Session, SessionClosed, SessionClosedOK, SessionRejected


class Servers:
    """Servers with one store, of which a client sees one at a time."""

    def __init__(self, sessions: SessionApi, stack: ExitStack, store: FaultyStore) -> None:
        self._sessions = sessions
        self._stack = stack
        self.store = store
        self.served: list[Session] = []
        """The sessions of all servers, in order."""
        self.go_on = threading.Event()
        self.servers = [self.serve(), self.serve()]
        self.relay = stack.enter_context(Relay(self.servers[0].address))

    def serve(self, handler: Any = None, **named: Any) -> Any:
        """Start another server, whose handlers leave the sessions to the test."""
        named = {"store": self.store, "durable": True, "config": QUICK, "session_config": quick(None)} | named
        server = self._stack.enter_context(
            self._sessions.serve(self._handle if handler is None else handler, "127.0.0.1", 0, **named)
        )
        self._stack.callback(self.go_on.set)
        return server

    def _handle(self, session: Session) -> None:
        self.served.append(session)
        self.go_on.wait()

    def connect(self, **named: Any) -> Session:
        client = self._sessions.connect(
            "127.0.0.1", self.relay.port, config=QUICK, session_config=quick(named.pop("settings", None)), **named
        )
        self._stack.callback(client.abort)
        return client

    def newest(self, count: int) -> Session:
        """Wait until this many sessions were served, and return the newest."""
        eventually(lambda: len(self.served) >= count, TIMEOUT)
        return self.served[count - 1]

    def fail_over(self, client: Session, server: int = 1) -> Session:
        """Let the client come to another server; the first one does not hear of it."""
        count = len(self.served)
        self.relay.change_server(self.servers[server].address)
        client.reconnect()
        return self.newest(count + 1)


@pytest.fixture
def servers(sessions: SessionApi) -> Iterator[Servers]:
    with ExitStack() as stack:
        yield Servers(sessions, stack, FaultyStore())


def take(session: Session, count: int) -> list[bytes]:
    return [session.recv(timeout=TIMEOUT) for _ in range(count)]


def test_another_server_goes_on_where_the_last_commit_was(servers: Servers) -> None:
    client = servers.connect(data=b"who I am")
    first = servers.newest(1)
    assert client.is_durable
    assert first.is_durable
    assert not first.restored
    assert first.saved_state is None
    for number in range(4):
        client.send(b"in %d" % number)
    assert take(first, 2) == [b"in 0", b"in 1"]
    first.send(b"out 0")
    first.commit(b"two")
    assert take(client, 1) == [b"out 0"]
    assert take(first, 1) == [b"in 2"]
    first.send(b"never sent")
    second = servers.fail_over(client)
    assert (second.restored, second.saved_state, second.peer_data) == (True, b"two", b"who I am")
    assert take(second, 2) == [b"in 2", b"in 3"]
    second.send(b"out 1")
    second.commit(b"four")
    assert take(client, 1) == [b"out 1"]
    with pytest.raises(SessionClosed) as fenced:
        first.commit(b"three")
    assert fenced.value.end.reason is CloseReason.FAILED_OVER
    assert first.wait_closed().reason is CloseReason.FAILED_OVER
    client.send(b"last")
    assert take(second, 1) == [b"last"]
    third = servers.fail_over(client, 0)  # the one that had it first
    assert third.saved_state == b"four"
    assert take(third, 1) == [b"last"]
    third.commit()
    assert client.id == third.id == second.id == first.id


def test_another_server_sends_again_on_all_lanes(servers: Servers) -> None:
    """Its application need not have configured any."""
    client = servers.connect()
    first = servers.newest(1)
    first.configure_lanes([0, 0, 1])
    servers.relay.change_server(servers.servers[1].address)
    for lane in (2, 1, 0):
        first.send(b"on %d" % lane, lane=lane)
    first.commit()
    client.reconnect()
    second = servers.newest(2)
    assert sorted(take(client, 3)) == [b"on 0", b"on 1", b"on 2"]
    second.send(b"more", lane=2)
    second.commit()
    assert take(client, 1) == [b"more"]
    third = servers.fail_over(client, 0)
    third.configure_lanes([0, 1, 2])
    third.send(b"and more", lane=2)
    third.commit()
    message = client.recv_message(timeout=TIMEOUT)
    assert (message.data, message.number) == (b"and more", 3)


def test_another_server_gives_less_credit(servers: Servers) -> None:
    """Messages that the client has sent with the credit of the first one count."""
    client = servers.connect()
    servers.newest(1)
    for number in range(200):
        client.send(b"%d" % number)
    small = quick(SessionConfig(credit_messages=8, credit_bytes=1_000))
    servers.servers[1] = servers.serve(session_config=small)
    second = servers.fail_over(client)
    for number in range(200):
        assert take(second, 1) == [b"%d" % number]
        second.commit()
    for number in range(20):
        client.send(b"%d" % number)
        assert take(second, 1) == [b"%d" % number]
        second.commit()


def test_nothing_is_sent_before_it_is_committed(servers: Servers) -> None:
    client = servers.connect()
    server = servers.newest(1)
    server.send(b"out")
    with pytest.raises(TimeoutError):
        client.recv(timeout=0.2)
    server.commit()
    assert take(client, 1) == [b"out"]


def test_a_server_commits_many_sessions_at_once(servers: Servers) -> None:
    clients = [servers.connect() for _ in range(20)]
    served = [servers.newest(count + 1) for count in range(20)]
    for session in served:
        session.send(b"tick")
    before = servers.store.commits
    server: Any = servers.servers[0]
    assert server.commit(dict.fromkeys(served, b"state")) == {}
    assert servers.store.commits == before + 1
    assert [take(client, 1) for client in clients] == [[b"tick"]] * 20
    clients[0].abort()
    assert served[0].wait_closed().reason is CloseReason.ABORTED
    failed = server.commit(dict.fromkeys(served))
    assert list(failed) == [served[0]]
    assert isinstance(failed[served[0]], SessionClosed)


def test_a_store_that_is_away(servers: Servers, sessions: SessionApi) -> None:
    client = servers.connect()
    server = servers.newest(1)
    servers.store.is_away = True
    client.send(b"in")
    assert take(server, 1) == [b"in"]
    server.send(b"out")
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            server.commit(b"state")
    assert engine_of(client).outbox.unacked == 1
    with pytest.raises(SessionRejected, match="store") as rejected:
        servers.connect()
    assert rejected.value.reason is CloseReason.INTERNAL_ERROR
    with sessions.serve(echo, "127.0.0.1", 0) as plain, sessions.connect(*plain.address) as other:
        other.send(b"goes on")
        assert other.recv(timeout=TIMEOUT) == b"goes on"
    servers.store.is_away = False
    server.commit(b"newer")
    assert take(client, 1) == [b"out"]
    eventually(lambda: engine_of(client).outbox.unacked == 0)
    assert servers.fail_over(client).saved_state == b"newer"


def test_a_commit_whose_answer_is_lost_counts_once(servers: Servers) -> None:
    client = servers.connect()
    server = servers.newest(1)
    server.send(b"one")
    servers.store.loses_answers = True
    with pytest.raises(StoreUnavailable):
        server.commit(b"1")
    server.send(b"two")
    servers.store.loses_answers = False
    server.commit(b"2")
    assert take(client, 2) == [b"one", b"two"]
    server.send(b"three")
    servers.store.loses_answers = True
    with pytest.raises(StoreUnavailable):
        server.commit(b"3")
    servers.store.loses_answers = False
    second = servers.fail_over(client)  # it was carried out, and the owner has died
    assert second.saved_state == b"3"
    assert take(client, 1) == [b"three"]


def test_a_client_comes_while_the_store_is_away(servers: Servers) -> None:
    client = servers.connect()
    first = servers.newest(1)
    first.commit(b"state")
    servers.store.is_away = True
    servers.relay.change_server(servers.servers[1].address)
    client.reconnect()
    eventually(lambda: servers.servers[1].counters.requested >= 2, TIMEOUT)
    assert client.phase is not Phase.ENDED
    servers.store.is_away = False
    assert servers.newest(2).saved_state == b"state"


def test_a_store_that_has_lost_everything(servers: Servers) -> None:
    client = servers.connect()
    first = servers.newest(1)
    servers.store.lose_everything()
    with pytest.raises(SessionClosed) as lost:
        first.commit(b"state")
    assert lost.value.end.reason is CloseReason.LOST_MESSAGES
    assert client.wait_closed().reason is CloseReason.LOST_MESSAGES
    other = servers.connect()
    servers.newest(2)
    servers.store.lose_everything()
    servers.relay.change_server(servers.servers[1].address)
    other.reconnect()
    assert other.wait_closed(timeout=TIMEOUT).reason is CloseReason.LOST_MESSAGES


def test_a_store_that_loses_everything_while_a_client_comes(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    ids: list[bytes] = []

    def new_session_id(store: FaultyStore = servers.store) -> bytes:
        ids.append(MemoryStore.new_session_id(store))
        if len(ids) == 1:
            store.lose_everything()
        return ids[-1]

    monkeypatch.setattr(servers.store, "new_session_id", new_session_id)
    client = servers.connect()
    server = servers.newest(1)
    server.commit(b"state")
    assert client.id == ids[1]
    assert servers.fail_over(client).saved_state == b"state"


def test_a_client_that_leaves_while_it_is_claimed(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gns_py.session._core.keeper._PERIOD", 0.05)
    claimed: list[bytes] = []

    async def claim(wish: Any, store: FaultyStore = servers.store) -> Any:
        record = await FaultyStore.claim(store, wish)
        claimed.append(wish.id)
        while second.counters.failed < len(claimed) == 1:
            await asyncio.sleep(0.01)
        return record

    client = servers.connect()
    servers.newest(1).commit(b"state")
    second: Any = servers.servers[1]
    monkeypatch.setattr(servers.store, "claim", claim)
    servers.relay.change_server(second.address)
    client.reconnect()
    eventually(lambda: claimed, TIMEOUT)
    client.reconnect()  # it gives up that connection
    session = servers.newest(2)
    assert session.saved_state == b"state"
    session.commit(b"newer")
    client.send(b"in")
    assert take(session, 1) == [b"in"]
    assert len(servers.served) == 2


def test_a_key_has_one_session_on_all_servers(servers: Servers, sessions: SessionApi) -> None:
    def on_request(request: Any) -> None:
        request.accept(key="player:42")

    first = servers.serve(on_request=on_request)
    second = servers.serve(on_request=on_request)
    servers.relay.change_server(first.address)
    older = servers.connect()
    older_served = servers.newest(1)
    servers.relay.change_server(second.address)
    newer = sessions.connect(*second.address, config=QUICK, session_config=quick(None))
    try:
        newer_served = servers.newest(2)
        with pytest.raises(SessionClosed) as taken:
            older_served.commit()
        assert taken.value.end.reason is CloseReason.SESSION_TAKEN_OVER
        assert older.wait_closed(timeout=TIMEOUT).reason is CloseReason.SESSION_TAKEN_OVER
        newer_served.commit()
    finally:
        newer.abort()


def test_an_owner_that_is_idle_learns_that_it_is_none(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gns_py.session._core.keeper._PERIOD", 0.05)
    servers.servers[0] = servers.serve()
    servers.relay.change_server(servers.servers[0].address)
    client = servers.connect()
    first = servers.newest(1)
    second = servers.fail_over(client)
    assert first.wait_closed(timeout=TIMEOUT).reason is CloseReason.FAILED_OVER
    client.send(b"here")
    assert take(second, 1) == [b"here"]


def test_a_store_that_fails_while_nothing_is_committed(
    servers: Servers, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is asked again and again, whatever it raises."""
    monkeypatch.setattr("gns_py.session._core.keeper._PERIOD", 0.02)
    errors: list[Exception] = [StoreUnavailable("away"), OSError("a bug of the store")]
    touches = [0]

    async def touch(wishes: Any) -> Any:
        touches[0] += 1
        if len(errors) >= touches[0]:
            raise errors[touches[0] - 1]
        return await FaultyStore.touch(servers.store, wishes)

    monkeypatch.setattr(servers.store, "touch", touch)
    servers.servers[0] = servers.serve()
    servers.relay.change_server(servers.servers[0].address)
    client = servers.connect()
    first = servers.newest(1)
    eventually(lambda: touches[0] > len(errors), TIMEOUT)
    second = servers.fail_over(client)
    assert first.wait_closed(timeout=TIMEOUT).reason is CloseReason.FAILED_OVER
    second.commit()
    messages = [record.getMessage() for record in caplog.records if record.name == "gns_py"]
    assert messages[:3] == [
        "the session store does not answer: away",
        "the session store failed",
        "the session store answers again",
    ]


def test_a_store_whose_commits_fail_together(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    clients = [servers.connect() for _ in range(2)]
    served = [servers.newest(count + 1) for count in range(len(clients))]

    async def commit(_: Any) -> Any:
        raise StoreUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(servers.store, "commit", commit)
        failed = servers.servers[0].commit(dict.fromkeys(served, b"state"))
    assert [str(failed[session]) for session in served] == ["away"] * 2
    assert servers.servers[0].commit(dict.fromkeys(served, b"state")) == {}


def test_closing_commits_what_is_left_and_deletes_the_record(servers: Servers) -> None:
    client = servers.connect()
    server = servers.newest(1)
    client.send(b"in")
    assert take(server, 1) == [b"in"]
    server.send(b"out")
    server.close(data=b"bye")
    assert take(client, 1) == [b"out"]
    assert client.close() == b"bye"
    assert client.wait_closed().ok
    assert server.wait_closed().ok
    eventually(lambda: not servers.store._entries, TIMEOUT)  # noqa: SLF001


def test_a_goodbye_is_confirmed_once_all_is_committed(servers: Servers) -> None:
    client = servers.connect()
    server = servers.newest(1)
    client.send(b"in")
    assert take(server, 1) == [b"in"]
    with ThreadPoolExecutor(1) as pool:
        closing = pool.submit(client.close)
        with pytest.raises(SessionClosedOK):
            server.recv(timeout=TIMEOUT)
        with pytest.raises(TimeoutError):
            client.wait_closed(timeout=0.2)
        server.commit(b"state")
        server.close()
        closing.result(TIMEOUT)
    assert client.wait_closed().ok
    assert server.wait_closed().ok


def test_what_is_not_committed_in_time_is_not_ok(servers: Servers) -> None:
    """The server's goodbye is automatic here: its application is busy, or cannot commit."""
    config = replace(quick(None), close_timeout=1.0)
    servers.relay.change_server(servers.serve(session_config=config).address)
    client = servers.connect()
    server = servers.newest(1)
    servers.store.is_away = True
    client.send(b"in")
    assert take(server, 1) == [b"in"]
    client.close()
    assert client.wait_closed().reason is CloseReason.ABORTED
    assert not server.wait_closed(timeout=TIMEOUT).ok


def test_a_state_that_is_too_large_changes_nothing(servers: Servers) -> None:
    servers.store._max_size = 1_000  # noqa: SLF001
    client = servers.connect()
    server = servers.newest(1)
    server.send(b"out")
    with pytest.raises(RecordTooLarge):
        server.commit(bytes(2_000))
    server.commit(b"state")
    assert take(client, 1) == [b"out"]


def test_the_store_is_opened_and_closed(servers: Servers) -> None:
    store = FaultyStore()
    with servers.serve(store=store):
        assert (store.opened, store.closed) == (1, 0)
    assert (store.opened, store.closed) == (1, 1)


def test_what_cannot_be_durable(servers: Servers, sessions: SessionApi) -> None:
    with pytest.raises(ValueError, match="store"):
        sessions.serve(echo, "127.0.0.1", 0, durable=True)
    with pytest.raises(SessionRejected):
        servers.connect(settings=SessionConfig(resume_window=None))
    errors: list[Exception] = []

    def on_request(request: Any) -> None:
        try:
            request.accept(durable=True)
        except InvalidStateError as error:
            errors.append(error)
            request.accept()

    with sessions.serve(echo, "127.0.0.1", 0, on_request=on_request) as server, sessions.connect(*server.address) as c:
        assert not c.is_durable
        with pytest.raises(InvalidStateError, match="durable"):
            c.commit()
    assert len(errors) == 1
    plain = servers.serve(durable=False)
    servers.relay.change_server(plain.address)
    client = servers.connect()
    served = servers.newest(1)
    with pytest.raises(InvalidStateError, match="durable"):
        served.commit()
    with pytest.raises(TypeError):
        served.commit("text")  # type: ignore[arg-type]
    client.close()


def test_sessions_of_a_memory_store_end_with_their_time(servers: Servers) -> None:
    now = [0.0]
    store = MemoryStore(clock=lambda: now[0])
    server = servers.serve(store=store)
    servers.relay.change_server(server.address)
    client = servers.connect()
    served = servers.newest(1)
    now[0] = 1e6
    with pytest.raises(SessionClosed) as expired:
        served.commit()
    assert expired.value.end.reason is CloseReason.SESSION_EXPIRED
    assert client.wait_closed(timeout=TIMEOUT).reason is CloseReason.SESSION_EXPIRED
