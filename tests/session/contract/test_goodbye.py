"""How sessions end: with everything that was sent, with data both ways, and with one reason at both ends."""

from __future__ import annotations

import contextlib
import gc
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from support import PATIENCE, eventually
from support.sessions import BlockingSessions, SessionApi

import gns_py
from gns_py import ClosedBy, Config
from gns_py.session import CloseReason
from gns_py.session.sync import Session, SessionClosed, SessionClosedError, SessionClosedOK, SessionConfig

from ..conftest import Ends, EndsMaker

LOSSY = Config(
    fake_packet_loss_send=10.0, fake_packet_loss_recv=10.0, send_rate_min=10_000_000, send_rate_max=10_000_000
)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def read_to_the_end(session: Session) -> list[bytes]:
    messages = []
    try:
        while True:
            messages.append(session.recv(timeout=20.0 * PATIENCE))
    except SessionClosed:
        return messages


@pytest.mark.parametrize("loss", [False, True])
@pytest.mark.parametrize("who", ["client", "server"])
def test_the_transaction_example(
    ends: Ends, pool: ThreadPoolExecutor, who: str, loss: bool, process_config: Callable[[Config], None]
) -> None:
    """The eight steps of Winsock's example, both ways round: totals go with the goodbye and its answer."""
    if loss:
        process_config(LOSSY)
    first, second = (ends.client, ends.server) if who == "client" else (ends.server, ends.client)
    for number in range(500):
        first.send(b"transaction %d" % number)
    closing = pool.submit(first.close, 1001, "done for today", b"500")  # 1
    transactions = read_to_the_end(second)  # 2
    assert transactions == [b"transaction %d" % number for number in range(500)]
    end = second.end
    assert end is not None
    assert (end.code, end.text, end.data, end.closed_by) == (1001, "done for today", b"500", ClosedBy.PEER)  # 3
    grand_total = 1_000 + int(end.data)  # 4
    assert second.close(data=b"%d" % grand_total) == b"500"  # 5, 5a
    assert closing.result() == b"1500"  # 6, 7, 8
    reason = CloseReason.CLOSED_BY_CLIENT if who == "client" else CloseReason.CLOSED_BY_SERVER
    for session in ends:
        assert session.end is not None
        assert session.end.reason is reason
        assert session.end.ok
        assert (session.end.code, session.end.text) == (1001, "done for today")


def test_what_was_sent_on_all_lanes_comes_before_the_end(ends: Ends, pool: ThreadPoolExecutor) -> None:
    ends.client.configure_lanes([0, 1, 2])
    for number in range(300):
        ends.client.send(b"%d" % number + bytes(2000), lane=number % 3)
    closing = pool.submit(ends.client.close)
    messages = [int(message.rstrip(b"\0")) for message in read_to_the_end(ends.server)]
    assert sorted(messages) == list(range(300))
    for lane in range(3):
        assert [number for number in messages if number % 3 == lane] == list(range(lane, 300, 3))
    ends.server.close()
    closing.result()


def test_the_other_end_may_still_send_before_it_answers(ends: Ends, pool: ThreadPoolExecutor) -> None:
    closing = pool.submit(ends.client.close, data=b"bye")
    assert read_to_the_end(ends.server) == []
    ends.server.send(b"too late to be read, and no fault")
    assert ends.server.close(data=b"good-bye") == b"bye"
    assert closing.result() == b"good-bye"


def test_both_at_once_agree(ends: Ends, process_config: Callable[[Config], None]) -> None:
    process_config(Config(fake_packet_lag_send=100))
    barrier = threading.Barrier(2)

    def close(session: Session, text: str, data: bytes) -> bytes:
        barrier.wait(5)
        return session.close(1500, text, data)

    with ThreadPoolExecutor(2) as pool:
        closing = [
            pool.submit(close, ends.client, "the client's", b"from the client"),
            pool.submit(close, ends.server, "the server's", b"from the server"),
        ]
        assert [each.result() for each in closing] == [b"from the server", b"from the client"]
    assert ends.client.end is not None
    assert ends.server.end is not None
    assert ends.client.end.reason is ends.server.end.reason is CloseReason.CLOSED_BY_CLIENT
    assert ends.client.end.text == ends.server.end.text == "the client's"
    assert (ends.client.end.closed_by, ends.server.end.closed_by) == (ClosedBy.LOCAL, ClosedBy.PEER)


def test_an_answer_comes_by_itself_if_the_application_does_not_close(make_ends: EndsMaker) -> None:
    ends = make_ends(SessionConfig(close_timeout=1.0 * PATIENCE))
    ends.client.send(b"last")
    assert ends.client.close(1100, "going", b"data") == b""
    assert ends.client.end is not None
    assert (ends.client.end.reason, ends.client.end.code) == (CloseReason.CLOSED_BY_CLIENT, 1100)
    assert read_to_the_end(ends.server) == [b"last"]
    assert ends.server.end is not None
    assert (ends.server.end.code, ends.server.end.data) == (1100, b"data")


