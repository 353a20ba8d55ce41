"""The internal end of a session goes from one connection to the next."""

from __future__ import annotations

import logging
import time
from typing import cast

import pytest
from support import eventually
from support.plain import Ends, PlainDialer, PlainEndpoint, PlainSession, begin, endpoint_of, establish

import gns_py.sync as gns
from gns_py import ClosedBy, Config, ConfigValue, EndReason, InvalidStateError
from gns_py.session import CloseReason, SessionConfig
from gns_py.session._core.dialer import Caller
from gns_py.session._core.session import BaseSession
from gns_py.session.protocol.server import ServerEngine, ServerStep
from gns_py.session.protocol.state import Phase
from gns_py.session.sync import SessionClosed

SETTINGS = SessionConfig()


class Handshake:
    """A new connection of the client: the server's end of it, from the RESUME on."""

    def __init__(self, ends: Ends) -> None:
        first, second = gns.socket_pair()
        now = time.monotonic()
        self.endpoint = PlainEndpoint(second, lambda transport: ServerEngine(transport, SETTINGS, now))
        self.session: PlainSession = BaseSession(self.endpoint)
        self.engine = cast("ServerEngine", self.endpoint.engine)
        self._client, self._server = map(endpoint_of, ends)
        self._client.welcome(first)

    def until_resume(self) -> None:
        """Handle what arrives until RESUME is there."""

        def is_there() -> bool:
            self._client.mailbox.receive(0.0)
            self.endpoint.mailbox.receive(0.0)
            return self.engine.step is ServerStep.RESUME

        eventually(is_there)

    def claim(self) -> CloseReason | None:
        """Give the connection to the server's session, or return why not."""
        assert self.engine.resume is not None
        refusal = self._server.claim(self.engine.resume, self.endpoint)
        if refusal is not None:
            self.session.abort()
            return refusal[0]
        self.endpoint.act(self.engine.hand_over)
        self._server.bring_newcomer(self.endpoint.connection)
        return None


@pytest.fixture
def dialer(plain_ends: Ends) -> PlainDialer:
    """Return the client's dialer."""
    dialer = endpoint_of(plain_ends.client).dialer = PlainDialer()
    return dialer


def resume(ends: Ends) -> None:
    """Bring both ends to a new connection. The client has no longer one."""
    handshake = Handshake(ends)
    handshake.until_resume()
    assert handshake.claim() is None
    ends.until(lambda: all(endpoint_of(end).engine.is_connected for end in ends))


def received(ends: Ends, count: int) -> list[bytes]:
    """Return the messages that arrive at the server."""
    endpoint, messages = endpoint_of(ends.server), list[bytes]()

    def is_there() -> bool:
        while (message := endpoint.take()) is not None:
            messages.append(message.data)
        return len(messages) >= count

    ends.until(is_there)
    return messages


def test_it_goes_on_with_another_connection(plain_ends: Ends, dialer: PlainDialer) -> None:
    client, server = plain_ends
    before = [client.connection, server.connection]
    client.send(b"before")
    client.reconnect()
    assert (client.phase, dialer.pauses, dialer.calls) == (Phase.DROPPED, [0.0], ["hurry"])
    client.send(b"meanwhile")
    assert server.phase is Phase.ESTABLISHED  # it hears of it with RESUME
    resume(plain_ends)
    client.send(b"after")
    assert received(plain_ends, 3) == [b"before", b"meanwhile", b"after"]
    for end, old in zip(plain_ends, before, strict=True):
        assert end.connection is not old
        assert end.drops == 1
        assert BaseSession.session_endpoint_of(end).endpoint is gns.Connection.endpoint_of(end.connection)
        end_of_old = old.wait_closed(timeout=5.0)
        assert end_of_old.code in (CloseReason.CONNECTION_LOST.native_code, CloseReason.SESSION_TAKEN_OVER.native_code)
    dialer.finish(lambda: None, None, None)  # type: ignore[arg-type]
    client.reconnect()
    assert dialer.calls[-1] == "hurry"  # there is a pause after so short a connection, and it is cut short


def test_lanes_and_options_go_along(plain_ends: Ends, dialer: PlainDialer) -> None:  # noqa: ARG001
    client = plain_ends.client
    client.configure_lanes([0, 1, 2])
    client.set_config(Config(nagle_time=1234, send_buffer_size=77_777))
    client.reset_config(ConfigValue.SEND_BUFFER_SIZE)
    default = client.get_config(ConfigValue.SEND_BUFFER_SIZE)
    for number in range(2):
        client.reconnect()
        client.send(b"%d" % number, lane=2)
        resume(plain_ends)
        assert client.get_config(ConfigValue.NAGLE_TIME) == 1234
        assert client.get_config(ConfigValue.SEND_BUFFER_SIZE) == default
        assert received(plain_ends, 1) == [b"%d" % number]
        endpoint_of(client).dialer = PlainDialer()


def test_a_lost_connection_makes_the_client_dial(plain_ends: Ends, dialer: PlainDialer) -> None:
    client, server = plain_ends
    server.connection.close(CloseReason.CONNECTION_LOST.native_code, linger=False)
    plain_ends.until(lambda: client.phase is Phase.DROPPED)
    assert dialer.pauses == [0.0]
    assert server.phase is Phase.ENDED  # its application has closed the connection under it


def test_an_older_attempt_does_not_win(plain_ends: Ends, dialer: PlainDialer) -> None:  # noqa: ARG001
    client, server = plain_ends
    client.reconnect()
    late = Handshake(plain_ends)
    late.until_resume()
    client.reconnect()  # gives it up
    newest = Handshake(plain_ends)
    newest.until_resume()
    assert newest.claim() is None
    assert late.claim() is CloseReason.SESSION_TAKEN_OVER
    plain_ends.until(lambda: client.is_connected and server.is_connected)
    client.send(b"here")
    assert received(plain_ends, 1) == [b"here"]


