"""Transports for the engines of sessions, without a network and without the native library."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

from gns_py.errors import SendQueueFull
from gns_py.message import Message
from gns_py.session.protocol.engine import Engine
from gns_py.session.protocol.fields import FrameError
from gns_py.session.protocol.frames import Data, Frame, Untracked, decode
from gns_py.session.protocol.transport import Hold

# An ack is due after a quarter of the credit, but at most after this much.
_MOST_DUE = 1 << 20, 4_096


class Arrival(NamedTuple):
    """A message as it goes to the engine: unpacked, or as it has arrived."""

    message: Message
    is_unpacked: bool
    is_ack_due: bool = False


class Framing:
    """Does what a stream of the core does for an engine.

    It numbers DATA, keeps to the credit, unpacks frames, and keeps what was sent for the next connection. Sending and
    closing are left to subclasses.
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
        self.is_attached = True
        self.is_released = False
        self.kept: deque[tuple[int, int, bytes]] = deque()
        """Lane, number and payload of what was sent and not handled."""
        self.may_keep: tuple[int, int] | None = None
        self.again: deque[tuple[int, int, bytes]] | None = None
        """The rest of a replay; None: there is no replay."""
        self.replayed: dict[int, int] = {}
        """While the peer replays: the number of the last message that has arrived on each lane of this connection."""

    def send(self, message: bytes, lane: int, reliable: bool, nagle: bool) -> int:
        raise NotImplementedError

    def request_room_event(self) -> None:
        raise NotImplementedError

    def close(self, code: int, text: str, linger: bool) -> None:
        raise NotImplementedError

    # ---- out ----

    @property
    def is_held(self) -> bool:
        """Return whether neither DATA nor UNTRACKED go out now, whatever the hold and the credit are."""
        return not self.is_attached or self.again is not None

    def send_data(self, payload: bytes, lane: int, nagle: bool) -> int | None:
        credit_bytes, credit_messages = self.may_send
        if self.is_held or self.sent_bytes >= credit_bytes or sum(self.numbers.values()) >= credit_messages:
            return None
        if self.may_keep is not None:
            max_bytes, max_messages = self.may_keep
            if self.kept_bytes >= max_bytes or len(self.kept) >= max_messages:
                return None
        number = self.numbers.get(lane, 0) + 1
        self.send(Data(number, payload).encode(), lane, True, nagle)
        self.numbers[lane] = number
        self.sent_bytes += len(payload)
        if self.may_keep is not None:
            self.kept.append((lane, number, payload))
        return number

    def sent(self) -> dict[int, int]:
        return self.numbers.copy()

    def allow(self, max_message: int, credit_bytes: int, credit_messages: int) -> None:  # noqa: ARG002
        self.may_send = credit_bytes, credit_messages

    def set_hold(self, hold: Hold) -> None:
        self.hold = hold

    # ---- from one connection to the next ----

    @property
    def kept_bytes(self) -> int:
        return sum(len(payload) for _, _, payload in self.kept)

    def keep(self, max_bytes: int, max_messages: int) -> None:
        assert not self.numbers, "keep() after something was sent"
        self.may_keep = max_bytes, max_messages

    def release_acked(self, handled: Mapping[int, int]) -> None:
        self.kept = deque(each for each in self.kept if each[1] > handled.get(each[0], 0))
        if self.again is not None:  # what is released is not sent again
            self.again = deque(each for each in self.again if each[1] > handled.get(each[0], 0))

    def count_kept(self) -> int:
        return len(self.kept)

    def detach(self) -> None:
        self.is_attached = False

    def close_later(self, code: int, text: str) -> None:
        self.close(code, text, False)

    def last_arrived(self) -> dict[int, int]:
        return self.received.copy()

    def continue_from(
        self, sent: Mapping[int, int], arrived: Mapping[int, int], totals: tuple[int, int, int, int]
    ) -> None:
        assert not self.numbers, "continue_from() after something was sent"
        assert not self.received, "continue_from() after something has arrived"
        self.numbers, self.received = dict(sent), dict(arrived)
        self.sent_bytes = totals[0]
        self.arrived = self.due = totals[1], sum(arrived.values())
        self.may_arrive = totals[2], totals[3]

    def resume(self, handled: Mapping[int, int]) -> None:
        assert not self.is_released
        assert all(number <= self.received.get(lane, 0) for lane, number in handled.items()), "it has not arrived"
        self.replayed = {lane: handled.get(lane, 0) for lane in self.received}
        self.again = self.kept.copy()
        self.is_attached = True

    def replay(self) -> bool:
        while self.again:
            lane, number, payload = self.again[0]
            try:
                self.send(Data(number, payload).encode(), lane, True, True)
            except SendQueueFull:
                return False
            self.again.popleft()
        self.again = None
        return True

    def release(self) -> None:
        self.is_released = True
        self.is_attached = False
        self.kept.clear()

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
        arrival = self.unpack(message, now)
        if arrival is not None:
            hand_over(engine, arrival, now)

    def unpack(self, message: Message, now: float) -> Arrival | None:
        """Do with a message that has arrived what the core does. None: it is a repetition."""
        as_it_is = Arrival(message, is_unpacked=False)
        if not self.is_attached:
            return as_it_is
        self.heard = self.now = now
        try:
            frame = decode(message.data)
        except FrameError:
            return as_it_is
        if isinstance(frame, Untracked) and len(frame.payload) <= self.max_message:
            return Arrival(message._replace(data=frame.payload, reliable=False), is_unpacked=True)
        if not isinstance(frame, Data) or not message.reliable:
            return as_it_is
        lane, number = message.lane, frame.sequence
        received = self.received.get(lane, 0)
        if number != self.replayed.get(lane, received) + 1:
            return as_it_is
        if number <= received:
            self.replayed[lane] = number
            return None
        if not self._may_arrive(frame):
            return as_it_is
        self.replayed.pop(lane, None)
        self.received[lane] = number
        self.arrived = self.arrived[0] + len(frame.payload), self.arrived[1] + 1
        return Arrival(message._replace(data=frame.payload, number=number), True, self._note_due())

    def _may_arrive(self, frame: Data) -> bool:
        return (
            len(frame.payload) <= self.max_message
            and self.arrived[0] + len(frame.payload) < self.may_arrive[0] + self.max_message
            and self.arrived[1] < self.may_arrive[1]
        )

    def _note_due(self) -> bool:
        is_due = any(
            arrived >= due + min(window / 4, most)
            for arrived, due, window, most in zip(self.arrived, self.due, self.window, _MOST_DUE, strict=True)
        )
        if is_due:
            self.due = self.arrived
            self.ungranted.append(self.due)
        return is_due