def test_no_answer_is_not_ok_at_either_end(make_ends: EndsMaker) -> None:
    ends = make_ends(SessionConfig(close_timeout=0.5 * PATIENCE), server=SessionConfig(close_timeout=60.0))
    ends.client.send(b"last")
    assert ends.client.close(1100, "cannot wait", b"data") == b""
    text = "cannot wait; given up without an answer"
    assert ends.client.end is not None
    assert read_to_the_end(ends.server) == [b"last"]
    ends.server.wait_closed(timeout=5.0)
    for end in (ends.client.end, ends.server.end):
        assert end is not None
        assert (end.reason, end.code, end.text) == (CloseReason.ABORTED, 1100, text)
        assert not end.ok
        assert end.undelivered == 0
    assert ends.server.connection.end is not None
    assert ends.server.connection.end.code == CloseReason.ABORTED.native_code
    assert ends.server.connection.end.text == f"1100 {text}"


@pytest.mark.parametrize("reliable", [True, False])
def test_closing_while_another_thread_receives(make_ends: EndsMaker, pool: ThreadPoolExecutor, reliable: bool) -> None:
    """A message that is dropped and taken at the same moment is neither taken twice nor missed by the peer."""
    for _ in range(10):
        ends = make_ends(SessionConfig(credit_messages=40, unreliable_queue=20))
        stop = threading.Event()

        def pour(session: Session, stop: threading.Event = stop) -> None:
            while not stop.is_set() and session.is_established:
                session.send_many([b"x"] * 20, reliable=reliable)
                session.drain(timeout=5.0 * PATIENCE)

        pouring = pool.submit(pour, ends.client)
        reading = pool.submit(read_to_the_end, ends.server)
        eventually(reading.running)
        closing = pool.submit(ends.server.close, 1001, "enough")
        assert read_to_the_end(ends.client) == []
        stop.set()
        with contextlib.suppress(SessionClosed):
            pouring.result()
        ends.client.close()
        closing.result()
        reading.result()
        for end in ends.client.end, ends.server.end:
            assert end is not None
            assert (end.reason, end.code) == (CloseReason.CLOSED_BY_SERVER, 1001)


def test_closing_again_returns_the_same(ends: Ends, pool: ThreadPoolExecutor) -> None:
    closing = [pool.submit(ends.client.close, 1000, "", b"once") for _ in range(3)]
    assert read_to_the_end(ends.server) == []
    assert ends.server.close(data=b"answer") == b"once"
    assert [each.result() for each in closing] == [b"answer"] * 3
    assert ends.client.close(1300, "again", b"other") == b"answer"
    assert ends.client.end is not None
    assert ends.client.end.code == 1000


@pytest.mark.parametrize("who", ["client", "server"])
def test_aborting_drops_what_is_on_its_way(ends: Ends, who: str) -> None:
    first, second = (ends.client, ends.server) if who == "client" else (ends.server, ends.client)
    first.send(b"may be lost")
    first.abort(2100, "no more")
    end = second.wait_closed(timeout=5.0)
    assert (end.reason, end.code, end.text) == (CloseReason.ABORTED, 2100, "no more")
    assert first.end is not None
    assert (first.end.reason, first.end.closed_by) == (CloseReason.ABORTED, ClosedBy.LOCAL)
    first.abort(2101, "again")
    assert first.close() == b""
    assert first.end.code == 2100
    with pytest.raises(SessionClosedError, match="ABORTED, 2100: no more"):
        first.send(b"late")
    with pytest.raises(SessionClosedError, match="ABORTED, 2100: no more"):
        first.recv()


def test_what_may_be_done_after_the_end(ends: Ends, pool: ThreadPoolExecutor) -> None:
    closing = pool.submit(ends.client.close, 1000, "bye")
    assert read_to_the_end(ends.server) == []
    ends.server.close()
    closing.result()
    for session in ends:
        for call in (
            lambda session=session: session.send(b"late"),
            lambda session=session: session.recv(timeout=1.0),
            lambda session=session: session.recv_many(timeout=1.0),
            session.drain,
            session.ping,
        ):
            with pytest.raises(SessionClosedOK, match="CLOSED_BY_CLIENT, 1000: bye"):
                call()
        assert list(session) == []
        assert session.wait_closed() == session.end
        assert not session.is_established
        assert session.remote_address is not None


def test_the_controller_closes(sessions: SessionApi) -> None:
    ended = threading.Event()
    seen: list[object] = []

    def handler(session: Session) -> None:
        try:
            session.recv()
        except SessionClosed as closed:
            seen.append(closed.reason)
        ended.set()

    with sessions.serve(handler, "127.0.0.1", 0) as server, ThreadPoolExecutor(1) as pool:
        client = sessions.connect(*server.address)
        reading = pool.submit(read_to_the_end, client)
        (session,) = server.sessions
        server.kick(session, 1200, "not today", b"come again")
        assert reading.result() == []
        assert client.end is not None
        assert (client.end.reason, client.end.code, client.end.data) == (
            CloseReason.CLOSED_BY_CONTROLLER,
            1200,
            b"come again",
        )
        client.close()
        assert ended.wait(5.0 * PATIENCE)
        assert seen == [CloseReason.CLOSED_BY_CONTROLLER]


