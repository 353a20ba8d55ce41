"""Whatever a client does, or handling it raises, ends that client's session only; the others go on."""

from __future__ import annotations

import contextlib
import gc
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import pytest
from support import PATIENCE, echo, eventually
from support.sessions import BlockingSessions, SessionApi, engine_of

import gns_py.sync as gns
from gns_py import ConcurrencyError
from gns_py.session import CloseReason
from gns_py.session.protocol.frames import (
    Ack,
    Bye,
    Confirm,
    Data,
    Frame,
    Hello,
    Keyed,
    Ping,
    Untracked,
    Welcome,
    decode,
)
from gns_py.session.sync import AdmissionRules, Server, Session, SessionClosed, SessionConfig, SessionFailed

from .test_hostile import establish

RULES = AdmissionRules(max_pending_per_address=None)
LARGEST = 2**64 - 1


@pytest.fixture
def server(sessions: SessionApi) -> Iterator[Server]:
    with sessions.serve(echo, "127.0.0.1", 0, rules=RULES) as server:
        yield server


def check_served(sessions: SessionApi, server: Server, good: Session) -> None:
    """Check that an existing client and a new one are served."""
    good.send(b"still here")
    assert good.recv(timeout=5.0) == b"still here"
    with sessions.connect(*server.address) as new:
        new.send(b"new")
        assert new.recv(timeout=5.0) == b"new"
    assert server.is_serving()


@pytest.mark.parametrize("credit", [2**63 - 1, 2**63, LARGEST, 2**33])
@pytest.mark.parametrize("together", [False, True])
def test_credit_of_any_size(sessions: SessionApi, server: Server, credit: int, together: bool) -> None:
    with (
        sessions.connect(*server.address) as good,
        gns.connect(*server.address) if together else establish(server.address) as raw,
    ):
        if together:  # still read by the listen socket
            first = [Hello(1, 1, 0, 1000, 1000, 1000, 0, 0, b""), Confirm(1), Ack({}, credit, credit)]
            raw.send(first[0].encode(), nagle=False)
            raw.recv(timeout=5.0)
            raw.send_many([frame.encode() for frame in first[1:]], nagle=False)
        else:
            raw.send(Ack({}, credit, credit).encode(), nagle=False)
        raw.send(Data(1, b"x").encode(), nagle=False)
        check_served(sessions, server, good)


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param([Ping(LARGEST)] * 1000, id="pings"),
        pytest.param([Ack({}, 10_000, 100)] * 1000, id="acks that say nothing"),
        pytest.param([Ack({}, 10_000 + number, 100) for number in range(1000)], id="acks of credit alone"),
    ],
)
def test_floods_of_control_frames(sessions: SessionApi, server: Server, frames: list[Frame]) -> None:
    with sessions.connect(*server.address) as good, establish(server.address) as raw:
        with contextlib.suppress(gns.ConnectionClosed):
            raw.send_many([frame.encode() for frame in frames], nagle=False)
        assert raw.wait_closed(timeout=5.0 * PATIENCE).code == CloseReason.RATE_LIMITED.native_code
        check_served(sessions, server, good)


