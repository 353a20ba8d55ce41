"""No handshake leaves a session at one end only."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from support import PATIENCE, echo, eventually
from support.sessions import SessionApi

import gns_py.sync as gns
from gns_py import InvalidStateError
from gns_py.session import CloseReason
from gns_py.session.protocol import frames
from gns_py.session.protocol.frames import Confirm, Frame, Hello, Ready, Welcome, decode
from gns_py.session.sync import Session, SessionConfig, SessionFailed, SessionTimeout

# Long enough for a handshake on a busy machine, short enough to wait for.
SHORT = SessionConfig(hello_timeout=0.3 * PATIENCE, decision_timeout=0.3 * PATIENCE)
HELLO = Hello(1, 1, 0, 1000, 10_000, 100, 0, 0, b"")
WELCOME = Welcome(1, 0, bytes(16), 1, b"", 1000, 10_000, 100, 0, 0, b"hi")


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


class TestOtherPeers:
    """A raw GNS peer at one end that sends wrong frames, or none."""

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

    def test_there_is_no_server(self, sessions: SessionApi) -> None:
        with pytest.raises(SessionTimeout):
            sessions.connect("127.0.0.1", 9, timeout=0.5)

    def test_a_version_that_neither_end_speaks(self, sessions: SessionApi) -> None:
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
        self, sessions: SessionApi, pool: ThreadPoolExecutor, wrong: list[Frame]
    ) -> None:
        with gns.listen("127.0.0.1", 0) as listener:
            connecting = pool.submit(sessions.connect, *listener.address)
            with listener.accept(timeout=5.0) as raw:
                assert isinstance(decode(raw.recv(timeout=5.0)), Hello)
                for frame in wrong:
                    raw.send(frame.encode())
                with pytest.raises(SessionFailed) as failed:
                    connecting.result()
                assert failed.value.reason is CloseReason.INVALID_INBOUND_MESSAGE
                assert self.end_of(raw).code == CloseReason.INVALID_INBOUND_MESSAGE.native_code


class TestNoHalfSession:
    """Either end stops after each frame of the handshake, killed or silent. Both ends agree in the end."""

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
                if how == "silent":  # it has a session: the handshake is over
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
    def test_a_server_that_stops(self, sessions: SessionApi, pool: ThreadPoolExecutor, stage: str, how: str) -> None:
        with gns.listen("127.0.0.1", 0) as listener:
            connecting = pool.submit(sessions.connect, *listener.address, timeout=1.0 * PATIENCE)
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
        """GNS delivers CONFIRM and READY by itself: losing them for good is tested with peers that stop."""
        begun = time.monotonic()
        timeouts = gns.Config(timeout_connected=int(1500 * PATIENCE), timeout_initial=int(1500 * PATIENCE))
        # With a window, the server's session would wait for a client that has given up.
        settings = replace(SHORT, resume_window=None)

        def decide(request: Any) -> None:
            if after == "WELCOME":
                request.accept()
            process_config(gns.Config(fake_packet_loss_send=100.0, fake_packet_loss_recv=100.0))

        with sessions.serve(
            echo, "127.0.0.1", 0, on_request=decide, config=timeouts, session_config=settings
        ) as server:
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
