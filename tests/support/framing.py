"""Transports for the engines of sessions, without a network and without the native library."""

from __future__ import annotations

from collections import deque

from gns_py.message import Message
from gns_py.session.protocol.engine import Engine
from gns_py.session.protocol.fields import FrameError
from gns_py.session.protocol.frames import Data, Frame, Untracked, decode
from gns_py.session.protocol.transport import Hold

# Handled bytes and messages, after which an ack is due at the latest.
_MOST_UNDUE = 1 << 20, 4096


class Framing:
    """Does what the core does for an engine: numbers DATA, keeps to the credit, unpacks frames.

    The core's classes are FramedSends and FramedReceives.

    Sending and closing are left to subclasses.
    """

    def __init__(self) -> None:
        self.hold = Hold.NONE
        self.may_send = 0, 0
        self.sent_bytes = 0
        self.numbers: dict[int, int] = {}
        self.max_message = 0
        self.window = self.may_arrive = 0, 0
        self.arrived = self.due = 0, 0
        self.received: dict[int, int] = {}
        self.ungranted: deque[tuple[int, int]] = deque()
        self.granted = 0
        self.heard = 0.0
        self.now = 0.0

    def send(self, message: bytes, lane: int, reliable: bool, nagle: bool) -> int:
        raise NotImplementedError

    def request_room_event(self) -> None:
        raise NotImplementedError

    def close(self, code: int, text: str, linger: bool) -> None:
        raise NotImplementedError

    # ---- out ----

    def send_data(self, payload: bytes, lane: int, nagle: bool) -> int | None:
        credit_bytes, credit_messages = self.may_send
        if self.sent_bytes >= credit_bytes or sum(self.numbers.values()) >= credit_messages:
            return None
        number = self.numbers.get(lane, 0) + 1
        self.send(Data(number, payload).encode(), lane, True, nagle)
        self.numbers[lane] = number
        self.sent_bytes += len(payload)
        return number

    def sent(self) -> dict[int, int]:
        return self.numbers.copy()

    def allow(self, max_message: int, credit_bytes: int, credit_messages: int) -> None:  # noqa: ARG002
        self.may_send = credit_bytes, credit_messages

    def set_hold(self, hold: Hold) -> None:
        self.hold = hold

    # ---- in ----

    def begin(self, max_message: int, credit_bytes: int, credit_messages: int) -> None:
        self.max_message = max_message
        self.window = self.may_arrive = credit_bytes, credit_messages

    def grant(self, handled: int) -> tuple[int, int]:
        while self.granted < handled and self.ungranted:
            self.granted += 1
            handled_bytes, handled_messages = self.ungranted.popleft()
            self.may_arrive = self.window[0] + handled_bytes, self.window[1] + handled_messages
        return self.may_arrive

    def outstanding(self) -> tuple[int, int]:
        return 0, 0

    def silence(self) -> float:
        return self.now - self.heard

    def deliver(self, engine: Engine, message: Message, now: float) -> None:
        """Do with a message that has arrived what the core and a session do."""
        self.heard = self.now = now
        try:
            frame = decode(message.data)
        except FrameError:
            frame = None
        data: Message | None = None
        is_due = False
        if isinstance(frame, Untracked) and len(frame.payload) <= self.max_message:
            data = message._replace(data=frame.payload, reliable=False)
        elif isinstance(frame, Data) and message.reliable and self._may_arrive(frame, message.lane):
            self.received[message.lane] = frame.sequence
            self.arrived = self.arrived[0] + len(frame.payload), self.arrived[1] + 1
            is_due = any(
                arrived >= due + min(window / 4, most)
                for arrived, due, window, most in zip(self.arrived, self.due, self.window, _MOST_UNDUE, strict=True)
            )
            if is_due:
                self.due = self.arrived
                self.ungranted.append(self.due)
            data = message._replace(data=frame.payload, number=frame.sequence)
        if data is None:
            engine.receive(message, now)
        elif engine.inspects_data:
            engine.receive_data(data, now, is_ack_due=is_due)
        elif data.reliable:
            engine.inbox.add(data, is_ack_due=is_due)
        else:
            engine.inbox.add_unreliable(data)

    def _may_arrive(self, frame: Data, lane: int) -> bool:
        return (
            frame.sequence == self.received.get(lane, 0) + 1
            and len(frame.payload) <= self.max_message
            and self.arrived[0] + len(frame.payload) < self.may_arrive[0] + self.max_message
            and self.arrived[1] < self.may_arrive[1]
        )


class Line(Framing):
    """Records the frames sent, and how the connection was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[Frame] = []
        self.closed: tuple[int, str, bool] | None = None

    def send(self, message: bytes, lane: int, reliable: bool, nagle: bool) -> int:  # noqa: ARG002
        self.frames.append(decode(message))
        return len(self.frames)

    def close(self, code: int, text: str, linger: bool) -> None:
        self.closed = code, text, linger


def take(engine: Engine, now: float) -> Message | None:
    """Do what a session does when its application receives."""
    message = engine.inbox.take()
    if engine.inbox.is_ack_due:
        engine.acknowledge(now)
    return message
