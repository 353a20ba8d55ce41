"""Sans-IO session engine: takes frames and times, produces frames and an end. No clock, no thread.

Two rules:

1. Everything that changes the state of a session starts here, in a method that gets the time. The parts (keep-alive,
   goodbyes, time limits, queues) keep records and answer questions; only an engine sends frames and closes.
2. This file does not know which end it is. ClientEngine and ServerEngine have what differs, above all the handshake.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from math import inf

from ..._generated.enums import EndReason
from ...end import ClosedBy, ConnectionEnd
from ...errors import MessageTooLarge, SendQueueFull
from ...message import Message
from .acks import Acknowledger
from .closing import ClosingStatus, ClosingTimer
from .config import SessionConfig
from .fields import FrameError
from .frames import Ack, Bye, ByeAck, Data, Frame, Keyed, Ping, Pong, Untracked, decode
from .inbox import Inbox
from .keep_alive import KeepAlive
from .outbox import Outbox
from .reasons import CloseReason, SessionEnd, connection_end_text, end_of_connection, truncate_text
from .state import Phase, SessionState
from .transport import Transport
from .violation import FrameBudget, Violation, check_keyed, check_lane


class Engine(SessionState):
    """The base of both ends. Times are seconds of any clock that never goes back."""

    def __init__(self, transport: Transport, config: SessionConfig, now: float) -> None:
        super().__init__(Inbox(config.unreliable_queue, config.unreliable_queue_bytes))
        self.transport = transport
        self.config = config
        self.inspects_data = True
        """True while messages must go through receive_data(): until established, and from the first goodbye on."""
        self.outbox = Outbox(transport, config)
        self.keep_alive = KeepAlive(now)
        self._acks = Acknowledger(self.inbox, transport, config.credit_bytes, config.credit_messages)
        self._closing = ClosingTimer(config.close_timeout)
        self._frame_budget = FrameBudget(now)
        self._control: deque[bytes] = deque()
        self._now = now
        self._setup_deadline = inf
        self._is_read = True  # by the application
        transport.begin(config.max_message, config.credit_bytes, config.credit_messages)

    # ---- what arrives ----

    def receive(self, message: Message, now: float) -> None:
        """Take a frame that the transport has left to the engine."""
        if self.phase in (Phase.DROPPED, Phase.ENDED):  # it is of the connection that is given up
            return
        self._now = now
        self.keep_alive.note_sign(now)
        try:
            if self.phase is Phase.SETTING_UP:
                self._check_speaks_protocol(message.data)
            self._on_frame(decode(message.data), message)
            self._progress()
        except (FrameError, Violation) as error:
            self._on_violation(error if isinstance(error, Violation) else Violation(str(error)))

    def receive_data(self, message: Message, now: float, *, is_ack_due: bool = False) -> None:
        """Take what has arrived in DATA or UNTRACKED, while ``inspects_data``."""
        if self.phase is Phase.ENDED:
            return
        self._now = now
        try:
            if self.phase is Phase.SETTING_UP:
                self._check_speaks_protocol(b"")
            self._check_accepts_data()
            check_lane(message)
            goodbye = self.goodbyes.theirs
            if goodbye is not None and message.reliable and message.number > goodbye.last.get(message.lane, 0):
                raise Violation("Data arrived after the last one", CloseReason.LOST_MESSAGES)
            if message.reliable:
                self.inbox.add(message, is_ack_due=is_ack_due)
            else:
                self.inbox.add_unreliable(message)
            self._progress()
        except Violation as violation:
            self._on_violation(violation)

    def connection_ended(self, end: ConnectionEnd, now: float) -> None:
        """Take the end of the connection."""
        if self.phase is Phase.ENDED:
            return
        self._now = now
        self._on_connection_end(end_of_connection(end, is_client=self.is_client))

    def _on_connection_end(self, end: SessionEnd) -> None:
        undelivered = 0 if self.goodbyes.is_confirmed else self.outbox.unacked
        self._finish(replace(end, undelivered=undelivered))

    def fail(self, text: str, now: float) -> None:
        """End the session because this end cannot handle something. Raises nothing."""
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
        """Do what is due."""
        if self.phase is Phase.ENDED:
            return
        self._now = now
        is_pinging, keep_alive = self._is_pinging, self.keep_alive
        if is_pinging:
            keep_alive.note_sign(now - self.transport.silence())
        if now >= self._setup_deadline:
            self._on_setup_timeout()
        elif self._is_closing_over():
            self._give_up_closing()
        elif is_pinging and keep_alive.is_lost(now):
            self._on_silence("the peer's program does not answer")
        else:
            if is_pinging and keep_alive.is_ping_due(now):
                self.queue_frame(keep_alive.ping())
            if now >= self._closing.answer_at:
                self._say_goodbye(Bye(CloseReason.ABORTED, EndReason.APP_GENERIC, "", {}, b""))
            self._progress()

    def _on_silence(self, text: str) -> None:
        self._abort(ClosedBy.PROBLEM, CloseReason.CLIENT_UNRESPONSIVE, None, text)

    @property
    def next_tick(self) -> float:
        """When to call tick() at the latest; infinite: never. Anything that arrives can move it further away."""
        if self.phase is Phase.ENDED:
            return inf
        ping_at = self.keep_alive.next_at if self._is_pinging else inf
        return min(self._setup_deadline, self._closing.next_at, ping_at)

    # ---- what goes out ----

    def flush(self, now: float) -> None:
        """Send the frames that wait, as far as room and credit allow."""
        if self.phase is Phase.ENDED:
            return
        self._now = now
        self._progress()

    def ask_for_room(self) -> None:
        """Ask the transport to announce room if the outbox needs it. Call this after putting a message in."""
        if self.outbox.waits_for_room:
            self.transport.request_room_event()

    def acknowledge(self, now: float) -> None:
        """Send the ACK that is due after the application has taken a message (``Inbox.is_ack_due``)."""
        self._now = now
        if self.is_connected:
            self._acknowledge()
        self._progress()

    def close(self, reason: CloseReason, code: int, text: str, data: bytes, now: float) -> None:
        """Say goodbye, after all that was sent. In answer to the peer's goodbye, only the data is sent."""
        if self.phase is Phase.ENDED or not self._is_read:
            return
        self._now = now
        self._is_read = False
        self.inspects_data = True
        try:
            if self.phase is Phase.SETTING_UP:
                self._abort(ClosedBy.LOCAL, reason, code, text)
                return
            if self.goodbyes.ours is None:
                self._say_goodbye(Bye(reason, code, text, {}, data))
            self._progress()
        except Exception:
            self.fail("the goodbye could not be said", now)
            raise

    def abort(self, code: int, text: str, now: float) -> None:
        """End the session at once and drop everything."""
        if self.phase is Phase.ENDED:
            return
        self._now = now
        self._is_read = False
        self._abort(ClosedBy.LOCAL, CloseReason.ABORTED, code, text)

    # ---- what differs between the ends ----

    @abstractmethod
    def _on_setup_frame(self, frame: Frame) -> bool:
        """Take a frame of the handshake and return True, or return False once that is over. May raise Violation."""

    @abstractmethod
    def _check_speaks_protocol(self, message: bytes) -> None:
        """Raise a Violation that helps strangers, if this first message (empty: data) is not of the protocol."""

    @abstractmethod
    def _accepts_data(self) -> bool:
        """Return whether messages of the application may arrive now."""

    @abstractmethod
    def _on_setup_timeout(self) -> None:
        """End the session: the peer, or the application, was too slow."""

    def _on_other_frame(self, frame: Frame) -> None:
        """Take a frame that only one of the ends may send, or raise Violation."""
        raise Violation(f"{type(frame).__name__} arrived where it is not allowed")

    def _establish(self, credit_bytes: int, credit_messages: int) -> None:
        self.phase = Phase.ESTABLISHED
        self.was_established = True
        self.outbox.open(credit_bytes, credit_messages)
        self._setup_deadline = inf
        self.keep_alive.note_sign(self._now)
        self.inspects_data = False

    @property
    def _is_pinging(self) -> bool:
        return self.keep_alive.timeout > 0 and self.phase is Phase.ESTABLISHED

    # ---- frames ----

    def _on_frame(self, frame: Frame, message: Message) -> None:
        if isinstance(frame, Data | Untracked | Keyed):
            self._check_accepts_data()
            inbox = self.inbox
            keyed = check_keyed(frame, message, inbox.received, self.config.max_message, inbox.comes_again)
            # GNS sends long ones reliably, whatever they are sent as.
            self.inbox.add_unreliable(message._replace(data=keyed.payload, reliable=False), keyed.key)
            return
        name = type(frame).__name__
        if not message.reliable or message.lane != 0:
            raise Violation(f"{name} arrived unreliably, or on lane {message.lane}")
        if self._on_setup_frame(frame):
            return
        if not self.is_connected:
            raise Violation(f"{name} arrived before the session was established")
        if isinstance(frame, Ack):
            self._on_ack(frame)
        elif isinstance(frame, Pong):
            self.keep_alive.take_pong(frame)
        elif self.goodbyes.has_arrived:
            raise Violation(f"{name} arrived after the goodbye")
        elif isinstance(frame, Ping):
            self._frame_budget.spend(self._now)
            # An end that pings waits for the answer, so there is never more than one that waits to be sent.
            if any(each[0] == Pong.PREFIX[0] for each in self._control):
                raise Violation("Ping arrived before the answer to the previous one")
            self._acknowledge(asked=True)
            self.queue_frame(Pong(frame.number))
        elif isinstance(frame, Bye | ByeAck) and self.goodbyes.may_be_theirs(frame):
            self._on_goodbye(frame)
        else:
            self._on_other_frame(frame)

    def _on_ack(self, ack: Ack) -> None:
        if not self.outbox.acked(ack):
            self._frame_budget.spend(self._now)
        if self.goodbyes.may_confirm(ack) and ack.handled == self.transport.sent():
            self.goodbyes.is_confirmed = True

    def _check_accepts_data(self) -> None:
        if not self._accepts_data():
            raise Violation("a message arrived before the session was established")

    def _on_goodbye(self, goodbye: Bye | ByeAck) -> None:
        self.goodbyes.take(goodbye, self.inbox.received, self._acks.granted_messages)
        self.inspects_data = True
        self.phase = Phase.CLOSING
        if self.goodbyes.ours is None:
            self._closing.wait_for_answer(self._now)

    def _on_violation(self, violation: Violation) -> None:
        self._abort(ClosedBy.LOCAL, violation.reason, None, violation.text, linger=True)

    # ---- progress ----

    def _progress(self) -> None:
        """Do all that can be done now."""
        if not self.is_connected:
            self._flush()
            return
        if not self._is_read:
            # The application has stopped reading: what arrives counts as handled, so that the peer gets to its end.
            self.inbox.discard()
            self._acknowledge()
        self._flush()
        goodbyes = self.goodbyes
        if goodbyes.ours is None or self._control or not self._catch_up() or not self.outbox.is_empty:
            return
        if goodbyes.is_due and self._may_say_goodbye():
            self.queue_frame(goodbyes.say(self.transport.sent()))
        if not goodbyes.is_said or goodbyes.theirs is None or not self._has_all_up_to(goodbyes.theirs.last):
            self._flush()
            return
        if not goodbyes.has_confirmed:
            self.queue_frame(goodbyes.confirm(self.inbox.received))
        self._flush()
        end = goodbyes.agreed_end
        if goodbyes.is_confirmed and not self._control and end is not None:
            self._abort_with(end, end.code, truncate_text(end.text), linger=True)

    def _may_say_goodbye(self) -> bool:
        """Return whether this end's goodbye can be said now, apart from what must go before it."""
        return True

    def _has_all_up_to(self, last: Mapping[int, int]) -> bool:
        """Return whether this end can confirm the peer's goodbye, which has these numbers."""
        return self.inbox.received == last

    def _catch_up(self) -> bool:
        """Send what must go before the outbox, and return whether all of that is on its way."""
        return self.is_connected

    def _flush(self) -> None:
        if self.phase in (Phase.DROPPED, Phase.ENDED):
            return
        try:
            while self._control:
                self.transport.send(self._control[0], 0, True, False)
                self._control.popleft()
        except SendQueueFull:
            self.transport.request_room_event()
            return
        if self._catch_up():
            try:
                self.outbox.flush()
            except MessageTooLarge as error:  # send_buffer_size was lowered after the message was taken
                self._abort(ClosedBy.LOCAL, CloseReason.MESSAGE_TOO_LARGE, None, str(error))
                return
            self.ask_for_room()

    def queue_frame(self, frame: Frame) -> None:
        """Queue a control frame, to be sent by the next flush."""
        self._control.append(frame.encode())

    def _acknowledge(self, *, asked: bool = False) -> None:
        """Queue an ACK if one is due, or, if the peer has asked, if it has something new to say."""
        if self.goodbyes.last_ack is not None:  # no other may follow it
            return
        if (ack := self._acks.take_due(asked=asked)) is not None:
            self.queue_frame(ack)

    # ---- closing ----

    def _say_goodbye(self, goodbye: Bye) -> None:
        self.goodbyes.ours = goodbye
        if self.is_connected:
            self.phase = Phase.CLOSING
        self.inspects_data = True
        self.outbox.close()
        self._closing.start(self._now, self.outbox.backlog_bytes, self._measure_progress())

    def _measure_progress(self) -> tuple[int, ...]:
        """Return what changes while closing goes on: what is left of this end's messages, what has arrived."""
        return (
            *self.outbox.measure_progress(),
            sum(self.inbox.received.values()),
            self.goodbyes.theirs is not None,
            self.goodbyes.is_confirmed,
        )

    def _is_closing_over(self) -> bool:
        status = self._closing.check(self._now, self._measure_progress)
        is_asking = self.keep_alive.is_waiting or not self.is_connected
        if status is ClosingStatus.STALLED and not self.goodbyes.is_said and not is_asking:
            # Messages wait for credit: the answer reports how far the peer has read.
            self.queue_frame(self.keep_alive.ping())
        return status is ClosingStatus.OVER

    def _give_up_closing(self) -> None:
        """End without the peer's confirmation, and so never as ok, whatever was said."""
        end = self.expected_end
        assert end is not None  # there was a goodbye, this end's or the peer's
        text = "given up without an answer"
        if lost := self._count_undelivered():
            text = f"given up with {lost} messages, {self.outbox.backlog_bytes} bytes, not delivered"
        text = f"{end.text}; {text}" if end.text else text
        # A session that made way for another one did so, whether or not its peer has answered.
        reason = CloseReason.SESSION_TAKEN_OVER
        self._abort(
            ClosedBy.LOCAL, reason if end.reason is reason else CloseReason.ABORTED, end.code, text, linger=True
        )

    def _count_undelivered(self) -> int:
        return 0 if self.goodbyes.is_confirmed else self.outbox.count_undelivered()

    # ---- the end ----

    def _abort(
        self, closed_by: ClosedBy, reason: CloseReason, code: int | None, text: str, *, linger: bool = False
    ) -> None:
        undelivered = self._count_undelivered()
        number = reason.native_code if code is None else code
        end = SessionEnd(closed_by, reason, number, text, undelivered=undelivered, is_confirmed=False)
        self._abort_with(end, reason.native_code, connection_end_text(code or 0, text), linger=linger)

    def _abort_with(self, end: SessionEnd, code: int, text: str, *, linger: bool) -> None:
        self.end, self.phase = (
            end,
            Phase.ENDED,
        )  # first: closing the connection may bring its end, which is not this one
        try:
            self.transport.close(code, text, linger)
        finally:
            self._finish(end)

    def _finish(self, end: SessionEnd) -> None:
        self.phase = Phase.ENDED
        self.inspects_data = True
        self.end = end
        self._control.clear()
        self.outbox.clear()
        self.transport.release()
        if not self._is_read:
            self.inbox.clear()