class Line(Framing):
    """Records the frames sent, and how the connection was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[Frame] = []
        self.closed: tuple[int, str, bool] | None = None
        self.room = 1_000_000
        """How many frames may be sent."""
        self.room_requests = 0

    def send(self, message: bytes, lane: int, reliable: bool, nagle: bool) -> int:  # noqa: ARG002
        if self.room <= 0:
            raise SendQueueFull
        self.room -= 1
        self.frames.append(decode(message))
        return len(self.frames)

    def request_room_event(self) -> None:
        self.room_requests += 1

    def close(self, code: int, text: str, linger: bool) -> None:
        self.closed = code, text, linger

    def take_frames(self) -> list[Frame]:
        """Return what was sent since the last call."""
        frames, self.frames = self.frames, []
        return frames


def hand_over(engine: Engine, arrival: Arrival, now: float) -> None:
    """Do with an arrival what a session does."""
    message = arrival.message
    if not arrival.is_unpacked:
        engine.receive(message, now)
    elif engine.inspects_data:
        engine.receive_data(message, now, is_ack_due=arrival.is_ack_due)
    elif message.reliable:
        engine.inbox.add(message, is_ack_due=arrival.is_ack_due)
    else:
        engine.inbox.add_unreliable(message)


def take(engine: Engine, now: float) -> Message | None:
    """Do what a session does when its application receives."""
    message = engine.inbox.take()
    if engine.inbox.is_ack_due:
        engine.acknowledge(now)
    return message