@pytest.mark.parametrize("place", ["receive", "receive_data", "_on_frame", "_progress", "_flush"])
def test_a_fault_of_our_own_is_one_sessions_end(
    sessions: SessionApi, server: Server, place: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise LookupError("as planned")

    with sessions.connect(*server.address, data=b"good") as good, establish(server.address) as raw:
        (victim,) = (each for each in server.sessions if not each.peer_data)
        engine = engine_of(victim)
        monkeypatch.setattr(engine, place, fail)
        engine.inspects_data = True
        with caplog.at_level(logging.ERROR, "gns_py"):
            raw.send_many([Data(1, b"x").encode(), Ping(1).encode(), Bye(4, 1000, "", {0: 1}, b"").encode()])
            assert raw.wait_closed(timeout=5.0 * PATIENCE).code == CloseReason.INTERNAL_ERROR.native_code
            check_served(sessions, server, good)
        assert [record.levelname for record in caplog.records] == ["ERROR"]
        assert "as planned" in str(caplog.records[0].exc_text)


def test_a_set_up_that_cannot_begin_leaves_its_place(
    sessions: SessionApi, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError("as planned")

    module = "sync.thread_listener" if isinstance(sessions, ModuleType) else "asyncio.loop_listener"
    with sessions.serve(echo, "127.0.0.1", 0, rules=AdmissionRules(max_pending_per_address=1)) as server:
        with caplog.at_level(logging.ERROR, "gns_py"), monkeypatch.context() as patched:
            patched.setattr(f"gns_py.session.{module}.Session", fail)
            with pytest.raises(SessionFailed):
                sessions.connect(*server.address, timeout=5.0 * PATIENCE)
        with sessions.connect(*server.address) as client:
            client.send(b"served")
            assert client.recv(timeout=5.0) == b"served"
        assert len(caplog.records) == 1


def test_a_goodbye_that_cannot_be_said_ends_the_session(sessions: SessionApi, monkeypatch: pytest.MonkeyPatch) -> None:
    with sessions.serve(echo, "127.0.0.1", 0) as server:
        client = sessions.connect(*server.address)
        engine = engine_of(client)

        def fail(*_: object) -> None:
            raise LookupError("as planned")

        monkeypatch.setattr(engine, "queue_frame", fail)
        with pytest.raises(LookupError):
            client.close()
        end = client.wait_closed(timeout=5.0)
        assert not end.ok
        eventually(lambda: not server.sessions)


def test_a_server_says_goodbye_to_all_though_it_fails_for_one(
    sessions: SessionApi, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise LookupError("as planned")

    with sessions.serve(echo, "127.0.0.1", 0) as server:
        clients = [sessions.connect(*server.address, data=b"%d" % number) for number in range(3)]
        (victim,) = (each for each in server.sessions if each.peer_data == b"1")
        monkeypatch.setattr(engine_of(victim), "queue_frame", fail)
        with caplog.at_level(logging.ERROR, "gns_py"):
            server.close(1001, "maintenance")
        reasons = []
        for client in clients:
            with pytest.raises(SessionClosed) as closed:
                client.recv(timeout=5.0)
            reasons.append(closed.value.reason)
            client.close()
        assert reasons == [
            CloseReason.SERVER_SHUTTING_DOWN,
            CloseReason.INTERNAL_ERROR,
            CloseReason.SERVER_SHUTTING_DOWN,
        ]
        assert len(caplog.records) == 1


# If the handler's thread reads the end, the callback ends that thread.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("error", [LookupError("as planned"), SystemExit(1), KeyboardInterrupt()], ids=repr)
def test_callbacks_that_raise(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    """In the accepting thread of a blocking server it may be any exception; in asyncio, SystemExit ends the loop."""
    from gns_py.session import sync

    def fail(*_: object) -> None:
        raise error

    with caplog.at_level(logging.ERROR, "gns_py"), sync.serve(echo, "127.0.0.1", 0, on_request=fail) as server:
        for _ in range(2):
            with pytest.raises(SessionFailed):
                sync.connect(*server.address, timeout=1.0 * PATIENCE)
        assert server.is_serving()
    with caplog.at_level(logging.ERROR, "gns_py"), sync.serve(echo, "127.0.0.1", 0, on_status_changed=fail) as server:
        for _ in range(2):
            with sync.connect(*server.address) as client:
                client.send(b"served")
                assert client.recv(timeout=5.0) == b"served"
        assert server.is_serving()
    assert caplog.records


def test_no_thread_for_a_handler(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    from gns_py.session import sync

    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if "handler" in thread.name:
            raise RuntimeError("can't start new thread")
        start(thread)

    with sync.serve(echo, "127.0.0.1", 0) as server, gns.serve(lambda _: None, "127.0.0.1", 0) as natively:
        with caplog.at_level(logging.ERROR, "gns_py"), monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", refuse)
            with pytest.raises(SessionClosed) as ended:  # perhaps before this end knows that it is established
                sync.connect(*server.address).recv(timeout=5.0)
            assert ended.value.reason is CloseReason.INTERNAL_ERROR
            with pytest.raises(gns.ConnectionClosed) as closed:
                gns.connect(*natively.address).recv(timeout=5.0)
            assert closed.value.code == 2001
        assert len(caplog.records) == 2
        assert server.is_serving()
        assert natively.is_serving()
        with sync.connect(*server.address) as client:
            client.send(b"served")
            assert client.recv(timeout=5.0) == b"served"
        gns.connect(*natively.address).close()


def test_no_thread_for_the_package(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Sessions work without the threads that keep them while they are not read; the next one tries again."""
    from gns_py.session import sync

    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name in ("gns_py sessions", "gns_py shield"):
            raise RuntimeError("can't start new thread")
        start(thread)

    with sync.serve(echo, "127.0.0.1", 0) as server:
        with caplog.at_level(logging.ERROR, "gns_py"), monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", refuse)
            for _ in range(2):
                with sync.connect(*server.address) as client:
                    client.send(b"served")
                    assert client.recv(timeout=5.0) == b"served"
        with sync.connect(*server.address) as client:
            client.send(b"served")
            assert client.recv(timeout=5.0) == b"served"
    assert all("thread" in record.getMessage() for record in caplog.records)


def test_waiting_in_another_thread_does_not_disturb_accepting(sessions: SessionApi) -> None:
    """SessionRequest.accept() may be called from any thread, and the session can be waited for there."""
    with ThreadPoolExecutor(4) as workers:
        waited: list[Any] = []

        def accept(request: Any) -> None:
            session = request.accept()
            session.wait_established(timeout=5.0 * PATIENCE)

        def decide(request: Any) -> None:
            waited.append(workers.submit(accept, request))

        with sessions.serve(echo, "127.0.0.1", 0, on_request=decide) as server, ThreadPoolExecutor(4) as pool:

            def client() -> None:
                for _ in range(5):
                    with sessions.connect(*server.address) as session:
                        session.send(b"x")
                        assert session.recv(timeout=5.0) == b"x"

            for each in [pool.submit(client) for _ in range(4)]:
                each.result()
            assert server.is_serving()
        assert len(waited) == 20
        for each in waited:
            each.result()


def test_a_session_that_was_established_has_not_failed(sessions: SessionApi) -> None:
    """The wait begins when the client has gone already."""
    requests: list[Any] = []

    def decide(request: Any) -> None:
        requests.append(request.accept())

    with sessions.serve(echo, "127.0.0.1", 0, on_request=decide) as server:
        with sessions.connect(*server.address):
            pass
        eventually(lambda: not server.sessions)
        requests[0].wait_established(timeout=5.0)
        assert requests[0].end.ok


class TestAccept:
    @pytest.fixture
    def half_open(self) -> Iterator[Callable[[tuple[str, int], int], None]]:
        with contextlib.ExitStack() as stack:

            def begin(address: tuple[str, int], count: int) -> None:
                for _ in range(count):
                    raw = stack.enter_context(gns.connect(*address))
                    raw.send(Hello(1, 1, 0, 1000, 1000, 1000, 0, 0, b"").encode(), nagle=False)
                    raw.recv(timeout=5.0)  # it was accepted, and does not confirm

            yield begin

    def test_clients_that_never_confirm_keep_no_client_out(self, sessions: SessionApi, half_open: Any) -> None:
        with sessions.listen("127.0.0.1", 0) as socket, ThreadPoolExecutor(2) as pool:
            accepting = pool.submit(socket.accept, timeout=20.0)
            half_open(socket.address, 5)
            client = sessions.connect(*socket.address, timeout=3.0 * PATIENCE)
            session = accepting.result(timeout=3.0 * PATIENCE)
            assert session.id == client.id
            client.abort()

    def test_what_was_accepted_when_the_time_was_over_is_returned_next(self, sessions: SessionApi) -> None:
        with sessions.listen("127.0.0.1", 0) as socket, ThreadPoolExecutor(2) as pool:
            accepting = pool.submit(socket.accept, timeout=1.0 * PATIENCE)
            with gns.connect(*socket.address) as raw:
                raw.send(Hello(1, 1, 0, 1000, 1000, 1000, 0, 0, b"").encode(), nagle=False)
                raw.recv(timeout=5.0)
                with pytest.raises(TimeoutError):
                    accepting.result()
                raw.send(Confirm(1).encode(), nagle=False)  # in time for the server, not for its application
                opened = [socket.accept(timeout=5.0)]
                assert opened[0].is_established
            for _ in range(3):
                accepting = pool.submit(socket.accept, timeout=5.0)
                opened += [sessions.connect(*socket.address), accepting.result()]
                assert opened[-1].id == opened[-2].id
            for session in opened:
                session.abort()

    def test_two_at_once(self, sessions: SessionApi) -> None:
        with sessions.listen("127.0.0.1", 0) as socket, ThreadPoolExecutor(2) as pool:
            waiting = [pool.submit(socket.accept, timeout=0.5 * PATIENCE) for _ in range(2)]
            errors = [type(each.exception()) for each in waiting]
            assert sorted(each.__name__ for each in errors) == [ConcurrencyError.__name__, TimeoutError.__name__]


def test_places_for_sessions_are_not_taken_twice(sessions: SessionApi) -> None:
    rules = AdmissionRules(max_sessions=3, max_sessions_per_address=2)
    with (
        sessions.serve(echo, "127.0.0.1", 0, rules=rules) as server,
        contextlib.ExitStack() as stack,
    ):
        raws = [stack.enter_context(gns.connect(*server.address)) for _ in range(8)]
        for raw in raws:  # in all handshakes only the client's confirmation is missing
            raw.send(Hello(1, 1, 0, 1000, 1000, 1000, 0, 0, b"").encode(), nagle=False)
            raw.recv(timeout=5.0)
        for raw in raws:
            raw.send(Confirm(1).encode(), nagle=False)
        eventually(lambda: server.counters.too_many_sessions == 6)
        assert len(server.sessions) == server.counters.established == 2
        for raw in raws:
            raw.close()
        eventually(lambda: not server.sessions)
        with sessions.connect(*server.address) as client:  # the places were given back
            client.send(b"x")
            assert client.recv(timeout=5.0) == b"x"


@pytest.mark.parametrize("keyed", [False, True])
def test_unreliable_messages_are_bounded_in_bytes(sessions: SessionApi, keyed: bool) -> None:
    config = SessionConfig(unreliable_queue_bytes=100_000)
    arrived, over = threading.Event(), threading.Event()
    waiting: list[bytes] = []

    def handler(session: Session) -> None:
        arrived.wait(20.0)
        waiting.extend(message.data for message in session.recv_many(limit=1000, timeout=5.0))
        over.set()

    with (
        sessions.serve(handler, "127.0.0.1", 0, session_config=config) as server,
        establish(server.address) as raw,
    ):
        for number in range(200):
            frame = Keyed(b"%064d" % number, bytes(8_000)) if keyed else Untracked(bytes(8_000))
            raw.send(frame.encode(), reliable=False)
            raw.drain(timeout=5.0)
        eventually(lambda: server.sessions and server.sessions[0].dropped[1] > 150, 10.0)
        arrived.set()
        assert over.wait(5.0 * PATIENCE)
        assert sum(map(len, waiting)) <= 100_000
        assert 0 < len(waiting) <= 200


def test_a_peer_chooses_no_shorter_pings_than_the_server_allows(sessions: SessionApi) -> None:
    wish = Hello(1, 1, 0, 1000, 1000, 1000, 0, 100, b"")
    for server_config, timeout in (
        (SessionConfig(), 1.0),
        (SessionConfig(min_ping_timeout=3.0), 3.0),
        (SessionConfig(ping_timeout=0.3), 0.3),
        (SessionConfig(ping_timeout=None), 1.0),
    ):
        with sessions.serve(echo, "127.0.0.1", 0, session_config=server_config) as server:
            with gns.connect(*server.address) as raw:
                raw.send(wish.encode())
                welcome = decode(raw.recv(timeout=5.0))
            assert isinstance(welcome, Welcome)
            assert welcome.ping_timeout_ms == timeout * 1000


def test_sessions_that_were_dropped_are_noticed(sessions: SessionApi) -> None:
    """At either end, the peer is told, the place is given back, and there is a warning, as for connections."""
    config = SessionConfig(ping_timeout=None)
    with sessions.listen("127.0.0.1", 0, session_config=config) as socket, ThreadPoolExecutor(1) as pool:
        for who in ("client", "server"):
            accepting = pool.submit(socket.accept, timeout=5.0)
            client = sessions.connect(*socket.address, session_config=config)
            server = accepting.result()
            del accepting
            if isinstance(sessions, BlockingSessions):
                sessions.forget_shown()
            other = server if who == "client" else client
            with pytest.warns(ResourceWarning, match="unclosed session"):  # noqa: PT031 - now or when it is collected
                del client, server
                eventually(lambda other=other: gc.collect() is not None and other.connection.end)  # type: ignore[misc]
            with pytest.raises(SessionClosed):
                other.recv(timeout=5.0)
            assert other.end is not None
            assert not other.end.ok
            eventually(lambda: not socket.sessions)
            other.close()
            del other
