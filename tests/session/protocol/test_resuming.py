"""Sessions that go from one connection to the next: both ends over a network, and one end against any other."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.framing import Line, take
from support.network import CLIENT, SERVER, Link, Network

from gns_py import ClosedBy, ConnectionEnd, EndReason
from gns_py.message import Message
from gns_py.session import CloseReason
from gns_py.session.protocol.client import ClientEngine
from gns_py.session.protocol.config import SessionConfig
from gns_py.session.protocol.frames import Frame, Welcome
from gns_py.session.protocol.reasons import SessionEnd
from gns_py.session.protocol.resuming import Dropped, ResumableEngine, Resumed
from gns_py.session.protocol.server import ServerEngine
from gns_py.session.protocol.state import Phase

CONFIG = SessionConfig(
    max_message=1_000, credit_bytes=8_000, credit_messages=16, send_queue_messages=8, resume_window=20.0
)
BOTH = pytest.mark.parametrize("who", [CLIENT, SERVER])
CUT = ConnectionEnd(ClosedBy.PROBLEM, EndReason.MISC_TIMEOUT, "cut")
WELCOME = Welcome(1, 1, bytes(16), 1, b"token", 1_000, 8_000, 16, 20_000, 0, b"")
CLOSED = CloseReason.CLOSED_BY_CLIENT, CloseReason.CLOSED_BY_SERVER


def network(**settings: object) -> Network:
    return Network(replace(CONFIG, **settings))  # type: ignore[arg-type]


def lose(net: Network, *who: int) -> None:
    """Cut the connection; these ends notice, or both."""
    net.newest.is_cut = True
    for each in who or (CLIENT, SERVER):
        if net.newest.can_hear_the_end(each):
            net.hear_the_end(net.newest, each)
        handle(net, each)


def handle(net: Network, who: int) -> None:
    while net.mailboxes[who]:
        net.handle(who)


def arrive(net: Network, sender: int, count: int = 1, lane: int = 0) -> None:
    """Let frames of the newest connection arrive that this end has sent."""
    for _ in range(count):
        net.arrive(net.newest, sender, (lane, True))
        handle(net, 1 - sender)


def receive(engine: ResumableEngine, frame: Frame) -> None:
    engine.receive(Message(frame.encode(), 1, 0, True, 0), 0.0)


def connect(net: Network) -> Link:
    """Let the client send RESUME on a new connection."""
    link = net.connect()
    handle(net, CLIENT)
    return link


def resume(net: Network) -> None:
    connect(net)
    net.settle()


def send(engine: ResumableEngine, *payloads: bytes, lane: int = 0) -> None:
    for payload in payloads:
        engine.outbox.put(payload, lane, True)
        engine.ask_for_room()


def drain(engine: ResumableEngine) -> list[bytes]:
    taken = []
    while (message := take(engine, 0.0)) is not None:
        taken.append(message.data)
    return taken


def close(net: Network, *who: int) -> None:
    for each in who:
        net.engines[each].close(CLOSED[each], 1_000, f"{each}", b"data of %d" % each, net.now)


def reasons(net: Network) -> list[CloseReason | None]:
    return [None if engine.end is None else engine.end.reason for engine in net.engines]


def assert_both_are_ok(net: Network) -> None:
    for engine in net.engines:
        assert engine.end is not None
        assert engine.end.ok, engine.end


# ---- the capability ----


@pytest.mark.parametrize(
    ("client", "server", "agreed"), [(30.0, 10.0, 10.0), (5.0, 30.0, 5.0), (0, 30.0, 0), (30.0, None, 0)]
)
def test_the_shorter_window_applies_and_without_one_there_is_no_resuming(
    client: float, server: float | None, agreed: float
) -> None:
    lines = Line(), Line()
    ends = (
        ServerEngine(lines[1], SessionConfig(resume_window=server), 0.0),
        ClientEngine(lines[0], SessionConfig(resume_window=client), b"", None, 0.0),
    )
    receive(ends[0], lines[0].frames[-1])
    ends[0].accept(b"", 0.0)
    receive(ends[1], lines[1].frames[-1])
    receive(ends[0], lines[0].frames[-1])
    receive(ends[1], lines[1].frames[-1])
    for engine, line in zip(ends, reversed(lines), strict=True):
        assert engine.phase is Phase.ESTABLISHED
        assert engine.resume_window == agreed
        assert engine.can_resume is (agreed > 0)
        assert (line.may_keep is None) is (agreed == 0)
        engine.connection_ended(CUT, 1.0)
        assert engine.phase is (Phase.DROPPED if agreed else Phase.ENDED)


@pytest.mark.parametrize(
    "changes",
    [
        {"token": b""},
        {"resume_window_ms": 0},
        {"capabilities": 0},
        {"resume_window_ms": 20_001},
        {"epoch": 2},
        {"capabilities": 0, "token": b"", "resume_window_ms": 1},
    ],
)
def test_a_welcome_that_contradicts_itself_or_the_offer_is_refused(changes: dict[str, object]) -> None:
    engine = ClientEngine(Line(), CONFIG, b"", None, 0.0)
    receive(engine, replace(WELCOME, **changes))  # type: ignore[arg-type]
    assert engine.end is not None
    assert engine.end.reason is CloseReason.INVALID_INBOUND_MESSAGE


# ---- dropped ----


@BOTH
def test_a_session_goes_on_with_all_messages_of_all_lanes(who: int) -> None:
    net = network()
    sender, reader = net.engines[who], net.engines[1 - who]
    send(sender, b"1", b"2")
    send(sender, b"a", lane=1)
    net.settle()
    assert take(reader, 0.0) is not None
    send(sender, b"3")
    send(sender, b"b", lane=1)  # lost with the connection
    lose(net)
    send(sender, b"4")  # waits
    reader.outbox.put_unreliable(b"dropped", 0, True, None)
    reader.outbox.put_unreliable(b"old", 0, True, b"key")
    reader.outbox.put_unreliable(b"latest", 0, True, b"key")
    net.now = 5.0
    resume(net)
    assert sorted(drain(reader)) == [b"2", b"3", b"4", b"a", b"b"]
    assert drain(sender) == [b"latest"]
    assert [type(each) for each in sender.notices] == [Dropped, Resumed]
    assert sender.notices[1] == Resumed(4)
    assert (sender.drops, sender.time_dropped(9.0)) == (1, 5.0)


@BOTH
def test_without_a_connection_a_session_expires_and_attempts_do_not_prolong_it(who: int) -> None:
    net = network()
    engine = net.engines[who]
    lose(net)
    assert engine.next_tick == 20.0
    net.wait(19.0)
    connect(net)
    arrive(net, CLIENT)
    lose(net)
    assert engine.phase is Phase.DROPPED
    net.wait(1.0)
    assert engine.end is not None
    assert engine.end.reason is CloseReason.SESSION_EXPIRED
    assert engine.end.text == "not resumed within 20 s (CONNECTION_LOST: cut)"


@BOTH
def test_silence_drops_the_connection_and_not_the_session(who: int) -> None:
    net = network(ping_timeout=3.0)
    engine = net.engines[who]
    for _ in range(2):
        net.now += 2.0
        net.wires[who].now = net.now
        engine.tick(net.now)
    assert engine.phase is Phase.DROPPED
    (notice,) = engine.notices
    assert isinstance(notice, Dropped)
    assert notice.why.reason is CloseReason.CLIENT_UNRESPONSIVE
    net.settle()
    assert net.engines[1 - who].phase is Phase.DROPPED
    resume(net)
    assert net.client.phase is net.server.phase is Phase.ESTABLISHED


def test_frames_of_the_old_connection_are_ignored_while_dropped() -> None:
    net = network()
    lose(net, CLIENT)
    net.client.receive(Message(b"\xff", 1, 0, True, 0), net.now)
    assert net.client.phase is Phase.DROPPED


def test_a_failed_attempt_ends_the_session_only_if_another_one_would_fail_too() -> None:
    net = network()
    lose(net)
    for_a_while = (CloseReason.RATE_LIMITED, CloseReason.IO_EXCEPTION, CloseReason.PROTOCOL_ERROR)
    for reason in (*for_a_while, CloseReason.VERSION_MISMATCH):
        assert net.client.phase is Phase.DROPPED
        net.client.attempt_failed(SessionEnd(ClosedBy.PEER, reason, 0, "", is_confirmed=False), net.now)
    assert reasons(net)[CLIENT] is CloseReason.VERSION_MISMATCH


@BOTH
def test_closing_goes_on_without_a_connection(who: int) -> None:
    net = network()
    send(net.engines[who], b"x")
    lose(net)
    close(net, who)
    assert net.engines[who].phase is Phase.DROPPED
    net.now = 4.0
    resume(net)
    net.settle()
    close(net, 1 - who)
    net.settle()
    assert_both_are_ok(net)
    net = network()
    lose(net)
    close(net, who)
    net.wait(5.0)
    assert reasons(net)[who] is CloseReason.ABORTED


# ---- replays ----


@BOTH
def test_an_ack_in_the_middle_of_a_replay_makes_no_gap_in_it(who: int) -> None:
    net = network(credit_messages=64)
    sender, reader = net.engines[who], net.engines[1 - who]
    payloads = [b"%d" % number for number in range(30)]
    for payload in payloads:
        send(sender, payload)
        net.settle()  # the reader has them, and its application has handled none
    lose(net)
    connect(net)
    while not sender.is_connected or not reader.is_connected:
        net.arrive(*net.under_way()[0])
        for each in (CLIENT, SERVER):
            handle(net, each)
    assert sender.is_behind
    assert drain(reader) == payloads  # this acknowledges what is still to be sent again
    while net.newest.under_way(1 - who):
        arrive(net, 1 - who)
    assert sender.is_behind
    send(sender, b"new")
    net.settle()
    assert drain(reader) == [b"new"]
    assert not sender.is_behind
    close(net, who)
    net.settle()
    close(net, 1 - who)
    net.settle()
    assert_both_are_ok(net)


@BOTH
def test_an_ack_that_was_due_while_resuming_is_sent(who: int) -> None:
    net = network()
    sender, reader = net.engines[who], net.engines[1 - who]
    send(sender, *[b"x"] * CONFIG.credit_messages, b"waits")
    net.settle()
    lose(net)
    connect(net)
    if who == CLIENT:
        arrive(net, CLIENT)
    assert reader.phase is Phase.RESUMING  # it has said that nothing is handled
    assert len(drain(reader)) == CONFIG.credit_messages
    net.settle()
    assert drain(reader) == [b"waits"]


@BOTH
def test_what_is_still_to_be_sent_again_counts_as_undelivered(who: int) -> None:
    net = network()
    sender = net.engines[who]
    for _ in range(14):
        send(sender, b"x")
        net.settle()
    send(sender, b"x")
    lose(net)
    connect(net)
    while not sender.is_connected:
        net.arrive(*net.under_way()[0])
        for each in (CLIENT, SERVER):
            handle(net, each)
    assert sender.is_behind
    sender.abort(2_000, "", net.now)
    assert sender.end is not None
    assert sender.end.undelivered == 15


@pytest.mark.parametrize(
    ("reason", "goes_on"),
    [
        (CloseReason.RATE_LIMITED, True),
        (CloseReason.CONNECTION_LOST, True),
        (CloseReason.PROTOCOL_ERROR, True),
        (CloseReason.ABORTED, False),
        (CloseReason.SESSION_TAKEN_OVER, False),
    ],
)
def test_an_attempt_that_fails_for_a_while_is_not_the_end(reason: CloseReason, goes_on: bool) -> None:
    net = network()
    lose(net)
    connect(net)
    assert net.client.phase is Phase.RESUMING
    net.client.connection_ended(ConnectionEnd(ClosedBy.PEER, reason.native_code, "0000 no"), net.now)
    assert net.client.phase is (Phase.DROPPED if goes_on else Phase.ENDED)
    if goes_on:
        resume(net)
        assert net.client.phase is net.server.phase is Phase.ESTABLISHED


@pytest.mark.parametrize("reason", [CloseReason.PROTOCOL_ERROR, CloseReason.RATE_LIMITED])
def test_an_attempt_that_both_ends_give_up_is_not_the_end(reason: CloseReason) -> None:
    net = network()
    lose(net)
    connect(net)
    net.now += 5.0
    net.client.tick(net.now)
    assert net.client.phase is Phase.DROPPED
    net.client.connection_ended(ConnectionEnd(ClosedBy.PEER, reason.native_code, "0000 too late"), net.now)
    assert net.client.phase is Phase.DROPPED
    resume(net)
    assert net.client.phase is net.server.phase is Phase.ESTABLISHED


# ---- goodbyes ----


@pytest.mark.parametrize("frames", range(8))
@pytest.mark.parametrize("order", [(CLIENT, SERVER), (SERVER, CLIENT)])
@pytest.mark.parametrize("at_once", [False, True])
def test_a_goodbye_cut_after_any_frame_goes_on(frames: int, order: tuple[int, int], at_once: bool) -> None:
    net = network()
    for engine in net.engines:
        send(engine, b"1", b"2")
        send(engine, b"3", lane=1)
    close(net, order[0])
    if not at_once:
        net.settle()
    close(net, order[1])
    for _ in range(frames):
        if some := net.under_way():
            net.arrive(*some[0])
            handle(net, 1 - some[0][1])
    lose(net)
    if net.client.phase is Phase.DROPPED:
        resume(net)
    ends = [engine.end for engine in net.engines]
    if ends[CLIENT] is None or ends[SERVER] is None:  # one has ended, and could not say so
        net.wait(20.0)
        assert {*reasons(net)} <= {CLOSED[order[0]], CLOSED[order[1]], CloseReason.ABORTED, CloseReason.SESSION_EXPIRED}
    elif CloseReason.SESSION_EXPIRED not in reasons(net):
        assert_both_are_ok(net)


@pytest.mark.parametrize("is_read", [True, False])
def test_a_resumed_end_reports_what_its_last_ack_has_said(is_read: bool) -> None:
    net = network()
    send(net.server, b"1", b"2", b"3")
    close(net, SERVER)
    arrive(net, SERVER, 4)  # DATA and BYE
    send(net.client, b"late", lane=1)
    if is_read:
        close(net, CLIENT)
    while net.client.goodbyes.ours is None:  # it is answered for, although the application has not read
        net.wait(1.0)
    arrive(net, CLIENT, net.newest.counts[CLIENT] - 3)  # up to the last ACK, but not the late message
    assert net.server.goodbyes.is_confirmed
    assert net.server.end is None
    for _ in range(2):
        lose(net)
        connect(net)
        arrive(net, CLIENT)
    net.settle()
    assert_both_are_ok(net)
    assert drain(net.client) == ([] if is_read else [b"1", b"2", b"3"])