def test_a_handler_that_fails(sessions: SessionApi, caplog: pytest.LogCaptureFixture) -> None:
    def handler(_: Session) -> None:
        raise LookupError("as planned")

    with caplog.at_level(logging.ERROR, "gns_py"), sessions.serve(handler, "127.0.0.1", 0) as server:
        client = sessions.connect(*server.address)
        assert read_to_the_end(client) == []
        assert client.end is not None
        assert (client.end.reason, client.end.code) == (CloseReason.INTERNAL_ERROR, 2001)
        assert not client.end.ok
        client.close()
        eventually(lambda: caplog.records)
    assert "as planned" in str(caplog.records[0].exc_text)


def test_a_handler_that_returns_closes(sessions: SessionApi) -> None:
    with sessions.serve(lambda session: session.send(b"that was it"), "127.0.0.1", 0) as server:
        client = sessions.connect(*server.address)
        assert read_to_the_end(client) == [b"that was it"]
        assert client.end is not None
        assert (client.end.reason, client.end.code) == (CloseReason.CLOSED_BY_SERVER, 1000)
        assert client.close() == b""


def test_a_server_that_closes_says_so(sessions: SessionApi) -> None:
    with ThreadPoolExecutor(1) as pool:
        with sessions.serve(read_to_the_end, "127.0.0.1", 0) as server:
            client = sessions.connect(*server.address)
            client.send(b"hello")

            def leave() -> list[bytes]:
                messages = read_to_the_end(client)
                client.close()
                return messages

            leaving = pool.submit(leave)
            server.close(1001, "maintenance")
        assert leaving.result() == []
        assert client.end is not None
        assert (client.end.reason, client.end.code, client.end.text) == (
            CloseReason.SERVER_SHUTTING_DOWN,
            1001,
            "maintenance",
        )
        assert client.end.can_retry


@pytest.mark.parametrize("who", ["client", "server"])
def test_a_runtime_that_stops(ends: Ends, who: str) -> None:
    gns_py.stop(linger=0)
    session = getattr(ends, who)
    with pytest.raises(SessionClosed) as closed:
        session.recv(timeout=5.0)
    reasons = {"client": CloseReason.ABORTED, "server": CloseReason.SERVER_SHUTTING_DOWN}
    assert closed.value.reason is reasons[who]
    assert session.close() == b""


def test_a_block_that_ends_waits_for_the_answer(ends: Ends, pool: ThreadPoolExecutor) -> None:
    def answer() -> bytes:
        read_to_the_end(ends.server)
        return ends.server.close()

    answering = pool.submit(answer)
    with ends.client as client:
        client.send(b"x")
    assert client.end is not None
    answering.result()


def test_a_block_that_raises_ends_with_internal_error(ends: Ends) -> None:
    ends.client.send(b"before")
    with pytest.raises(LookupError), ends.client:
        raise LookupError
    assert read_to_the_end(ends.server) == [b"before"]
    assert ends.server.end is not None
    assert (ends.server.end.reason, ends.server.end.code) == (CloseReason.INTERNAL_ERROR, 2001)
    ends.server.close()
    eventually(lambda: ends.client.end)


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ((999,), ValueError, "code is 999"),
        ((2900,), ValueError, "2000 to 2899"),
        ((True,), TypeError, "code must be an int"),
        ((1000, None), TypeError, "text must be a str"),
        ((1000, "", bytearray(1)), TypeError, "data must be bytes"),
        ((1000, "", bytes(65_537)), ValueError, "65537"),
    ],
)
def test_a_goodbye_that_cannot_be_said(
    ends: Ends, arguments: tuple[object, ...], error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        ends.client.close(*arguments)  # type: ignore[arg-type]
    ends.client.send(b"still here")
    assert ends.server.recv(timeout=5.0) == b"still here"


def test_a_session_that_is_dropped_while_it_closes_stays_one_until_its_end(sessions: SessionApi) -> None:
    """So a server that is closed waits for it, and its place is not given away."""
    with sessions.listen("127.0.0.1", 0) as socket, ThreadPoolExecutor(1) as pool:
        accepting = pool.submit(socket.accept, timeout=5.0 * PATIENCE)
        client = sessions.connect(*socket.address, session_config=SessionConfig(credit_messages=8))
        server = accepting.result()
        for number in range(100):
            server.send(b"%d" % number)
        with contextlib.suppress(LookupError), server:
            raise LookupError("as planned")
        del accepting, server
        if isinstance(sessions, BlockingSessions):
            sessions.forget_shown()
        gc.collect()
        assert len(socket.sessions) == 1
        assert read_to_the_end(client) == [b"%d" % number for number in range(100)]
        assert client.end is not None
        assert client.end.reason is CloseReason.INTERNAL_ERROR
        client.close()
        eventually(lambda: not socket.sessions)
