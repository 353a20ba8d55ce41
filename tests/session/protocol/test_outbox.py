"""Messages that wait to be sent: in order, bounded, and not overtaken by those of other threads."""

from __future__ import annotations

from collections import deque

import pytest
from support.framing import Framing

from gns_py import MessageTooLarge, SendQueueFull
from gns_py.session.protocol.config import SessionConfig
from gns_py.session.protocol.frames import Ack, Keyed, Untracked
from gns_py.session.protocol.outbox import Outbox
from gns_py.session.protocol.transport import Hold
from gns_py.session.protocol.violation import Violation

CONFIG = SessionConfig(send_queue_bytes=100, send_queue_messages=4, unreliable_queue=3, unreliable_queue_bytes=1_000)


class Line(Framing):
    """A transport with room for a number of messages."""

    def __init__(self) -> None:
        super().__init__()
        self.room = 1_000
        self.sent_frames: deque[bytes] = deque()

    def send(self, message: bytes, lane: int, reliable: bool, nagle: bool) -> int:  # noqa: ARG002
        if not self.room:
            raise SendQueueFull
        self.room -= 1
        self.sent_frames.append(message)
        return len(self.sent_frames)


def outbox(credit_bytes: int = 1_000, credit_messages: int = 2) -> tuple[Outbox, Line]:
    line = Line()
    box = Outbox(line, CONFIG)
    box.limit(50)
    box.open(credit_bytes, credit_messages)
    return box, line


def hold_of(line: Line) -> Hold:
    return line.hold


def test_messages_without_credit_wait_in_order() -> None:
    box, line = outbox()
    assert [box.put(b"%d" % number, 0, True) for number in range(4)] == [1, 2, 3, 4]
    assert box.waiting == (2, 2)
    assert hold_of(line) is Hold.DATA
    assert not box.waits_for_room
    assert box.acked(Ack({0: 2}, 1_000, 4))
    box.flush()
    assert box.is_empty
    assert hold_of(line) is Hold.NONE
    assert line.numbers == {0: 4}
    assert box.unacked == 2


def test_numbers_of_a_lane_go_on_while_other_lanes_wait() -> None:
    box, _ = outbox()
    assert [box.put(b"", lane, True) for lane in (0, 1, 0, 1, 2, 0)] == [1, 1, 2, 2, 1, 3]


def test_the_queue_is_bounded_in_messages_and_bytes() -> None:
    box, _ = outbox(credit_messages=1)
    for _ in range(1 + CONFIG.send_queue_messages):
        box.put(b"", 0, True)
    with pytest.raises(SendQueueFull, match=r"wait with drain\(\)"):
        box.put(b"", 0, True)
    box, _ = outbox(credit_messages=1)
    for _ in range(3):
        box.put(bytes(50), 0, True)
    with pytest.raises(SendQueueFull):
        box.put(b"x", 0, True)


def test_without_room_below_room_is_awaited() -> None:
    box, line = outbox()
    line.room = 0
    box.put(b"reliable", 0, True)
    box.put_unreliable(b"unreliable", 0, True, None)
    assert box.waits_for_room
    line.room = 10
    box.flush()
    assert box.is_empty
    assert not box.waits_for_room
    assert len(line.sent_frames) == 2


def test_unreliable_messages_replace_those_of_their_key_and_push_out_the_oldest() -> None:
    box, line = outbox()
    line.room = 0
    for number in range(3):
        box.put_unreliable(b"%d" % number, 0, True, b"key")
    assert box.dropped == 0
    for number in range(4):
        box.put_unreliable(b"%d" % number, 0, True, None)
    assert box.dropped == 2
    line.room = 10
    box.flush()
    assert list(line.sent_frames) == [Untracked(b"%d" % number).encode() for number in (1, 2, 3)]


def test_a_keyed_message_is_sent_at_once_if_it_can_be() -> None:
    box, line = outbox()
    assert box.put_unreliable(b"state", 0, True, b"key") == 1
    assert line.sent_frames[0] == Keyed(b"key", b"state").encode()


@pytest.mark.parametrize(("payload", "key"), [(bytes(51), None), (bytes(48), b"key")])
def test_messages_the_peer_does_not_take_are_refused(payload: bytes, key: bytes | None) -> None:
    box, _ = outbox()
    with pytest.raises(MessageTooLarge, match="up to 50 bytes, not of 51"):
        box.check_size(payload, key)


@pytest.mark.parametrize(
    ("acks", "text"),
    [
        ([Ack({0: 3}, 1_000, 2)], "acked before it was sent"),
        ([Ack({0: 2}, 1_000, 2), Ack({0: 1}, 1_000, 2)], "acked after a later one"),
        ([Ack({0: 1}, 1_000, 2), Ack({}, 1_000, 2)], "message 0 of lane 0"),
        ([Ack({}, 999, 2)], "the credit fell"),
        ([Ack({}, 1_000, 1)], "the credit fell"),
    ],
)
def test_impossible_acks_are_refused(acks: list[Ack], text: str) -> None:
    box, _ = outbox()
    for _ in range(2):
        box.put(b"", 0, True)
    *possible, impossible = acks
    for ack in possible:
        box.acked(ack)
    with pytest.raises(Violation, match=text):
        box.acked(impossible)


def test_a_closed_outbox_stays_held() -> None:
    box, line = outbox(credit_messages=1)
    box.put(b"1", 0, True)
    box.put(b"2", 0, True)
    box.close()
    assert hold_of(line) is Hold.ALL
    box.acked(Ack({0: 1}, 1_000, 2))
    box.flush()
    assert box.is_empty
    assert hold_of(line) is Hold.ALL


def test_what_is_dropped_does_not_wait() -> None:
    box, _ = outbox(credit_messages=1)
    for _ in range(3):
        box.put(b"x", 0, True)
    assert (box.backlog_bytes, box.count_undelivered()) == (2, 2)
    box.clear()
    assert box.is_empty
    assert box.waiting == (0, 0)


def test_messages_that_never_fit_are_refused_and_hold_nothing_back(monkeypatch: pytest.MonkeyPatch) -> None:
    box, line = outbox()

    def refuse(*_: object) -> None:
        raise MessageTooLarge

    monkeypatch.setattr(line, "send_data", refuse)
    with pytest.raises(MessageTooLarge):
        box.put(b"x", 0, True)
    assert hold_of(line) is Hold.NONE


def test_an_unreliable_message_that_finds_no_room_again_stays_the_first() -> None:
    box, line = outbox()
    line.room = 0
    for number in range(2):
        box.put_unreliable(b"%d" % number, 0, True, None)
    assert box.has_unreliable
    for room in (1, 1):
        line.room = room
        box.flush()
    assert list(line.sent_frames) == [Untracked(b"%d" % number).encode() for number in range(2)]


def test_a_flush_that_was_interrupted_sends_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    box, line = outbox(credit_messages=1)
    for number in range(4):
        box.put(b"%d" % number, 0, True)
    box.acked(Ack({0: 1}, 1_000, 8))
    send_data = line.send_data

    def interrupt(payload: bytes, lane: int, nagle: bool) -> int | None:
        send_data(payload, lane, nagle)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(line, "send_data", interrupt)
        with pytest.raises(KeyboardInterrupt):
            box.flush()
    box.flush()
    assert box.is_empty
    assert line.numbers == {0: 4}
