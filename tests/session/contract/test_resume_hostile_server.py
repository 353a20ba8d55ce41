"""A server that answers RESUME in the wrong way, or not at all, harms only the session that it has."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from support import PATIENCE, echo, eventually
from support.sessions import SessionApi

import gns_py.sync as gns
from gns_py.session import CloseReason, Phase
from gns_py.session.protocol import client, frames
from gns_py.session.protocol.frames import Ack, Data, Frame, Resume, Resumed, ResumeFailed
from gns_py.session.sync import Session, SessionClosed, SessionConfig, SessionFailed

TIMEOUT = 5.0 * PATIENCE
INVALID = CloseReason.INVALID_INBOUND_MESSAGE
LOST = CloseReason.LOST_MESSAGES
TOKEN = b"token"
SESSION_ID = bytes(range(16))
RIGHT = Resumed(2, b"another", {}, 1000, 100)


class Fraud:
    """A raw server, with the session that a client believes to have there; and a good session of that program."""

    def __init__(
        self, listener: gns.ListenSocket, pool: ThreadPoolExecutor, sessions: SessionApi, good: Session
    ) -> None:
        self.listener = listener
        self.good = good
        self.raw: gns.Connection
        self.client: Session
        self._pool = pool
        self._sessions = sessions

    def establish(self, window: float = 30.0, **settings: Any) -> None:
        """Make the session."""
        config = SessionConfig(resume_window=window, **settings)
        connecting = self._pool.submit(self._sessions.connect, *self.listener.address, session_config=config)
        self.raw = self.listener.accept(timeout=TIMEOUT)
        hello = self.hear(frames.Hello)
        self.say(frames.Welcome(1, 1, SESSION_ID, 1, TOKEN, 1000, 1000, 100, hello.resume_window_ms, 0, b""))
        self.hear(frames.Confirm)
        self.say(frames.Ready(1))
        self.client = connecting.result(TIMEOUT)

    def say(self, *order: Frame | bytes) -> None:
        self.raw.send_many([each if isinstance(each, bytes) else each.encode() for each in order], nagle=False)

    def hear(self, kind: type[Frame]) -> Any:
        frame = frames.decode(self.raw.recv(timeout=TIMEOUT))
        assert isinstance(frame, kind), frame
        return frame

    def drop(self) -> None:
        """Close the connection in such a way that the client believes it is lost."""
        self.raw.close(CloseReason.CONNECTION_LOST.native_code, linger=False)

    def await_resume(self) -> Resume:
        """Wait for the client's next connection, and return what it says there."""
        self.raw = self.listener.accept(timeout=TIMEOUT)
        resume: Resume = self.hear(Resume)
        return resume

    def check_ends_with(self, reason: CloseReason) -> None:
        """Check that the client's session ends with that reason, and that its other session goes on."""
        with pytest.raises(SessionClosed) as caught:
            self.client.recv(timeout=TIMEOUT)
        assert caught.value.end.reason is reason
        assert self.raw.wait_closed(timeout=TIMEOUT).code == reason.native_code
        with pytest.raises(TimeoutError):
            self.listener.accept(timeout=0.3)  # it does not try again
        self.check_other_goes_on()

    def check_other_goes_on(self) -> None:
        self.good.send(b"still here")
        assert self.good.recv(timeout=TIMEOUT) == b"still here"

    def check_serves(self) -> None:
        """Check that the session goes on."""
        self.client.wait_resumed(timeout=TIMEOUT)
        self.client.send(b"question")
        question = self.hear(Data)
        assert question.payload == b"question"
        self.check_other_goes_on()


@pytest.fixture
def fraud(sessions: SessionApi) -> Iterator[Fraud]:
    with ExitStack() as stack:
        server = stack.enter_context(sessions.serve(echo, "127.0.0.1", 0))
        good = stack.enter_context(sessions.connect(*server.address))
        listener = stack.enter_context(gns.listen("127.0.0.1", 0))
        pool = stack.enter_context(ThreadPoolExecutor(1))
        fraud = Fraud(listener, pool, sessions, good)
        yield fraud
        fraud.client.abort()


