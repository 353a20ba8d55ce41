"""No end is ok unless everything has arrived and both ends have said so."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from support import PATIENCE, eventually
from support.sessions import SessionApi

import gns_py.sync as gns
from gns_py import ClosedBy, Config
from gns_py.session import CloseReason, SessionEnd
from gns_py.session.protocol import frames
from gns_py.session.protocol.frames import LAST_CREDIT, Ack, Bye, ByeAck, Data, decode
from gns_py.session.sync import Session, SessionClosed, SessionClosedError, SessionConfig

from ..conftest import EndsMaker
from .test_goodbye import read_to_the_end
from .test_hostile import establish

QUICK = SessionConfig(close_timeout=0.6 * PATIENCE)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


class Ended:
    """Return a handler that reads to the end, closes, and records how it ended."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.ends: list[SessionEnd] = []

    def __call__(self, session: Session) -> None:
        try:
            self.messages += read_to_the_end(session)
            session.close(data=b"the server's")
        finally:
            self.ends.append(session.wait_closed(timeout=20.0 * PATIENCE))

    def end(self) -> SessionEnd:
        return eventually(lambda: self.ends, 20.0)[0]


@pytest.mark.parametrize("rate", [150_000, 5_000_000])
def test_a_close_timeout_does_not_cut_off_what_is_on_its_way(sessions: SessionApi, rate: int) -> None:
    """The queued data takes several close timeouts: it flows all the time, so the session is not given up."""
    ended = Ended()
    config = Config(send_rate_min=rate, send_rate_max=rate)
    with sessions.serve(ended, "127.0.0.1", 0, session_config=QUICK) as server:
        client = sessions.connect(*server.address, config=config, session_config=QUICK)
        for number in range(60):
            client.send(b"%06d" % number + bytes(6_000))
        assert client.close(data=b"60") == b"the server's"
        assert client.end is not None
        assert ended.end().ok
        assert client.end.ok
        assert [int(each[:6]) for each in ended.messages] == list(range(60))
        assert client.end.undelivered == ended.end().undelivered == 0


def test_a_reader_that_takes_its_time_gets_everything(make_ends: EndsMaker, pool: ThreadPoolExecutor) -> None:
    """Less than a quarter of the credit is read in a close timeout, so no ack is due: the closing end asks for one."""
    ends = make_ends(SessionConfig(credit_messages=40, close_timeout=0.8 * PATIENCE))
    for number in range(60):
        ends.client.send(b"%d" % number)
    closing = pool.submit(ends.client.close)
    received: list[int] = []
    for _ in range(60):
        received.append(int(ends.server.recv(timeout=10.0)))
        if len(received) < 12:
            with pytest.raises(TimeoutError):
                ends.server.wait_closed(timeout=0.2 * PATIENCE)
    assert read_to_the_end(ends.server) == []
    ends.server.close()
    closing.result()
    assert received == list(range(60))
    for session in ends:
        assert session.end is not None
        assert session.end.ok


def test_giving_up_says_so_at_both_ends(make_ends: EndsMaker) -> None:
    """The other end does not read: the goodbye cannot even be said."""
    ends = make_ends(SessionConfig(credit_messages=4, close_timeout=0.4 * PATIENCE))
    for number in range(10):
        ends.client.send(b"%d" % number)
    ends.client.close(1200, "enough")
    ends.server.wait_closed(timeout=5.0)
    for session in ends:
        end = session.end
        assert end is not None
        assert not end.ok
        assert (end.reason, end.code) == (CloseReason.ABORTED, 1200)
        assert "enough; given up with 6 messages" in end.text
    assert ends.client.end is not None
    assert ends.client.end.undelivered == 6
    with pytest.raises(SessionClosedError):
        ends.client.send(b"late")


@pytest.mark.parametrize("code", [1000, 1001, 1904, 1913, 1918, 1910, 2999])
@pytest.mark.parametrize("who", ["client", "server"])
def test_a_native_end_is_never_ok(sessions: SessionApi, code: int, who: str, pool: ThreadPoolExecutor) -> None:
    """The packet can be forged by anyone who sees the connection's packets, since it is not encrypted."""
    if who == "client":
        ended = Ended()
        with sessions.serve(ended, "127.0.0.1", 0) as server, establish(server.address) as raw:
            raw.send(Data(1, b"x").encode(), nagle=False)
            eventually(lambda: server.sessions)
            raw.close(code, "1000 thank you")
            end = ended.end()
    else:
        with gns.listen("127.0.0.1", 0) as listener:
            connecting = pool.submit(sessions.connect, *listener.address)
            with listener.accept(timeout=5.0) as raw:
                raw.recv(timeout=5.0)
                raw.send(frames.Welcome(1, 0, bytes(16), 1, b"", 1000, 10_000, 100, 0, 0, b"").encode(), nagle=False)
                raw.recv(timeout=5.0)
                raw.send(frames.Ready(1).encode(), nagle=False)
                client = connecting.result()
                raw.close(code, "1000 thank you")
                with pytest.raises(SessionClosedError):
                    list(client)
                assert client.end is not None
                end = client.end
    assert not end.ok
    assert end.closed_by is ClosedBy.PEER


