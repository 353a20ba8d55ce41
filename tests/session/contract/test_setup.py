"""How sessions begin: data and consent, and no session that only one end has."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from support import PATIENCE, eventually
from support.sessions import SessionApi

import gns_py.sync as gns
from gns_py import InvalidStateError
from gns_py.session import CloseReason
from gns_py.session._core.admission import AdmissionRules
from gns_py.session.protocol import frames
from gns_py.session.protocol.frames import Confirm, Frame, Hello, Ready, Welcome, decode
from gns_py.session.sync import (
    ListenSocket,
    Session,
    SessionConfig,
    SessionFailed,
    SessionRejected,
    SessionTimeout,
)

# Long enough for a set-up on a busy machine, short enough to wait for.
SHORT = SessionConfig(hello_timeout=0.3 * PATIENCE, decision_timeout=0.3 * PATIENCE)
HELLO = Hello(1, 1, 0, 1000, 10_000, 100, 0, 0, b"")
WELCOME = Welcome(1, 0, bytes(16), 1, b"", 1000, 10_000, 100, 0, 0, b"hi")

Connect = Callable[..., Session]


@pytest.fixture
def beside() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def echo(session: Session) -> None:
    for data in session:
        session.send(data)


class TestData:
    def test_both_applications_see_what_the_other_gave(self, sessions: SessionApi) -> None:
        seen: list[Any] = []

        def decide(request: Any) -> None:
            seen.append((request.data, request.address.host, request.is_authenticated, request.waited < 5 * PATIENCE))
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
            with pytest.raises(ValueError, match="65537 bytes: 65536 are the most"):
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

        with ThreadPoolExecutor(1) as beside:
            serving = beside.submit(serve)
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
            ThreadPoolExecutor(2) as beside,
        ):
            first = beside.submit(sessions.connect, *server.address, data=b"1")
            second = beside.submit(sessions.connect, *server.address, data=b"2")
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

        with ThreadPoolExecutor(1) as beside:
            deciding = beside.submit(decide)
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


class TestRules:
    @pytest.mark.parametrize(
        ("rules", "text", "counter"),
        [
            (AdmissionRules(deny=AdmissionRules.networks("127.0.0.0/8")), "not allowed", "denied"),
            (AdmissionRules(allow=AdmissionRules.networks("10.0.0.0/8", "::/0")), "not allowed", "denied"),
            (AdmissionRules(max_pending=0), "just connecting", "too_many_pending"),
            (AdmissionRules(max_pending_per_address=0), "of this address are just", "too_many_pending"),
            (AdmissionRules(max_sessions=0), "full", "too_many_sessions"),
            (AdmissionRules(max_sessions_per_address=0), "of this address are connected", "too_many_sessions"),
            (AdmissionRules(rate_per_address=1e-6, burst_per_address=0), "too often", "too_fast"),
        ],
    )
    def test_who_breaks_one_is_told_and_counted(
        self, sessions: SessionApi, rules: AdmissionRules, text: str, counter: str
    ) -> None:
        with sessions.serve(echo, "127.0.0.1", 0, rules=rules) as server:
            with pytest.raises(SessionRejected, match=text) as rejected:
                sessions.connect(*server.address)
            reason = CloseReason.REJECTED if counter == "denied" else CloseReason.RATE_LIMITED
            assert rejected.value.reason is reason
            assert getattr(server.counters, counter) == server.counters.requested == 1

    def test_who_leaves_makes_room(self, sessions: SessionApi) -> None:
        with sessions.serve(echo, "127.0.0.1", 0, rules=AdmissionRules(max_sessions_per_address=1)) as server:
            with sessions.connect(*server.address), pytest.raises(SessionRejected, match="of this address"):
                sessions.connect(*server.address)
            eventually(lambda: server.sessions == [])
            with sessions.connect(*server.address):
                pass
            assert server.counters.established == 2

    def test_a_burst_is_let_in_and_no_more(self, sessions: SessionApi) -> None:
        rules = AdmissionRules(rate_per_address=1e-6, burst_per_address=3)
        with sessions.serve(echo, "127.0.0.1", 0, rules=rules) as server:
            for _ in range(3):
                sessions.connect(*server.address).close()
            with pytest.raises(SessionRejected, match="too often"):
                sessions.connect(*server.address)

    def test_a_server_that_drains_lets_nobody_in(self, sessions: SessionApi) -> None:
        with sessions.serve(echo, "127.0.0.1", 0) as server, ThreadPoolExecutor(1) as beside:
            client = sessions.connect(*server.address)
            draining = beside.submit(server.drain, 5.0 * PATIENCE)
            eventually(lambda: server.counters.draining or _refused(sessions, server.address))
            client.close()
            assert draining.result()


def _refused(sessions: SessionApi, address: Any) -> bool:
    try:
        sessions.connect(*address).close()
    except SessionRejected as rejected:
        assert rejected.reason is CloseReason.SERVER_SHUTTING_DOWN  # noqa: PT017 - others are errors
        return True
    return False


class TestOtherPeers:
    """A raw GNS peer at one end, who says what it should not, or nothing."""

    @staticmethod
    def dial(server: Any) -> gns.Connection:
        return gns.connect(*server.address)

    @staticmethod
    def end_of(connection: gns.Connection) -> gns.ConnectionEnd:
        return connection.wait_closed(timeout=5.0 * PATIENCE)

    def test_a_raw_client_that_talks_is_told_what_this_is(self, sessions: SessionApi) -> None:
        with sessions.serve(echo, "127.0.0.1", 0) as server, self.dial(server) as raw:
            raw.send(b"hello?")
            end = self.end_of(raw)
            assert end.code == CloseReason.PROTOCOL_ERROR.native_code
            assert end.text == "0000 this is a server of gns_py sessions: say HELLO first"
            eventually(lambda: server.counters.failed == 1)

    def test_a_raw_client_that_is_silent_is_told_what_this_is(self, sessions: SessionApi) -> None:
        with sessions.serve(echo, "127.0.0.1", 0, session_config=SHORT) as server, self.dial(server) as raw:
            end = self.end_of(raw)
            assert end.code == CloseReason.PROTOCOL_ERROR.native_code
            assert "no HELLO arrived in time: this is a server of gns_py sessions" in end.text

    def test_a_session_client_at_a_raw_server_that_answers(self, sessions: SessionApi) -> None:
        def echo_natively(connection: gns.Connection) -> None:
            for data in connection:
                connection.send(data)

        with (
            gns.serve(echo_natively, "127.0.0.1", 0) as raw,
            pytest.raises(SessionFailed, match="the server does not speak the session protocol") as failed,
        ):
            sessions.connect(*raw.address)
        assert failed.value.reason is CloseReason.PROTOCOL_ERROR

    def test_a_session_client_at_a_raw_server_that_is_silent(self, sessions: SessionApi) -> None:
        def silent(connection: gns.Connection) -> None:
            list(connection)

        with (
            gns.serve(silent, "127.0.0.1", 0) as raw,
            pytest.raises(SessionTimeout, match="no answer to HELLO"),
        ):
            sessions.connect(*raw.address, timeout=1.0 * PATIENCE)

    def test_nobody_there(self, sessions: SessionApi) -> None:
        with pytest.raises(SessionTimeout):
            sessions.connect("127.0.0.1", 9, timeout=0.5)

    def test_a_version_that_nobody_speaks(self, sessions: SessionApi) -> None:
        with sessions.serve(echo, "127.0.0.1", 0) as server, self.dial(server) as raw:
            raw.send(Hello(2, 9, 0, 1000, 10_000, 100, 0, 0, b"").encode() + b"more")
            answer = decode(raw.recv(timeout=5.0))
            assert isinstance(answer, frames.Reject)
            assert answer.reason == CloseReason.VERSION_MISMATCH
            assert "version 1" in answer.text

    def test_resuming_is_refused_and_hello_is_still_possible(self, sessions: SessionApi) -> None:
        with sessions.serve(echo, "127.0.0.1", 0) as server, self.dial(server) as raw:
            raw.send(frames.Resume(1, 1, 1, bytes(16), 1, b"", {}, 0, 0).encode())
            answer = decode(raw.recv(timeout=5.0))
            assert isinstance(answer, frames.ResumeFailed)
            assert answer.reason == CloseReason.SESSION_EXPIRED
            raw.send(HELLO.encode())
            assert isinstance(decode(raw.recv(timeout=5.0)), Welcome)

    @pytest.mark.parametrize(
        "wrong",
        [
            pytest.param([HELLO, HELLO], id="HELLO twice"),
            pytest.param([HELLO, Confirm(2)], id="CONFIRM of another epoch"),
            pytest.param([HELLO, Confirm(1), Confirm(1)], id="CONFIRM twice"),
            pytest.param([HELLO, frames.Data(1, b"early")], id="DATA before CONFIRM"),
            pytest.param([HELLO, frames.Ping(1)], id="PING before CONFIRM"),
            pytest.param([HELLO, frames.Bye(4, 1000, "", {}, b"")], id="BYE before CONFIRM"),
            pytest.param([HELLO, Ready(1)], id="READY from a client"),
            pytest.param([HELLO, WELCOME], id="WELCOME from a client"),
            pytest.param([HELLO, Confirm(1), HELLO], id="HELLO later"),
            pytest.param([HELLO, Confirm(1), WELCOME], id="WELCOME from a client, later"),
        ],
    )
    def test_a_client_that_breaks_the_set_up_is_the_only_one_that_ends(
        self, sessions: SessionApi, wrong: list[Frame]
    ) -> None:
        with (
            sessions.serve(echo, "127.0.0.1", 0) as server,
            sessions.connect(*server.address) as good,
            self.dial(server) as raw,
        ):
            for frame in wrong:
                raw.send(frame.encode())
            end = self.end_of(raw)
            assert end.code == CloseReason.INVALID_INBOUND_MESSAGE.native_code
            good.send(b"still here")
            assert good.recv(timeout=5.0) == b"still here"

    @pytest.mark.parametrize(
        "wrong",
        [
            pytest.param([WELCOME, WELCOME], id="WELCOME twice"),
            pytest.param([WELCOME, Ready(2)], id="READY of another epoch"),
            pytest.param([WELCOME, HELLO], id="HELLO from a server"),
            pytest.param([Welcome(2, 0, bytes(16), 1, b"", 1, 1, 1, 0, 0, b"")], id="another version"),
            pytest.param([Welcome(1, 1, bytes(16), 1, b"", 1, 1, 1, 0, 0, b"")], id="a capability not offered"),
            pytest.param([Welcome(1, 0, bytes(16), 1, b"x", 1, 1, 1, 0, 0, b"")], id="a token without capability"),
            pytest.param([WELCOME, frames.Bye(4, 1000, "", {}, b"")], id="BYE before READY"),
        ],
    )
    def test_a_server_that_breaks_the_set_up_is_an_error(
        self, sessions: SessionApi, beside: ThreadPoolExecutor, wrong: list[Frame]
    ) -> None:
        with gns.listen("127.0.0.1", 0) as listener:
            connecting = beside.submit(sessions.connect, *listener.address)
            with listener.accept(timeout=5.0) as raw:
                assert isinstance(decode(raw.recv(timeout=5.0)), Hello)
                for frame in wrong:
                    raw.send(frame.encode())
                with pytest.raises(SessionFailed) as failed:
                    connecting.result()
                assert failed.value.reason is CloseReason.INVALID_INBOUND_MESSAGE
                assert self.end_of(raw).code == CloseReason.INVALID_INBOUND_MESSAGE.native_code


class TestNoHalfSession:
    """Either end stops after each frame of the set-up: killed, or silent. Both ends agree in the end."""

    @pytest.mark.parametrize("stage", ["connected", "HELLO", "CONFIRM"])
    @pytest.mark.parametrize("how", ["killed", "silent"])
    def test_a_client_that_stops(self, sessions: SessionApi, stage: str, how: str) -> None:
        handled: list[Session] = []

        def handler(session: Session) -> None:
            handled.append(session)
            echo(session)

        with sessions.serve(handler, "127.0.0.1", 0, session_config=SHORT) as server:
            raw = gns.connect(*server.address)
            if stage != "connected":
                raw.send(HELLO.encode())
                assert isinstance(decode(raw.recv(timeout=5.0)), Welcome)
            if stage == "CONFIRM":
                raw.send(Confirm(1).encode())
                assert decode(raw.recv(timeout=5.0)) == Ready(1)
                assert server.sessions
            if how == "killed":
                raw.close(linger=False)
            if stage == "CONFIRM":
                if how == "silent":  # it has a session: that is no set-up any more
                    raw.close()
                eventually(lambda: not server.sessions)
                assert server.counters.established == 1
                assert [session.end and session.end.reason for session in handled] == [CloseReason.CLOSED_BY_CLIENT]
            else:
                eventually(lambda: server.counters.failed == 1)
                assert not handled
                if how == "silent":
                    end = raw.wait_closed(timeout=5.0)
                    assert end.code == CloseReason.PROTOCOL_ERROR.native_code
            raw.close()

    @pytest.mark.parametrize("stage", ["connected", "HELLO", "WELCOME"])
    @pytest.mark.parametrize("how", ["killed", "silent"])
    def test_a_server_that_stops(self, sessions: SessionApi, beside: ThreadPoolExecutor, stage: str, how: str) -> None:
        with gns.listen("127.0.0.1", 0) as listener:
            connecting = beside.submit(sessions.connect, *listener.address, timeout=1.0 * PATIENCE)
            with listener.accept(timeout=5.0) as raw:
                if stage != "connected":
                    assert isinstance(decode(raw.recv(timeout=5.0)), Hello)
                if stage == "WELCOME":
                    raw.send(WELCOME.encode())
                    assert decode(raw.recv(timeout=5.0)) == Confirm(1)
                if how == "killed":
                    raw.close(linger=False)
                with pytest.raises(SessionFailed) as failed:
                    connecting.result()
                if how == "silent":
                    assert isinstance(failed.value, SessionTimeout)
                    assert raw.wait_closed(timeout=5.0).code == CloseReason.ABORTED.native_code

    def test_a_client_that_gives_up_while_the_server_decides(self, sessions: SessionApi) -> None:
        deferred: list[Any] = []
        with sessions.serve(echo, "127.0.0.1", 0, on_request=deferred.append) as server:
            with pytest.raises(SessionTimeout):
                sessions.connect(*server.address, timeout=0.5 * PATIENCE)
            eventually(lambda: server.counters.failed == 1)
            with pytest.raises(InvalidStateError, match="nothing to accept: closed by the peer, ABORTED"):
                deferred[0].accept()

    @pytest.mark.parametrize("loss", [0, 20])
    @pytest.mark.parametrize("options", [{}, {"lag": 40}, {"reorder": 30}, {"duplicate": 50}], ids=str)
    def test_bad_networks_leave_nothing_half_done(
        self, sessions: SessionApi, loss: int, options: dict[str, float], process_config: Callable[..., None]
    ) -> None:
        process_config(
            gns.Config(
                fake_packet_loss_send=float(loss),
                fake_packet_lag_send=int(options.get("lag", 0)),
                fake_packet_reorder_send=float(options.get("reorder", 0)),
                fake_packet_reorder_time=15,
                fake_packet_dup_send=float(options.get("duplicate", 0)),
            )
        )
        with sessions.serve(echo, "127.0.0.1", 0) as server:
            for number in range(3):
                with sessions.connect(*server.address, timeout=20.0 * PATIENCE) as client:
                    assert [each.id for each in server.sessions] == [client.id]
                    client.send(b"%d" % number)
                    assert client.recv(timeout=10.0 * PATIENCE) == b"%d" % number
                eventually(lambda: not server.sessions, 10.0)

    @pytest.mark.parametrize("after", ["HELLO", "WELCOME"])
    def test_a_network_that_is_cut_after_a_frame(
        self, sessions: SessionApi, after: str, process_config: Callable[..., None]
    ) -> None:
        """CONFIRM and READY go on by themselves: what they are cut off from is tried with peers that stop."""
        begun = time.monotonic()
        timeouts = gns.Config(timeout_connected=int(1500 * PATIENCE), timeout_initial=int(1500 * PATIENCE))

        def decide(request: Any) -> None:
            if after == "WELCOME":
                request.accept()
            process_config(gns.Config(fake_packet_loss_send=100.0, fake_packet_loss_recv=100.0))

        with sessions.serve(echo, "127.0.0.1", 0, on_request=decide, config=timeouts, session_config=SHORT) as server:
            try:
                client = sessions.connect(*server.address, timeout=1.0 * PATIENCE, config=timeouts)
            except SessionTimeout:
                pass
            else:  # the cut was too late for it
                assert client.wait_closed(timeout=20.0 * PATIENCE).reason is CloseReason.CONNECTION_LOST
            counters = server.counters
            eventually(lambda: counters.failed + counters.rejected + counters.established == 1, 15.0)
            eventually(lambda: not server.sessions, 15.0)
            assert time.monotonic() - begun < 30 * PATIENCE
            process_config(gns.Config(fake_packet_loss_send=0.0, fake_packet_loss_recv=0.0))


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
