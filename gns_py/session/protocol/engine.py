"""One end of a session without its waiting: frames and times in, frames and an end out. No clock, no thread."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from dataclasses import replace
from enum import Enum
from math import inf

from ..._generated.enums import EndReason
from ...errors import MessageTooLarge, SendQueueFull
from ...events import ClosedBy, ConnectionEnd
from ...message import Message
from .config import SessionConfig
from .fields import MAX_LANE, FrameError
from .frames import LAST_CREDIT, Ack, Bye, ByeAck, Data, Frame, GoAway, Keyed, Ping, Pong, Untracked, decode
from .inbox import Inbox
from .outbox import Outbox
from .reasons import CloseReason, SessionEnd, connection_end_text, end_of_connection, reason_of, truncate_text
from .transport import Transport
from .violation import Violation

_PING_PART = 3
# Of the close timeout: who is asked answers before who asked gives up.
_ANSWER_PART = 0.8
# While an end closes, it looks so many times in a close timeout whether there is progress.
_LOOKS = 4
# However slowly a peer takes or sends what is left, closing is over after so many close timeouts, and the time that
# what waits takes at so many bytes a second.
_CLOSE_TIMEOUTS = 12
_SLOWEST = 16 * 1024
# Control frames that say nothing new: so many at once, and so many a second in the long run. Pings at the shortest
# ping timeout are a third of it.
_FRAME_BURST = 100
_FRAME_RATE = 100.0


class Phase(Enum):
    """Where a session stands."""

    SETTING_UP = "being set up"
    ESTABLISHED = "established"
    CLOSING = "closing"
    ENDED = "ended"


class Engine(ABC):
    """What both ends have in common; times are seconds of any clock that never goes back."""

    is_client: bool

    def __init__(self, transport: Transport, config: SessionConfig, now: float) -> None:
        self.transport = transport
        self.config = config
        self.phase = Phase.SETTING_UP
        self.end: SessionEnd | None = None
        """Why it ended; None while it lives."""
        self.rejected = False
        """Whether the server has said that it does not want a session."""
        self.was_established = False
        """Whether both ends have had the session, however it has ended since."""
        self.going_away: GoAway | None = None
        """What the server has said of its end."""
        self.inbox = Inbox(config.unreliable_queue, config.unreliable_queue_bytes)
        self.outbox = Outbox(
            transport,
            config.send_queue_bytes,
            config.send_queue_messages,
            config.unreliable_queue,
            config.unreliable_queue_bytes,
        )
        self._control: deque[bytes] = deque()
        self._now = now
        self._heard = now
        self._frames_left = float(_FRAME_BURST)
        self._frames_left_at = now
        self._ping_timeout = 0.0
        self._pings = 0
        self._ping_is_out = False
        self._setup_deadline = inf
        self._look_at = inf  # whether closing makes progress
        self._close_at = inf  # closing is given up without progress
        self._give_up_at = inf  # and with it
        self._progress_seen: tuple[int, ...] = ()
        self._answer_at = inf
        self._granted = config.credit_bytes, config.credit_messages
        self._acked: dict[int, int] = {}  # the numbers that the last ACK had
        self._goodbye: Bye | None = None  # this end's; its last is known when it is said
        self._has_said_goodbye = False
        self._said_bye = False  # and it was a BYE, not the answer to one
        self._has_confirmed = False  # that all up to the peer's goodbye has come
        self._peers_goodbye: Bye | ByeAck | None = None
        self._peer_has_confirmed = False
        self._is_read = True  # by the application
        self.watches_data = True
        """Whether receive_data() must see what comes: before it is established, and from the first goodbye on."""
        transport.begin(config.max_message, config.credit_bytes, config.credit_messages)

    # ---- what comes in ----

    def receive(self, message: Message, now: float) -> None:
        """A frame that is not the transport's to take."""
        if self.phase is Phase.ENDED:
            return
        self._now = self._heard = now
        try:
            if self.phase is Phase.SETTING_UP:
                self._check_speaks(message.data)
            self._on_frame(decode(message.data), message)
            self._progress()
        except (FrameError, Violation) as error:
            self._on_violation(error if isinstance(error, Violation) else Violation(str(error)))

    def receive_data(self, message: Message, now: float, *, is_ack_due: bool = False) -> None:
        """What has come in DATA or UNTRACKED, while watches_data."""
        if self.phase is Phase.ENDED:
            return
        self._now = now
        try:
            if self.phase is Phase.SETTING_UP:
                self._check_speaks(b"")
            self._check_takes_data()
            _check_lane(message)
            goodbye = self._peers_goodbye
            if goodbye is not None and message.reliable and message.number > goodbye.last.get(message.lane, 0):
                raise Violation("Data came after the last one", CloseReason.LOST_MESSAGES)
            if message.reliable:
                self.inbox.add(message, is_ack_due=is_ack_due)
            else:
                self.inbox.add_unreliable(message)
            self._progress()
        except Violation as violation:
            self._on_violation(violation)

    def connection_ended(self, end: ConnectionEnd, now: float) -> None:
        """The native connection has ended."""
        if self.phase is Phase.ENDED:
            return
        self._now = now
        undelivered = 0 if self._peer_has_confirmed else self.outbox.unacked
        self._finish(replace(end_of_connection(end, is_client=self.is_client), undelivered=undelivered))

    def fail(self, text: str, now: float) -> None:
        """End the session: something at this end cannot be dealt with. Raises nothing."""
        if self.phase is Phase.ENDED:
            return
        self._now = now
        self._is_read = False
        try:
            self._abort(ClosedBy.LOCAL, CloseReason.INTERNAL_ERROR, None, text)
        except Exception:
            code = EndReason.INTERNAL_ERROR
            self._finish(SessionEnd(ClosedBy.LOCAL, CloseReason.INTERNAL_ERROR, code, text, is_confirmed=False))

    def tick(self, now: float) -> None:
        """What is due now."""
        if self.phase is Phase.ENDED:
            return
        self._now = now
        if self._pings_run:
            self._heard = max(self._heard, now - self.transport.silence())
        if now >= self._setup_deadline:
            self._on_setup_timeout()
        elif self._is_closing_over():
            self._give_up_closing()
        elif self._pings_run and now >= self._heard + self._ping_timeout:
            self._abort(ClosedBy.PROBLEM, CloseReason.CLIENT_UNRESPONSIVE, None, "the peer's program does not answer")
        else:
            if self._pings_run and not self._ping_is_out and now >= self._heard + self._ping_timeout / _PING_PART:
                self._ping()
            if now >= self._answer_at:
                self._say_goodbye_with(Bye(CloseReason.ABORTED, EndReason.APP_GENERIC, "", {}, b""))
            self._progress()

    @property
    def next_tick(self) -> float:
        """When tick() is to be called, at the latest; infinite: never. What comes may put it off."""
        if self.phase is Phase.ENDED:
            return inf
        ping_at = inf
        if self._pings_run:
            ping_at = self._heard + (self._ping_timeout if self._ping_is_out else self._ping_timeout / _PING_PART)
        return min(self._setup_deadline, self._look_at, self._close_at, self._give_up_at, self._answer_at, ping_at)

    # ---- what goes out ----

    def flush(self, now: float) -> None:
        """Sends what waits, as far as there is room and credit."""
        if self.phase is Phase.ENDED:
            return
        self._now = now
        self._progress()

    def ask_for_room(self) -> None:
        """After something was put into the outbox."""
        if self.outbox.waits_for_room:
            self.transport.request_room_event()

    def acknowledge(self, now: float) -> None:
        """After the application has taken a message: once Inbox.is_ack_due."""
        self._now = now
        self._acknowledge()
        self._progress()

    @property
    def delivered_end(self) -> SessionEnd | None:
        """The end as the application is to know it, once it has taken all messages before it."""
        if self.end is not None:
            return self.end
        goodbye = self._peers_goodbye
        if goodbye is None or len(self.inbox) or self.inbox.handled != goodbye.last:
            return None
        return self._agreed_end(goodbye)

    @property
    def expected_end(self) -> SessionEnd | None:
        """The end as far as it is known, whatever the application has still to take before it."""
        if self.end is not None:
            return self.end
        if self._peers_goodbye is not None:
            return self._agreed_end(self._peers_goodbye)
        ours = self._goodbye
        if ours is None:
            return None
        return SessionEnd(ClosedBy.LOCAL, reason_of(ours.reason), ours.code, ours.text, is_confirmed=False)

    def has_delivered(self, end: SessionEnd) -> bool:
        """Whether the application was told that end, which may since have turned out to be another."""
        goodbye = self._peers_goodbye
        return end == self.expected_end or (goodbye is not None and end == self._agreed_end(goodbye))

    @property
    def may_send(self) -> bool:
        """Whether messages may be sent, or wait until they may."""
        return self._goodbye is None and self.phase is not Phase.ENDED

    @property
    @abstractmethod
    def session_id(self) -> bytes:
        """16 bytes, chosen by the server."""

    @property
    @abstractmethod
    def peer_data(self) -> bytes:
        """What the other application has given at the set-up."""

    def close(self, reason: CloseReason, code: int, text: str, data: bytes, now: float) -> None:
        """Says goodbye, after all that was sent. In answer to the peer's goodbye, only the data is said."""
        if self.phase is Phase.ENDED or not self._is_read:
            return
        self._now = now
        self._is_read = False
        self.watches_data = True
        try:
            if self.phase is Phase.SETTING_UP:
                self._abort(ClosedBy.LOCAL, reason, code, text)
                return
            if self._goodbye is None:
                self._say_goodbye_with(Bye(reason, code, text, {}, data))
            self._progress()
        except Exception:
            self.fail("the goodbye could not be said", now)
            raise

    def abort(self, code: int, text: str, now: float) -> None:
        """Drops everything."""
        if self.phase is Phase.ENDED:
            return
        self._now = now
        self._is_read = False
        self._abort(ClosedBy.LOCAL, CloseReason.ABORTED, code, text)

    # ---- set-up: client and server differ ----

    @abstractmethod
    def _on_setup_frame(self, frame: Frame) -> bool:
        """Whether it was one of the set-up, and right now. Errors: Violation."""

    @abstractmethod
    def _check_speaks(self, message: bytes) -> None:
        """Whether that, empty for data, can come from one who speaks the protocol. Errors: Violation."""

    @abstractmethod
    def _takes_data(self) -> bool:
        """Whether messages of the application may come now."""

    @abstractmethod
    def _on_setup_timeout(self) -> None:
        """The peer, or the application, was too slow."""

    def _establish(self, credit_bytes: int, credit_messages: int) -> None:
        self.phase = Phase.ESTABLISHED
        self.was_established = True
        self.outbox.open(credit_bytes, credit_messages)
        self._setup_deadline = inf
        self._heard = self._now
        self.watches_data = False

    @property
    def _pings_run(self) -> bool:
        return self._ping_timeout > 0 and self.phase is Phase.ESTABLISHED

    # ---- frames ----

    def _on_frame(self, frame: Frame, message: Message) -> None:
        if isinstance(frame, Data | Untracked | Keyed):
            self._check_takes_data()
            self._on_data_frame(frame, message)
            return
        if not message.reliable or message.lane != 0:
            raise Violation(f"{type(frame).__name__} came unreliably, or on lane {message.lane}")
        if self._on_setup_frame(frame):
            return
        name = type(frame).__name__
        if self.phase is Phase.SETTING_UP:
            raise Violation(f"{name} came before the session was established")
        if isinstance(frame, Ack):
            self._on_ack(frame)
        elif isinstance(frame, Pong):
            if not self._ping_is_out or frame.number != self._pings:
                raise Violation("Pong came without Ping")
            self._ping_is_out = False
        elif self._peers_goodbye is not None:
            raise Violation(f"{name} came after the goodbye")
        elif isinstance(frame, Ping):
            self._count_frame()
            # Who pings waits for the answer, so there is never more than one that waits to be sent.
            if any(each[0] == Pong.PREFIX[0] for each in self._control):
                raise Violation("Ping came before the answer to the one before")
            self._acknowledge(asked=True)
            self.queue_frame(Pong(frame.number))
        elif isinstance(frame, GoAway) and self.is_client:
            self._count_frame()
            self.going_away = frame
        elif isinstance(frame, Bye) or (isinstance(frame, ByeAck) and self._said_bye):
            self._on_goodbye(frame)
        else:
            raise Violation(f"{name} came where it is not allowed")

    def _count_frame(self) -> None:
        """Errors: Violation, if too many came that say nothing new."""
        left = self._frames_left + (self._now - self._frames_left_at) * _FRAME_RATE
        self._frames_left = min(left, float(_FRAME_BURST)) - 1.0
        self._frames_left_at = self._now
        if self._frames_left < 0:
            raise Violation("too many control frames", CloseReason.RATE_LIMITED)

    def _on_ack(self, ack: Ack) -> None:
        if not self.outbox.acked(ack):
            self._count_frame()
        if (
            ack.credit_bytes == ack.credit_messages == LAST_CREDIT
            and self._has_said_goodbye
            and self._peers_goodbye is not None
            and ack.handled == self.transport.sent()
        ):
            self._peer_has_confirmed = True

    def _check_takes_data(self) -> None:
        if not self._takes_data():
            raise Violation("a message came before the session was established")

    def _on_data_frame(self, frame: Data | Untracked | Keyed, message: Message) -> None:
        _check_lane(message)
        key = frame.key if isinstance(frame, Keyed) else b""
        size, most = len(key) + len(frame.payload), self.config.max_message
        if isinstance(frame, Data) and not message.reliable:
            raise Violation("Data came unreliably")
        if size > most:
            raise Violation(f"a message of {size} bytes came, {most} are the most", CloseReason.MESSAGE_TOO_LARGE)
        if isinstance(frame, Keyed):
            # GNS sends long ones reliably, whatever they are sent as.
            self.inbox.add_unreliable(message._replace(data=frame.payload, reliable=False), key)
            return
        # The transport has left it, so it must not come now.
        lane = message.lane
        expected = self.inbox.received.get(lane, 0) + 1
        if isinstance(frame, Data) and frame.sequence != expected:
            raise Violation(
                f"message {frame.sequence} of lane {lane} came where {expected} was expected", CloseReason.LOST_MESSAGES
            )
        raise Violation("a message came without credit", CloseReason.MESSAGE_QUEUE_LIMIT_REACHED)

    def _on_goodbye(self, goodbye: Bye | ByeAck) -> None:
        for lane, number in self.inbox.received.items():
            if number > goodbye.last.get(lane, 0):
                raise Violation(f"message {number} of lane {lane} came after the last one", CloseReason.LOST_MESSAGES)
        if sum(goodbye.last.values()) > self._granted[1]:
            raise Violation("the goodbye counts messages for which there was no credit", CloseReason.LOST_MESSAGES)
        self._peers_goodbye = goodbye
        self.watches_data = True
        self.phase = Phase.CLOSING
        if self._goodbye is None:
            self._answer_at = self._now + self.config.close_timeout * _ANSWER_PART

    def _on_violation(self, violation: Violation) -> None:
        self._abort(ClosedBy.LOCAL, violation.reason, None, violation.text, linger=True)

    # ---- on and on ----

    def _progress(self) -> None:
        """All that can be done now."""
        if self.phase is Phase.ENDED:
            return
        if not self._is_read:
            self._discard()
        self._flush()
        goodbye = self._goodbye
        if goodbye is None or self._control or not self.outbox.is_empty:
            return
        theirs = self._peers_goodbye
        if not self._has_said_goodbye:
            self._has_said_goodbye = True
            last = self.transport.sent()
            self._said_bye = theirs is None
            self.queue_frame(replace(goodbye, last=last) if self._said_bye else ByeAck(last, goodbye.data))
        if theirs is None or self.inbox.received != theirs.last:
            self._flush()
            return
        if not self._has_confirmed:
            self._has_confirmed = True
            self.queue_frame(Ack(self.inbox.received.copy(), LAST_CREDIT, LAST_CREDIT))
        self._flush()
        if self._peer_has_confirmed and not self._control:
            end = self._agreed_end(theirs)
            self._abort_with(end, end.code, truncate_text(end.text), linger=True)

    def _flush(self) -> None:
        try:
            while self._control:
                self.transport.send(self._control[0], 0, True, False)
                self._control.popleft()
        except SendQueueFull:
            self.transport.request_room_event()
            return
        if self.phase is not Phase.SETTING_UP:
            try:
                self.outbox.flush()
            except MessageTooLarge as error:  # send_buffer_size was lowered since it was taken
                self._abort(ClosedBy.LOCAL, CloseReason.MESSAGE_TOO_LARGE, None, str(error))
                return
            self.ask_for_room()

    def queue_frame(self, frame: Frame) -> None:
        self._control.append(frame.encode())

    def _say_goodbye_with(self, goodbye: Bye) -> None:
        self.phase = Phase.CLOSING
        self._goodbye = goodbye
        self.watches_data = True
        self.outbox.close()
        self._answer_at = inf
        self._watch_closing()

    def _ping(self) -> None:
        self._ping_is_out = True
        self._pings += 1
        self.queue_frame(Ping(self._pings))

    def _acknowledge(self, *, asked: bool = False) -> None:
        """Say what was handled if that is due, or, asked, if it is news."""
        if self._has_confirmed:  # with an ACK that no other may follow
            return
        inbox = self.inbox
        due, handled = inbox.acks_due, inbox.handled.copy()
        if due != inbox.acks_sent:
            self._granted = self.transport.grant(due)
        elif not asked or handled == self._acked:
            return
        self.queue_frame(Ack(handled, *self._granted))
        self._acked = handled
        inbox.acks_sent = due

    def _discard(self) -> None:
        """Where nobody reads any more, what has come counts as handled, so that the peer gets to its end."""
        self.inbox.discard()
        self._acknowledge()

    # ---- how long closing may take ----

    def _watch_closing(self) -> None:
        waiting, _ = self.outbox.waiting
        timeout = self.config.close_timeout
        self._give_up_at = (
            self._now + _CLOSE_TIMEOUTS * timeout + (waiting + self.transport.outstanding()[0]) / _SLOWEST
        )
        self._note_progress()

    def _note_progress(self) -> None:
        self._close_at = self._now + self.config.close_timeout
        self._look_at = self._now + self.config.close_timeout / _LOOKS
        self._progress_seen = self._progress_now()

    def _progress_now(self) -> tuple[int, ...]:
        """What changes while there is progress: what is left of this end's messages, what has come of the peer's."""
        return (
            *self.outbox.waiting,
            self.outbox.unacked,
            *self.transport.outstanding(),
            sum(self.inbox.received.values()),
            self._peers_goodbye is not None,
            self._peer_has_confirmed,
        )

    def _is_closing_over(self) -> bool:
        """Whether the time for it is over: without progress, or in all."""
        if self._now < min(self._look_at, self._give_up_at):
            return False
        if self._now >= self._give_up_at:
            return True
        if self._progress_now() != self._progress_seen:
            self._note_progress()
            return False
        self._look_at = min(self._now + self.config.close_timeout / _LOOKS, self._close_at)
        if self._now >= self._close_at:
            return True
        if not self._has_said_goodbye and not self._ping_is_out:
            self._ping()  # what waits for credit learns so how far the peer has come
        return False

    def _give_up_closing(self) -> None:
        """Without the peer's confirmation nobody is told that all went well, whatever was said."""
        end = self.expected_end
        assert end is not None  # there was a goodbye, this end's or the peer's
        lost = self._count_undelivered()
        waiting = self.outbox.waiting[0] + self.transport.outstanding()[0]
        text = (
            f"given up with {lost} messages, {waiting} bytes, not delivered" if lost else "given up without an answer"
        )
        text = f"{end.text}; {text}" if end.text else text
        self._abort(ClosedBy.LOCAL, CloseReason.ABORTED, end.code, text, linger=True)

    def _count_undelivered(self) -> int:
        """How many reliable messages of this end have not arrived, as far as is known while the connection lives."""
        if self._peer_has_confirmed:
            return 0
        _, waiting = self.outbox.waiting
        return min(self.outbox.unacked, waiting + self.transport.outstanding()[1])

    # ---- the end ----

    def _agreed_end(self, theirs: Bye | ByeAck) -> SessionEnd:
        """Once both goodbyes are known, or the peer's, which was first."""
        ours = self._goodbye
        if isinstance(theirs, Bye) and (ours is None or not self._said_bye or not self.is_client):
            return SessionEnd(ClosedBy.PEER, reason_of(theirs.reason), theirs.code, theirs.text, theirs.data)
        assert ours is not None  # an answer comes to a goodbye only
        return SessionEnd(ClosedBy.LOCAL, reason_of(ours.reason), ours.code, ours.text, theirs.data)

    def _abort(
        self, closed_by: ClosedBy, reason: CloseReason, code: int | None, text: str, *, linger: bool = False
    ) -> None:
        undelivered = self._count_undelivered()
        number = reason.native_code if code is None else code
        end = SessionEnd(closed_by, reason, number, text, undelivered=undelivered, is_confirmed=False)
        self._abort_with(end, reason.native_code, connection_end_text(code or 0, text), linger=linger)

    def _abort_with(self, end: SessionEnd, code: int, text: str, *, linger: bool) -> None:
        try:
            self.transport.close(code, text, linger)
        finally:
            self._finish(end)

    def _finish(self, end: SessionEnd) -> None:
        self.phase = Phase.ENDED
        self.watches_data = True
        self.end = end
        self._control.clear()
        self.outbox.clear()
        if not self._is_read:
            self.inbox.clear()


def _check_lane(message: Message) -> None:
    """Errors: Violation. GNS has one lane more than a frame can name."""
    if message.lane > MAX_LANE:
        raise Violation(f"a message came on lane {message.lane}: {MAX_LANE} is the highest")