@pytest.mark.parametrize("confirms", [False, True])
def test_a_goodbye_counts_when_the_peer_has_confirmed_the_answer(sessions: SessionApi, confirms: bool) -> None:
    ended = Ended()
    with sessions.serve(ended, "127.0.0.1", 0) as server, establish(server.address) as raw:
        raw.send(Data(1, b"x").encode())
        raw.send(Bye(4, 1000, "bye", {0: 1}, b"").encode(), nagle=False)
        while not isinstance(answer := decode(raw.recv(timeout=5.0)), ByeAck):
            pass
        assert answer.data == b"the server's"
        last = decode(raw.recv(timeout=5.0))
        assert last == Ack({0: 1}, LAST_CREDIT, LAST_CREDIT)
        if confirms:
            raw.send(Ack({}, LAST_CREDIT, LAST_CREDIT).encode(), nagle=False)
        raw.close(1000, "bye")
        assert ended.end().ok is confirms
        assert ended.messages == [b"x"]


@pytest.mark.parametrize(
    "last",
    [{0: 2**64 - 1}, {0: 4}, dict.fromkeys(range(255), 1), {254: 2**63}],
    ids=["largest", "one too many", "all lanes", "another lane"],
)
def test_a_goodbye_that_counts_more_than_could_come(sessions: SessionApi, last: dict[int, int]) -> None:
    config = SessionConfig(credit_messages=3, close_timeout=30.0)
    with (
        sessions.serve(Ended(), "127.0.0.1", 0, session_config=config) as server,
        establish(server.address) as raw,
    ):
        raw.send(Bye(4, 1000, "", last, b"").encode(), nagle=False)
        assert raw.wait_closed(timeout=5.0 * PATIENCE).code == CloseReason.LOST_MESSAGES.native_code


def test_a_peer_that_vanishes_after_its_goodbye(sessions: SessionApi) -> None:
    """The application had read to the end, and knew of it; the answer is another matter."""
    told: list[bool] = []
    closing = threading.Event()

    def handler(session: Session) -> None:
        assert read_to_the_end(session) == [b"x"]
        assert session.end is not None
        told.append(session.end.ok)
        session.send(b"more")
        closing.set()
        session.close()
        told.append(session.wait_closed().ok)

    with sessions.serve(handler, "127.0.0.1", 0) as server, establish(server.address) as raw:
        raw.send(Data(1, b"x").encode())
        raw.send(Bye(4, 1000, "", {0: 1}, b"").encode(), nagle=False)
        assert closing.wait(5.0 * PATIENCE)
        raw.close(linger=False)
        eventually(lambda: len(told) == 2)
    assert told == [True, False]


def test_aborting_tells_the_code_at_both_ends(make_ends: EndsMaker) -> None:
    for arguments, code in (((), 1000), ((1234,), 1234), ((2345, "text"), 2345)):
        ends = make_ends()
        ends.client.abort(*arguments)
        ends.server.wait_closed(timeout=5.0)
        for session in ends:
            assert session.end is not None
            assert (session.end.reason, session.end.code) == (CloseReason.ABORTED, code)
            assert f"{session.end.code:04}" == str(code)


def test_closing_ends_however_slowly_the_peer_goes_on(sessions: SessionApi) -> None:
    """A peer that sends a message now and then, and never its goodbye, cannot keep a session for ever."""
    config = SessionConfig(close_timeout=0.15 * PATIENCE)
    ends: list[SessionEnd] = []

    def handler(session: Session) -> None:
        session.close()
        ends.append(session.wait_closed(timeout=20.0 * PATIENCE))

    with sessions.serve(handler, "127.0.0.1", 0, session_config=config) as server, establish(server.address) as raw:
        for number in range(1, 500):
            with contextlib.suppress(gns.ConnectionClosed):
                raw.send(Data(number, b"x").encode(), nagle=False)
            with contextlib.suppress(TimeoutError):
                raw.wait_closed(timeout=0.03 * PATIENCE)
                break
        assert eventually(lambda: ends)[0].ok is False


def test_waiting_elsewhere_gets_the_same_end(make_ends: EndsMaker, pool: ThreadPoolExecutor) -> None:
    ends = make_ends()
    waiting = [pool.submit(each.wait_closed, timeout=10.0 * PATIENCE) for each in ends]
    closing = pool.submit(ends.client.close)
    with pytest.raises(SessionClosed):
        ends.server.recv(timeout=5.0)
    ends.server.close()
    closing.result()
    assert all(each.result().ok for each in waiting)