def test_a_newcomer_gives_way_to_the_next_one(plain_ends: Ends, dialer: PlainDialer) -> None:  # noqa: ARG001
    plain_ends.client.reconnect()
    endpoint = endpoint_of(plain_ends.client)
    first, peer = gns.socket_pair()
    endpoint.welcome(first)
    assert endpoint.has_newcomer
    resume(plain_ends)
    assert not endpoint.has_newcomer
    assert peer.wait_closed(timeout=5.0).code == CloseReason.SESSION_TAKEN_OVER.native_code
    peer.close()


def test_a_newcomer_that_has_ended_is_an_attempt_that_failed(plain_ends: Ends, dialer: PlainDialer) -> None:
    client, endpoint = plain_ends.client, endpoint_of(plain_ends.client)
    client.reconnect()
    first, peer = gns.socket_pair()
    peer.close(CloseReason.RATE_LIMITED.native_code, "full")
    eventually(lambda: gns.Connection.endpoint_of(first).current_end() is not None)
    endpoint.welcome(first)
    dialer.finish(lambda: None, None, None)  # type: ignore[arg-type]
    plain_ends.until(lambda: not endpoint.has_newcomer)
    assert client.phase is Phase.DROPPED
    assert len(dialer.pauses) == 2
    resume(plain_ends)


def test_a_newcomer_that_is_refused_for_good_ends_the_session(plain_ends: Ends, dialer: PlainDialer) -> None:
    client, server = plain_ends
    client.reconnect()
    first, peer = gns.socket_pair()
    peer.close(CloseReason.REJECTED.native_code, "never again")
    eventually(lambda: gns.Connection.endpoint_of(first).current_end() is not None)
    endpoint_of(client).welcome(first)
    plain_ends.until(lambda: client.end)
    assert client.end is not None
    assert client.end.reason is CloseReason.REJECTED
    assert "cancel" in dialer.calls
    plain_ends.until(lambda: server.end)  # the old connection was still there
    assert server.end is not None
    assert server.end.reason is CloseReason.ABORTED


def test_a_connection_that_is_not_needed_is_closed(plain_ends: Ends) -> None:
    first, peer = gns.socket_pair()
    endpoint_of(plain_ends.client).welcome(first)
    assert peer.wait_closed(timeout=5.0).code == CloseReason.SESSION_TAKEN_OVER.native_code
    assert plain_ends.client.is_connected
    peer.close()


def test_the_end_gives_up_what_is_under_way(plain_ends: Ends, dialer: PlainDialer) -> None:
    client, endpoint = plain_ends.client, endpoint_of(plain_ends.client)
    client.reconnect()
    first, peer = gns.socket_pair()
    endpoint.welcome(first)
    client.abort()
    assert not endpoint.has_newcomer
    assert "cancel" in dialer.calls
    code = peer.wait_closed(timeout=5.0).code  # the mark may be noticed in the middle of the end
    assert code in (CloseReason.SESSION_TAKEN_OVER.native_code, CloseReason.ABORTED.native_code)
    peer.close()


def test_who_can_reconnect(plain_ends: Ends, dialer: PlainDialer) -> None:
    with pytest.raises(InvalidStateError, match="only the client"):
        plain_ends.server.reconnect()
    plain_ends.client.abort()
    with pytest.raises(SessionClosed):
        plain_ends.client.reconnect()
    ends = establish(begin(config=SessionConfig(resume_window=None)))
    endpoint_of(ends.client).dialer = dialer
    with pytest.raises(InvalidStateError, match="resume_window"):
        ends.client.reconnect()
    assert ends.client.is_connected
    assert dialer.pauses == []
    ends.abort()


def test_without_a_way_to_dial_the_session_ends(plain_ends: Ends, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(PlainDialer):
        def begin(self, caller: Caller, pause: float) -> None:
            super().begin(caller, pause)
            raise LookupError("as planned")

    client = plain_ends.client
    endpoint_of(client).dialer = Broken()
    with caplog.at_level(logging.ERROR, "gns_py"):
        client.reconnect()
    assert client.end is not None
    assert client.end.reason is CloseReason.INTERNAL_ERROR
    assert [record.getMessage() for record in caplog.records if "cannot be made" in record.getMessage()]
    assert "as planned" in caplog.text


@pytest.mark.parametrize("is_dropped", [False, True])
def test_making_way(plain_ends: Ends, is_dropped: bool) -> None:
    client, server = plain_ends
    if is_dropped:
        endpoint_of(client).dialer = PlainDialer()
        client.connection.close(CloseReason.CONNECTION_LOST.native_code, linger=False)
        plain_ends.until(lambda: server.phase is Phase.DROPPED)
    endpoint_of(server).make_way(CloseReason.SESSION_TAKEN_OVER, "for a newer one")
    plain_ends.until(lambda: server.end or server.phase is Phase.CLOSING)
    endpoint = endpoint_of(server)
    end = endpoint.engine.expected_end
    assert end is not None
    assert (end.reason, end.text, end.closed_by) == (
        CloseReason.SESSION_TAKEN_OVER,
        "for a newer one",
        ClosedBy.LOCAL,
    )
    assert endpoint.has_ended is is_dropped


def test_a_runtime_that_stops_ends_a_session_that_waits(plain_ends: Ends, dialer: PlainDialer) -> None:  # noqa: ARG001
    plain_ends.client.reconnect()
    endpoint_of(plain_ends.client).on_stopped()
    assert plain_ends.client.end is not None
    assert plain_ends.client.end.code == EndReason.SHUTDOWN
    plain_ends.client.connection.close()  # GNS, which was not stopped here, would have done so