def test_what_the_client_shows(fraud: Fraud) -> None:
    """The right answer, twice: the later RESUME shows the later epoch and token."""
    fraud.establish()
    fraud.drop()
    resume = fraud.await_resume()
    assert (resume.session_id, resume.epoch, resume.token, resume.handled) == (SESSION_ID, 1, TOKEN, {})
    fraud.say(RIGHT)
    assert fraud.hear(frames.Confirm) == frames.Confirm(2)
    fraud.check_serves()
    fraud.drop()
    resume = fraud.await_resume()
    assert (resume.epoch, resume.token) == (2, b"another")
    fraud.say(Resumed((1 << 64) - 1, bytes(64), {0: 1}, 1000, 100))
    assert fraud.hear(frames.Confirm) == frames.Confirm((1 << 64) - 1)
    fraud.check_serves()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param([Resumed(1, b"another", {0: 2}, 1010, 102)], INVALID, id="the same epoch"),
        pytest.param([Resumed(2, b"", {0: 2}, 1010, 102)], INVALID, id="no token"),
        pytest.param([Resumed(2, b"another", {0: 4}, 1010, 102)], LOST, id="more than was sent"),
        pytest.param([Resumed(2, b"another", {0: 2, 1: 1}, 1010, 102)], LOST, id="another lane"),
        pytest.param([Resumed(2, b"another", {0: 1}, 1010, 102)], LOST, id="less than it has said"),
        pytest.param([Resumed(2, b"another", {}, 1010, 102)], LOST, id="nothing"),
        pytest.param([Resumed(2, b"another", {0: 2}, 1009, 102)], LOST, id="bytes that fall"),
        pytest.param([Resumed(2, b"another", {0: 2}, 1010, 101)], LOST, id="messages that fall"),
        pytest.param([frames.Welcome(1, 1, SESSION_ID, 1, TOKEN, 1, 1, 1, 1, 0, b"")], INVALID, id="WELCOME"),
        pytest.param([frames.Reject(14, 1000, "", b"")], INVALID, id="REJECT"),
        pytest.param([frames.Ready(1)], INVALID, id="READY"),
        pytest.param([frames.Ping(1)], INVALID, id="PING"),
        pytest.param([Ack({0: 3}, 1010, 102)], INVALID, id="ACK"),
        pytest.param([frames.Bye(13, 1000, "", {}, b"")], INVALID, id="BYE"),
        pytest.param([frames.GoAway(18, 0, "", ())], INVALID, id="GOAWAY"),
        pytest.param([Data(1, b"too early")], INVALID, id="DATA"),
        pytest.param([b"\xff"], INVALID, id="no frame"),
        pytest.param([Resumed(2, b"a", {0: 2}, 1010, 102)] * 2, INVALID, id="twice"),
        pytest.param([Resumed(2, b"a", {0: 2}, 1010, 102), frames.Ready(2)], INVALID, id="READY after it"),
        pytest.param([Resumed(2, b"a", {0: 2}, 1010, 102), ResumeFailed(19, "")], INVALID, id="both answers"),
        pytest.param([Resumed(2, b"a", {0: 2}, 1010, 102), frames.Pong(1)], INVALID, id="PONG of the old connection"),
    ],
)
def test_wrong_answers(fraud: Fraud, answer: list[Frame], reason: CloseReason) -> None:
    fraud.establish()
    for number in range(3):
        fraud.client.send(b"%d" % number)
        fraud.hear(Data)
    fraud.say(Ack({0: 2}, 1010, 102), frames.Ping(1))
    fraud.hear(frames.Pong)
    fraud.drop()
    fraud.await_resume()
    fraud.say(*answer)
    fraud.check_ends_with(reason)


@pytest.mark.parametrize("number", [*CloseReason, 1234])
def test_refusals(fraud: Fraud, number: int) -> None:
    fraud.establish()
    fraud.client.send(b"not delivered")
    fraud.hear(Data)
    fraud.drop()
    fraud.await_resume()
    fraud.say(ResumeFailed(number, "why"))
    reason = CloseReason(number) if number in list(CloseReason) else CloseReason.ABORTED
    fraud.check_ends_with(reason)
    end = fraud.client.wait_closed(timeout=TIMEOUT)
    assert (end.closed_by.name, end.text, end.undelivered, end.ok) == ("PEER", "why", 1, False)


@pytest.mark.parametrize("repeated", [[2], [1, 1], [1, 3], [2, 1], [3]])
def test_wrong_replays(fraud: Fraud, repeated: list[int]) -> None:
    fraud.establish()
    fraud.say(Data(1, b"1"), Data(2, b"2"), frames.Ping(1))
    fraud.hear(frames.Pong)
    fraud.drop()
    assert fraud.await_resume().handled == {}
    fraud.say(RIGHT)
    fraud.hear(frames.Confirm)
    fraud.say(*(Data(number, b"%d" % number) for number in repeated))
    assert fraud.raw.wait_closed(timeout=TIMEOUT).code == LOST.native_code
    assert [fraud.client.recv(timeout=TIMEOUT) for _ in range(2)] == [b"1", b"2"]
    fraud.check_ends_with(LOST)


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_ANSWER_TIMEOUT", 0.3 * PATIENCE)


