"""How sessions begin: data and consent."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from support import PATIENCE, echo, eventually
from support.sessions import SessionApi

from gns_py import InvalidStateError
from gns_py.session import CloseReason
from gns_py.session.sync import ListenSocket, Session, SessionConfig, SessionRejected

# Long enough for a handshake on a busy machine, short enough to wait for.
SHORT = SessionConfig(hello_timeout=0.3 * PATIENCE, decision_timeout=0.3 * PATIENCE)


class TestData:
    def test_both_applications_see_what_the_other_gave(self, sessions: SessionApi) -> None:
        seen: list[Any] = []

        def decide(request: Any) -> None:
            seen.append((request.data, request.address.host, request.authenticated, request.waited < 5 * PATIENCE))
            request.accept(b"welcome " + request.data)

        def handler(session: Session) -> None:
            seen.append((session.id, session.peer_data))
            echo(session)

        with sessions.serve(handler, "127.0.0.1", 0, on_request=decide) as server:
            with sessions.connect(*server.address, data=b"me") as client:
                assert client.peer_data == b"welcome me"
                assert len(client.id) == 16
                assert client.is_established
                client.send(b"there")
                assert client.recv(timeout=5.0) == b"there"
                assert seen == [(b"me", "127.0.0.1", False, True), (client.id, b"me")]
                assert [each.id for each in server.sessions] == [client.id]
            assert server.counters.established == 1

    def test_sixty_four_kibibytes_each_way(self, sessions: SessionApi) -> None:
        data = bytes(range(256)) * 256

        def decide(request: Any) -> None:
            request.accept(request.data[::-1])

        with sessions.serve(echo, "127.0.0.1", 0, on_request=decide) as server:
            with sessions.connect(*server.address, data=data) as client:
                assert client.peer_data == data[::-1]
            with pytest.raises(ValueError, match="65537 bytes: at most 65536 are allowed"):
                sessions.connect(*server.address, data=bytes(65_537))
            with pytest.raises(TypeError, match="data must be bytes, not str"):
                sessions.connect(*server.address, data="text")

    def test_without_anybody_to_decide_all_are_accepted(self, sessions: SessionApi) -> None:
        with (
            sessions.serve(echo, "127.0.0.1", 0) as server,
            sessions.connect(*server.address) as first,
            sessions.connect(*server.address) as second,
        ):
            assert first.peer_data == b""
            assert first.id != second.id

    def test_what_is_sent_early_arrives(self, sessions: SessionApi, session_listener: ListenSocket) -> None:
        accepting = threading.Event()

        def serve() -> Session:
            request = next(iter(session_listener))
            session = request.accept(b"")
            session.send(b"at once")
            session.send(b"state", reliable=False, key=b"k")
            accepting.set()
            session.wait_established(timeout=5.0)
            return session

        with ThreadPoolExecutor(1) as pool:
            serving = pool.submit(serve)
            client = sessions.connect(*session_listener.address)
            assert {client.recv(timeout=5.0), client.recv(timeout=5.0)} == {b"at once", b"state"}
            serving.result().abort()
            client.abort()


class TestConsent:
    def test_a_rejection_reaches_the_client(self, sessions: SessionApi) -> None:
        def decide(request: Any) -> None:
            request.reject(1234, "need version 7", b"\x07")

        with sessions.serve(echo, "127.0.0.1", 0, on_request=decide) as server:
            with pytest.raises(SessionRejected) as rejected:
                sessions.connect(*server.address, data=b"version 6")
            assert (rejected.value.code, rejected.value.text, rejected.value.data) == (1234, "need version 7", b"\x07")
            assert rejected.value.reason is CloseReason.REJECTED
            assert not rejected.value.end.can_retry
            eventually(lambda: server.counters.rejected == 1)
            assert server.sessions == []

    def test_a_rejection_may_say_another_reason(self, sessions: SessionApi) -> None:
        def decide(request: Any) -> None:
            request.reject(2000, "who are you?", reason=CloseReason.AUTHENTICATION_FAILED)

        with (
            sessions.serve(echo, "127.0.0.1", 0, on_request=decide) as server,
            pytest.raises(SessionRejected) as rejected,
        ):
            sessions.connect(*server.address)
        assert rejected.value.reason is CloseReason.AUTHENTICATION_FAILED

    def test_a_decision_may_come_later_and_from_elsewhere(self, sessions: SessionApi) -> None:
        deferred: list[Any] = []

        with (
            sessions.serve(echo, "127.0.0.1", 0, on_request=deferred.append) as server,
            ThreadPoolExecutor(2) as pool,
        ):
            first = pool.submit(sessions.connect, *server.address, data=b"1")
            second = pool.submit(sessions.connect, *server.address, data=b"2")
            eventually(lambda: len(deferred) == 2)
            for request in sorted(deferred, key=lambda request: str(request.data), reverse=True):
                assert request.is_open
                request.accept(b"later " + request.data)
                assert not request.is_open
                with pytest.raises(InvalidStateError, match="accepted before"):
                    request.accept()
                with pytest.raises(InvalidStateError, match="accepted before"):
                    request.reject()
            with first.result() as one, second.result() as two:
                assert (one.peer_data, two.peer_data) == (b"later 1", b"later 2")

    def test_no_decision_in_time_is_a_rejection(self, sessions: SessionApi) -> None:
        deferred: list[Any] = []
        with sessions.serve(echo, "127.0.0.1", 0, on_request=deferred.append, session_config=SHORT) as server:
            with pytest.raises(SessionRejected, match="did not decide in time"):
                sessions.connect(*server.address)
            with pytest.raises(InvalidStateError, match=r"nothing to accept: .*did not decide in time"):
                deferred[0].accept()
            deferred[0].reject()

    def test_a_decision_that_fails_is_told_and_logged(
        self, sessions: SessionApi, caplog: pytest.LogCaptureFixture
    ) -> None:
        def decide(_: Any) -> None:
            raise LookupError("as planned")

        with (
            caplog.at_level(logging.ERROR, "gns_py"),
            sessions.serve(echo, "127.0.0.1", 0, on_request=decide) as server,
            pytest.raises(SessionRejected) as rejected,
        ):
            sessions.connect(*server.address)
        assert rejected.value.reason is CloseReason.INTERNAL_ERROR
        assert rejected.value.end.can_retry
        (record,) = caplog.records
        assert "on_request failed" in record.message
        assert "as planned" in str(record.exc_text)

    def test_requests_can_be_iterated_over(self, sessions: SessionApi, session_listener: ListenSocket) -> None:
        def decide() -> None:
            for request in session_listener:
                if request.data == b"last":
                    request.reject(1001, "enough")
                    return
                request.reject(1000, "no")

        with ThreadPoolExecutor(1) as pool:
            deciding = pool.submit(decide)
            for data, text in ((b"first", "no"), (b"last", "enough")):
                with pytest.raises(SessionRejected, match=text):
                    sessions.connect(*session_listener.address, data=data)
            deciding.result()

    @pytest.mark.parametrize(
        ("arguments", "error", "match"),
        [
            ((999,), ValueError, "code is 999"),
            ((1900,), ValueError, "from 1000 to 1899"),
            (("1000",), TypeError, "code must be an int"),
            ((1000, b"text"), TypeError, "text must be a str"),
            ((1000, "a\0"), ValueError, "NUL"),
            ((1000, "a" * 1025), ValueError, "1025"),
            ((1000, "", "data"), TypeError, "data must be bytes"),
            ((1000, "", bytes(65_537)), ValueError, "65537"),
        ],
    )
    def test_a_rejection_that_cannot_be_told_is_an_error(
        self, sessions: SessionApi, arguments: tuple[Any, ...], error: type[Exception], match: str
    ) -> None:
        raised: list[Exception] = []

        def decide(request: Any) -> None:
            try:
                request.reject(*arguments)
            except Exception as exception:
                raised.append(exception)
            request.reject(1000, "still possible")

        with (
            sessions.serve(echo, "127.0.0.1", 0, on_request=decide) as server,
            pytest.raises(SessionRejected, match="still possible"),
        ):
            sessions.connect(*server.address)
        with pytest.raises(error, match=match):
            raise raised[0]


def test_settings_are_checked() -> None:
    for named, match in (
        ({"max_message": 0}, "max_message is 0: it must be at least 1"),
        ({"max_message": 524_273}, "at most 524272 is allowed"),
        ({"credit_bytes": -1}, "credit_bytes is -1"),
        ({"ping_timeout": 0.05}, "from 0.1 to 600, or None"),
        ({"close_timeout": 0}, "close_timeout is 0: it must be above 0"),
        ({"hello_timeout": float("inf")}, "hello_timeout is inf"),
    ):
        with pytest.raises(ValueError, match=match):
            SessionConfig(**named)
    with pytest.raises(TypeError, match="credit_messages must be an int, not str"):
        SessionConfig(credit_messages="1")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="close_timeout must be seconds, not NoneType"):
        SessionConfig(close_timeout=None)  # type: ignore[arg-type]
    assert SessionConfig(ping_timeout=None).ping_timeout_ms == 0


def test_wrong_arguments(sessions: SessionApi) -> None:
    with pytest.raises(TypeError, match="handler must be callable, not int"):
        sessions.serve(1, "127.0.0.1", 0)
    with pytest.raises(TypeError, match="on_request must be callable, not int"):
        sessions.serve(echo, "127.0.0.1", 0, on_request=1)
    with pytest.raises(TypeError, match="rules must be AdmissionRules, not dict"):
        sessions.serve(echo, "127.0.0.1", 0, rules={})
    with pytest.raises(TypeError, match="session_config must be a SessionConfig, not dict"):
        sessions.connect("127.0.0.1", 1, session_config={})
