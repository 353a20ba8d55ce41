"""RESUME and the answers to it: lost, late, wrong, and more than one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from session.protocol.test_resuming import arrive, connect, drain, handle, lose, network, reasons, receive, resume, send
from support.network import CLIENT, SERVER

from gns_py import ClosedBy, ConnectionEnd
from gns_py.session import CloseReason
from gns_py.session.protocol.frames import Confirm, Frame, Hello, Ping, Pong, Resume, decode
from gns_py.session.protocol.frames import Resumed as ResumedFrame
from gns_py.session.protocol.resuming import Dropped
from gns_py.session.protocol.state import Phase


@pytest.mark.parametrize("lost", ["RESUMED", "CONFIRM"])
def test_an_answer_that_is_lost_locks_nobody_out(lost: str) -> None:
    net = network()
    for number in range(3):
        lose(net)
        connect(net)
        arrive(net, CLIENT)
        if lost == "CONFIRM":
            arrive(net, SERVER)
        assert net.epochs()[SERVER] == number + 2
    lose(net)
    resume(net)
    assert net.client.phase is net.server.phase is Phase.ESTABLISHED
    assert net.epochs() == (5, 5)


def test_no_answer_in_time_is_a_failed_attempt_at_both_ends() -> None:
    net = network()
    lose(net)
    connect(net)
    net.wait(5.0)
    assert net.client.phase is Phase.DROPPED
    connect(net)
    arrive(net, CLIENT)
    assert not net.server.is_connected
    net.newest.is_cut = True
    net.wait(5.0)
    assert [engine.phase for engine in net.engines] == [Phase.DROPPED] * 2
    resume(net)
    assert [engine.phase for engine in net.engines] == [Phase.ESTABLISHED] * 2


def test_an_attempt_that_was_given_up_may_still_be_refused() -> None:
    """The answer of a server whose store is slow comes when the client does not wait for it any longer."""
    net = network()
    lose(net)
    connect(net)
    net.wait(5.0)
    refused = ConnectionEnd(ClosedBy.PEER, CloseReason.INTERNAL_ERROR.native_code, "the store does not answer")
    net.client.connection_ended(refused, net.now)
    assert net.client.phase is Phase.DROPPED
    resume(net)
    assert net.client.is_connected
    assert net.client.reconnect(net.now)
    net.client.connection_ended(refused, net.now)  # this one was the session's
    assert reasons(net)[CLIENT] is CloseReason.INTERNAL_ERROR


def test_a_client_may_resume_before_the_server_has_noticed_and_in_the_middle_of_an_attempt() -> None:
    net = network()
    send(net.server, b"x")
    assert net.client.reconnect(net.now)
    connect(net)
    arrive(net, CLIENT)
    (notice,) = net.server.notices
    assert isinstance(notice, Dropped)
    assert notice.why.reason is CloseReason.SESSION_TAKEN_OVER
    assert net.server.phase is Phase.RESUMING
    assert net.client.reconnect(net.now)
    resume(net)
    assert drain(net.client) == [b"x"]
    assert net.server.drops == net.client.drops == 1


@pytest.mark.parametrize(
    ("changes", "reason", "lives"),
    [
        ({"min_version": 2, "max_version": 3}, CloseReason.VERSION_MISMATCH, True),
        ({"epoch": 2}, CloseReason.AUTHENTICATION_FAILED, True),
        ({"token": b"wrong"}, CloseReason.AUTHENTICATION_FAILED, True),
        ({"handled": {0: 3}}, CloseReason.LOST_MESSAGES, False),
        ({"handled": {0: 1}}, CloseReason.LOST_MESSAGES, False),
        ({"handled": {0: 2, 1: 1}}, CloseReason.LOST_MESSAGES, False),
        ({"credit_bytes": 1}, CloseReason.LOST_MESSAGES, False),
        ({"credit_messages": 1}, CloseReason.LOST_MESSAGES, False),
    ],
)
def test_a_resume_with_a_fault_is_refused(changes: dict[str, object], reason: CloseReason, lives: bool) -> None:
    net = network()
    send(net.server, b"1", b"2")
    net.settle()
    drain(net.client)
    lose(net)
    connect(net)
    arrive(net, CLIENT)
    lose(net)  # the server knows that two are handled
    link = connect(net)
    queue = link.queues[CLIENT][0, True]
    message = queue.pop()
    frame = decode(message.data)
    assert isinstance(frame, Resume)
    queue.append(message._replace(data=replace(frame, **changes).encode()))  # type: ignore[arg-type]
    net.settle()
    assert reasons(net)[CLIENT] is reason
    assert reasons(net)[SERVER] is (None if lives else reason)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"epoch": 1}, CloseReason.INVALID_INBOUND_MESSAGE),
        ({"token": b""}, CloseReason.INVALID_INBOUND_MESSAGE),
        ({"handled": {0: 9}}, CloseReason.LOST_MESSAGES),
        ({"handled": {1: 1}}, CloseReason.LOST_MESSAGES),
        ({"credit_messages": 1}, CloseReason.LOST_MESSAGES),
    ],
)
def test_a_resumed_with_a_fault_ends_the_session_at_both_ends(changes: dict[str, object], reason: CloseReason) -> None:
    net = network()
    lose(net)
    connect(net)
    arrive(net, CLIENT)
    queue = net.newest.queues[SERVER][0, True]
    message = queue.pop()
    frame = decode(message.data)
    assert isinstance(frame, ResumedFrame)
    queue.append(message._replace(data=replace(frame, **changes).encode()))  # type: ignore[arg-type]
    net.settle()
    assert reasons(net) == [reason, reason]


@pytest.mark.parametrize("frame", [Ping(1), Confirm(1), Hello(1, 1, 0, 1, 1, 1, 0, 0, b"")])
def test_a_server_takes_nothing_but_the_confirm_of_the_epoch(frame: Frame) -> None:
    net = network()
    lose(net)
    connect(net)
    arrive(net, CLIENT)
    receive(net.server, frame)
    assert reasons(net)[SERVER] is CloseReason.INVALID_INBOUND_MESSAGE


def test_an_ended_session_is_not_resumed() -> None:
    net = network()
    lose(net)
    net.server.give_up_waiting(CloseReason.SERVER_SHUTTING_DOWN, "the server was closed", net.now)
    resume(net)
    assert reasons(net) == [CloseReason.SESSION_EXPIRED, CloseReason.SERVER_SHUTTING_DOWN]


def test_pings_of_the_old_connection_are_void() -> None:
    net = network(ping_timeout=3.0)
    net.client.queue_frame(net.client.keep_alive.ping())
    net.client.flush(net.now)
    lose(net)
    resume(net)
    assert not net.client.keep_alive.is_waiting
    receive(net.client, Pong(1))
    assert reasons(net)[CLIENT] is CloseReason.INVALID_INBOUND_MESSAGE


def test_a_resume_that_arrives_too_late_is_a_failed_attempt() -> None:
    net = network()
    lose(net)
    link = connect(net)
    net.handshakes[link].tick(net.now + net.config.hello_timeout)
    net.hear_the_end(link, CLIENT)
    handle(net, CLIENT)
    assert net.client.phase is Phase.DROPPED
    resume(net)
    assert net.client.phase is net.server.phase is Phase.ESTABLISHED