@pytest.mark.usefixtures("_impatient")
def test_silence(fraud: Fraud) -> None:
    fraud.establish()
    fraud.drop()
    for _ in range(3):
        assert fraud.await_resume().epoch == 1
        assert fraud.raw.wait_closed(timeout=TIMEOUT).code == CloseReason.CONNECTION_LOST.native_code
    fraud.await_resume()
    fraud.say(RIGHT)
    fraud.hear(frames.Confirm)
    assert fraud.client.drops == 1
    fraud.check_serves()


@pytest.mark.usefixtures("_impatient")
def test_silence_until_the_window_is_over(fraud: Fraud) -> None:
    fraud.establish(window=1.0 * PATIENCE)
    fraud.drop()
    attempts = 0
    while fraud.client.phase is not Phase.ENDED:
        with contextlib.suppress(TimeoutError):
            fraud.listener.accept(timeout=0.1)
            attempts += 1
    assert fraud.client.wait_closed(timeout=TIMEOUT).reason is CloseReason.SESSION_EXPIRED
    assert 2 <= attempts <= 5
    fraud.check_other_goes_on()


@pytest.mark.parametrize("reason", list(CloseReason))
def test_connections_that_are_closed_before_the_answer(fraud: Fraud, reason: CloseReason) -> None:
    """After a recoverable reason, or one that is about the connection alone, the client tries again."""
    fraud.establish()
    fraud.drop()
    fraud.await_resume()
    fraud.raw.close(reason.native_code, "2345 why", linger=False)
    if reason.can_retry or reason is CloseReason.PROTOCOL_ERROR:
        fraud.await_resume()
        fraud.say(RIGHT)
        fraud.hear(frames.Confirm)
        assert fraud.client.drops == 1
        fraud.check_serves()
        return
    end = fraud.client.wait_closed(timeout=TIMEOUT)
    assert (end.reason, end.code, end.text) == (reason, 2345, "why")
    with pytest.raises(TimeoutError):
        fraud.listener.accept(timeout=0.3)
    fraud.check_other_goes_on()


def test_connections_that_are_refused(sessions: SessionApi) -> None:
    """The client tries again, later and later, until its window is over."""
    with gns.listen("127.0.0.1", 0) as listener, ThreadPoolExecutor(1) as pool:
        fraud = Fraud(listener, pool, sessions, None)  # type: ignore[arg-type]
        fraud.establish(window=2.0)
        fraud.drop()
        attempts = 0
        while fraud.client.phase is not Phase.ENDED:
            with contextlib.suppress(TimeoutError):
                listener.accept(timeout=0.1).close(CloseReason.RATE_LIMITED.native_code, linger=False)
                attempts += 1
        assert fraud.client.wait_closed(timeout=TIMEOUT).reason is CloseReason.SESSION_EXPIRED
        assert 2 <= attempts <= 40


def test_sessions_that_are_promised_what_was_not_offered(fraud: Fraud, sessions: SessionApi) -> None:
    """A client without a window has offered nothing, and one with a window no longer one."""
    fraud.establish()
    for window, granted, token in ((None, 0, TOKEN), (None, 30_000, TOKEN), (1.0, 1001, TOKEN), (1.0, 1000, b"")):
        with ThreadPoolExecutor(1) as pool:
            connecting = pool.submit(
                sessions.connect, *fraud.listener.address, session_config=SessionConfig(resume_window=window)
            )
            with fraud.listener.accept(timeout=TIMEOUT) as raw:
                raw.recv(timeout=TIMEOUT)
                raw.send(frames.Welcome(1, 1, SESSION_ID, 1, token, 1000, 1000, 100, granted, 0, b"").encode())
                with pytest.raises(SessionFailed) as caught:
                    connecting.result(TIMEOUT)
                assert caught.value.end.reason is INVALID
    fraud.check_other_goes_on()


def test_a_session_that_is_dropped_as_often_as_it_is_resumed(fraud: Fraud) -> None:
    fraud.establish()
    fraud.client.send(b"kept")
    fraud.hear(Data)
    for epoch in range(2, 8):
        fraud.drop()
        assert fraud.await_resume().epoch == epoch - 1
        fraud.say(Resumed(epoch, TOKEN, {}, 1000, 100))
        fraud.hear(frames.Confirm)
        assert fraud.hear(Data) == Data(1, b"kept")
    eventually(lambda: fraud.client.drops == 6, TIMEOUT)
    fraud.check_serves()
