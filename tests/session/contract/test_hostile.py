"""A peer that breaks the protocol ends its own session, with the right reason, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support import PATIENCE, echo, eventually
from support.frames import message_of
from support.sessions import SessionApi

import gns_py.sync as gns
from gns_py.session import CloseReason
from gns_py.session.protocol import frames
from gns_py.session.protocol.frames import Ack, Bye, ByeAck, Data, Frame, GoAway, Keyed, Ping, Pong, Untracked
from gns_py.session.sync import Session, SessionClosed, SessionConfig, SessionFailed

from ..protocol.test_frames import VECTORS

SMALL = SessionConfig(credit_bytes=1000, credit_messages=3, max_message=500, close_timeout=1.0 * PATIENCE)
INVALID = CloseReason.INVALID_INBOUND_MESSAGE
LOST = CloseReason.LOST_MESSAGES


class Hostile:
    """A raw connection with a session on it, to send anything on; and a good session of the same server."""

    def __init__(self, raw: gns.Connection, good: Session) -> None:
        self.raw = raw
        self.good = good

    def say(self, frame: Frame | bytes, *, reliable: bool = True, lane: int = 0) -> None:
        self.raw.send(frame if isinstance(frame, bytes) else frame.encode(), reliable=reliable, lane=lane, nagle=False)

    def check_ends_with(self, reason: CloseReason) -> None:
        """Check that the connection ends with that reason, which has a text, and that the good session goes on."""
        end = self.raw.wait_closed(timeout=5.0 * PATIENCE)
        assert (end.code, end.closed_by.name) == (reason.native_code, "PEER"), end
        assert len(end.text) > 10
        self.good.send(b"still here")
        assert self.good.recv(timeout=5.0) == b"still here"


def establish(address: tuple[str, int]) -> gns.Connection:
    raw = gns.connect(*address)
    raw.send(frames.Hello(1, 1, 0, 1000, 10_000, 100, 0, 0, b"").encode())
    assert isinstance(frames.decode(raw.recv(timeout=5.0)), frames.Welcome)
    raw.send(frames.Confirm(1).encode())
    assert frames.decode(raw.recv(timeout=5.0)) == frames.Ready(1)
    return raw


@pytest.fixture
def hostile(sessions: SessionApi) -> Iterator[Hostile]:
    with (
        sessions.serve(echo, "127.0.0.1", 0, session_config=SMALL) as server,
        sessions.connect(*server.address) as good,
        establish(server.address) as raw,
    ):
        yield Hostile(raw, good)
        eventually(lambda: len(server.sessions) == 1)


@pytest.mark.parametrize("vector", VECTORS["malformed"], ids=lambda vector: vector["name"])
def test_malformed_frames(hostile: Hostile, vector: dict[str, str]) -> None:
    hostile.say(message_of(vector))
    hostile.check_ends_with(INVALID)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        pytest.param([Data(2, b"")], LOST, id="a number left out"),
        pytest.param([Data(1, b""), Data(1, b"")], LOST, id="a number twice"),
        pytest.param([Data(1, b""), Data(3, b"")], LOST, id="a hole"),
        pytest.param([Data(1, bytes(501))], CloseReason.MESSAGE_TOO_LARGE, id="a long message"),
        pytest.param([Untracked(bytes(501))], CloseReason.MESSAGE_TOO_LARGE, id="a long unreliable one"),
        pytest.param([Keyed(b"ab", bytes(499))], CloseReason.MESSAGE_TOO_LARGE, id="a long one with its key"),
        pytest.param([Ack({0: 1}, 10_000, 100)], INVALID, id="an ack of nothing"),
        pytest.param([Ack({}, 9_999, 100)], INVALID, id="bytes that fall"),
        pytest.param([Ack({}, 10_000, 99)], INVALID, id="messages that fall"),
        pytest.param([Pong(1)], INVALID, id="PONG without PING"),
        pytest.param([ByeAck({}, b"")], INVALID, id="an answer without goodbye"),
        pytest.param([GoAway(18, 0, "", ())], INVALID, id="GOAWAY from a client"),
        pytest.param([frames.Reject(14, 1000, "", b"")], INVALID, id="REJECT from a client"),
        pytest.param([frames.Resumed(1, b"", {}, 0, 0)], INVALID, id="RESUMED from a client"),
        pytest.param([Bye(4, 1000, "", {}, b""), Bye(4, 1000, "", {}, b"")], INVALID, id="goodbye twice"),
        pytest.param([Bye(4, 1000, "", {}, b""), Ping(1)], INVALID, id="PING after the goodbye"),
        pytest.param([Bye(4, 1000, "", {0: 1}, b""), Data(1, b""), Data(2, b"")], LOST, id="more than announced"),
        pytest.param([Data(1, b""), Bye(4, 1000, "", {}, b"")], LOST, id="less announced than there was"),
    ],
)
def test_frames_that_are_not_allowed(sessions: SessionApi, wrong: list[Frame], reason: CloseReason) -> None:
    seen: list[CloseReason] = []

    def keep(session: Session) -> None:
        """Answers a goodbye late, so that there is time for more frames after it."""
        if session.peer_data == b"good":
            echo(session)
        else:
            seen.append(session.wait_closed().reason)

    with (
        sessions.serve(keep, "127.0.0.1", 0, session_config=SMALL) as server,
        sessions.connect(*server.address, data=b"good") as good,
        establish(server.address) as raw,
    ):
        hostile = Hostile(raw, good)
        for frame in wrong:
            hostile.say(frame, reliable=not isinstance(frame, Untracked | Keyed))
        hostile.check_ends_with(reason)
        eventually(lambda: seen == [reason])


def test_messages_without_credit(sessions: SessionApi) -> None:
    seen: list[CloseReason] = []

    def keep(session: Session) -> None:
        seen.append(session.wait_closed().reason)

    with sessions.serve(keep, "127.0.0.1", 0, session_config=SMALL) as server, establish(server.address) as raw:
        for number in range(4):
            raw.send(Data(number + 1, b"x").encode())
        end = raw.wait_closed(timeout=5.0)
        assert end.code == CloseReason.MESSAGE_QUEUE_LIMIT_REACHED.native_code
        eventually(lambda: seen == [CloseReason.MESSAGE_QUEUE_LIMIT_REACHED])


def test_control_frames_on_another_lane(hostile: Hostile) -> None:
    hostile.raw.configure_lanes([0, 0])
    hostile.say(Ping(1), lane=1)
    hostile.check_ends_with(INVALID)


@pytest.mark.parametrize("frame", [Ping(1), Data(1, b"")], ids=lambda frame: type(frame).__name__)
def test_frames_that_come_unreliably(hostile: Hostile, frame: Frame) -> None:
    hostile.say(frame, reliable=False)
    hostile.check_ends_with(INVALID)


def test_what_a_good_client_says_in_the_same_place_is_no_violation(hostile: Hostile) -> None:
    hostile.raw.configure_lanes([0, 0])
    hostile.say(Ping(7))
    assert frames.decode(hostile.raw.recv(timeout=5.0)) == Pong(7)
    hostile.say(Data(1, b"one"))
    hostile.say(Data(1, b"two"), lane=1)
    hostile.say(Untracked(b"three"), reliable=False)
    payloads: set[bytes] = set()
    while len(payloads) < 3:
        frame = frames.decode(hostile.raw.recv(timeout=5.0))
        if isinstance(frame, Data):
            payloads.add(frame.payload)
    assert payloads == {b"one", b"two", b"three"}
    hostile.say(Bye(4, 1000, "bye", {0: 1, 1: 1}, b"data"))
    while not isinstance(frame := frames.decode(hostile.raw.recv(timeout=5.0)), ByeAck):
        assert isinstance(frame, Ack)
    assert frame.last == {0: 3}


def test_acks_that_go_back(hostile: Hostile) -> None:
    for number in (1, 2):
        hostile.say(Data(number, b"x"))
    echoed = 0
    while echoed < 2:
        echoed += isinstance(frames.decode(hostile.raw.recv(timeout=5.0)), Data)
    hostile.say(Ack({0: 2}, 10_000, 100))
    hostile.say(Ack({0: 1}, 10_000, 100))
    hostile.check_ends_with(INVALID)


@pytest.mark.parametrize(
    ("frame", "is_allowed"),
    [(GoAway(18, 0, "", ()), True), (Ack({}, 1000, 100), False), (Ping(1), False)],
    ids=lambda value: type(value).__name__,
)
def test_frames_of_a_server_around_ready(sessions: SessionApi, frame: Frame, is_allowed: bool) -> None:
    """GOAWAY is for clients once they are established; before that no other frame is allowed."""
    with gns.listen("127.0.0.1", 0) as listener, ThreadPoolExecutor(1) as pool:
        connecting = pool.submit(sessions.connect, *listener.address)
        with listener.accept(timeout=5.0) as raw:
            raw.recv(timeout=5.0)
            raw.send(frames.Welcome(1, 0, bytes(16), 1, b"", 1000, 10_000, 100, 0, 0, b"").encode())
            raw.recv(timeout=5.0)
            order = [frames.Ready(1), frame, Data(1, b"after it")] if is_allowed else [frame]
            raw.send_many([each.encode() for each in order], nagle=False)
            if is_allowed:
                client = connecting.result()
                assert client.recv(timeout=5.0) == b"after it"
                client.abort()
            else:
                with pytest.raises(SessionFailed):
                    connecting.result()
                assert raw.wait_closed(timeout=5.0).code == INVALID.native_code


def test_a_server_that_breaks_the_protocol(sessions: SessionApi) -> None:
    with gns.listen("127.0.0.1", 0) as listener, ThreadPoolExecutor(1) as pool:
        connecting = pool.submit(sessions.connect, *listener.address)
        with listener.accept(timeout=5.0) as raw:
            raw.recv(timeout=5.0)
            raw.send(frames.Welcome(1, 0, bytes(16), 1, b"", 1000, 10_000, 100, 0, 0, b"").encode())
            raw.recv(timeout=5.0)
            raw.send(Data(1, b"may overtake READY").encode())
            raw.send(frames.Ready(1).encode())
            client = connecting.result()
            raw.send(b"\xff")
            assert client.recv(timeout=5.0) == b"may overtake READY"
            with pytest.raises(SessionClosed) as closed:
                client.recv(timeout=5.0)
            assert closed.value.reason is INVALID
            assert raw.wait_closed(timeout=5.0).code == INVALID.native_code


def test_the_vectors_are_those_of_the_specification() -> None:
    assert (
        json.loads((Path(__file__).parents[2].joinpath("vectors") / "session-1.json").read_text("utf-8"))["version"]
        == 1
    )
