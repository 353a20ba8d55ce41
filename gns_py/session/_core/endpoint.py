"""The internal end of a session: its engine, and what arrives for it. Nothing in here waits."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import weakref
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from ... import _native
from ..._core.connection import BaseConnection
from ..._core.diversion import Diversion, check_free
from ..._core.receiver import Backlog
from ..._core.sending import SendingConnection
from ..._generated.enums import EndReason
from ...end import ConnectionEnd
from ...errors import GNSError
from ...message import Message
from ..errors import SessionClosed, SessionFailed, session_closed_error, session_failed_error
from ..protocol.fields import MAX_LANE
from ..protocol.frames import MAX_KEY, Keyed, Untracked
from ..protocol.inbox import AckDue
from ..protocol.reasons import CloseReason, SessionEnd, connection_end_text
from ..protocol.resuming import Notice, ResumableEngine
from ..protocol.state import Phase
from ..protocol.transport import Transport
from .checks import check_goodbye
from .outages import NO_CALLBACKS, OutageCallbacks
from .transport import ConnectionTransport

_log = logging.getLogger("gns_py")
T = TypeVar("T")
EngineMaker = Callable[[Transport], ResumableEngine]


class SessionEndpoint(ABC):
    """The internal end of a session, and the sink of its connection's events; a Session is the application's view.

    It goes on with another connection in the class ResumableEndpoint.

    Sending and closing: any thread. Reading: one thread, or task, at a time. The application's object owns the
    endpoint; the endpoint refers to it weakly, so that dropping it is noticed at once.
    """

    readers: Any
    """True while a reader waits."""

    def __init__(self, connection: SendingConnection, make_engine: EngineMaker) -> None:
        self.connection = connection
        self.endpoint = BaseConnection.endpoint_of(connection)
        self.mailbox = self.endpoint.mailbox
        """Where the events of its connection wait: of each of them, one after another."""
        self.lock = threading.RLock()  # guards the engine; taken after the mailbox's turn, never before
        self.transport = ConnectionTransport(connection)
        self.engine = make_engine(self.transport)
        self.inbox = self.engine.inbox
        self.outbox = self.engine.outbox
        self._data, self._received = self.inbox.data, self.inbox.received  # close at hand, for each message
        self.inputs: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self.diversion: Diversion | None = None
        self.watcher: Callable[[Any], None] | None = None
        """Called with each change until the session is established, then with each change of its phase."""
        self.callbacks: OutageCallbacks = NO_CALLBACKS
        self._watched: Phase | None = None
        self._session: weakref.ref[Any] | None = None
        self._kept: object | None = None  # the application's object while it closes: see is_kept

    def __repr__(self) -> str:
        return repr(self.session) if self.session is not None else f"<session of {self.endpoint.peer}>"

    @property
    def session(self) -> object | None:
        """The application's object; None once it has been dropped."""
        return None if self._session is None else self._session()

    @property
    def is_kept(self) -> bool:
        """True while it closes: the application's object goes on even if the application drops it."""
        return self._kept is not None

    @property
    def is_established(self) -> bool:
        """True while both ends know that they have the session, and neither has said goodbye."""
        return self.engine.is_established

    def delivered_end(self) -> SessionEnd | None:
        """Return the end, once all messages before it have been taken."""
        with self.lock:
            return self.engine.delivered_end

    @property
    def has_ended(self) -> bool:
        """True once the session has ended."""
        return self.engine.phase is Phase.ENDED

    def belong_to(self, session: object) -> None:
        """Set the application's object, and begin to receive."""
        self._session = weakref.ref(session)
        self.endpoint.attach(self)
        self.on_change()

    def abandon(self) -> None:
        """Close the connection of a session that was dropped. Called at any moment, on any thread."""
        text = connection_end_text(0, "the session was dropped").encode()
        self.endpoint.abandon(CloseReason.ABORTED.native_code, text)
        self.transport.release()

    # ---- the connection's sink ----

    def on_data(self, message: Message, lane: int, number: int, backlog: Backlog) -> None:
        """See Sink."""
        if self.inputs or self.engine.inspects_data:
            self._put_off(message, False, backlog)
            return
        data = self._data
        data += (message,)  # one step
        self._received[lane] = number
        del backlog[0]
        if self.readers:
            self.wake_readers()

    def on_ack_due_data(self, message: Message, lane: int, number: int, backlog: Backlog) -> None:
        """See Sink."""
        if self.inputs or self.engine.inspects_data:
            self._put_off(message, True, backlog)
            return
        arrival, data = AckDue(message), self._data
        data += (arrival,)  # one step
        self._received[lane] = number
        del backlog[0]
        if self.readers:
            self.wake_readers()

    def on_untracked(self, message: Message, lane: int, number: int, backlog: Backlog) -> None:  # noqa: ARG002
        """See Sink."""
        if self.diversion is not None and self._concerns_diversion(message):
            del backlog[0]
            self.diversion.take(message.data)
            return
        if self.inputs or self.engine.inspects_data:
            self._put_off(message, False, backlog)
            return
        del backlog[0]
        self.inbox.add_unreliable(message)
        if self.readers:
            self.wake_readers()

    def _put_off(self, message: Message, is_ack_due: bool, backlog: Backlog) -> None:
        self.inputs += ((self._take_data, (message, is_ack_due)),)  # one step
        del backlog[0]
        self.work()

    def take_unreliable(self, message: Message) -> None:
        """See Sink. KEYED costs no more than UNTRACKED does, unless something else is to be done."""
        if self.diversion is not None and message.data[:1] == Untracked.PREFIX:  # which the core has not recognized
            inner = message._replace(data=message.data[1:])
            if self._concerns_diversion(inner):
                self.count_handled(message)
                self.diversion.take(inner.data)
                return
        data, config = message.data, self.engine.config
        end = 2 + data[1] if len(data) > 1 else 0
        if (
            len(data) < end
            or data[:1] != Keyed.PREFIX
            or not 1 <= data[1] <= MAX_KEY
            or not len(data) - 2 <= config.max_message
            or message.lane > MAX_LANE
            or self.engine.inspects_data
            or self.inputs
        ):
            self.inputs.append((self.take_message, (message,)))
            self.work()
            return
        self.count_handled(message)
        self.inbox.add_unreliable(message._replace(data=data[end:]), data[2:end])
        if self.readers:
            self.wake_readers()

    def take_message(self, message: Message) -> None:
        """See Sink."""
        self.count_handled(message)
        self.engine.receive(message, time.monotonic())

    def take_end(self, end: ConnectionEnd) -> None:
        """See Sink."""
        self.engine.connection_ended(end, time.monotonic())

    def take_room(self) -> None:
        """See Sink."""
        self.transport.say_farewell()
        self.engine.flush(time.monotonic())

    def _take_data(self, message: Message, is_ack_due: bool) -> None:
        self.engine.receive_data(message, time.monotonic(), is_ack_due=is_ack_due)

    def work(self) -> None:
        """See Sink."""
        self.run(self._work)

    def _work(self) -> None:
        with self.lock:
            while self.inputs:
                function, arguments = self.inputs[0]
                del self.inputs[0]
                try:
                    function(*arguments)
                except Exception as error:
                    self._fail(error)
        self.on_change()

    # ---- a part of the program that shares the session: see Divertible ----

    @property
    def is_over(self) -> bool:
        """See Divertible."""
        return self.has_ended

    @property
    def drops(self) -> int:
        """See Divertible."""
        return self.engine.drops

    def divert(self, diversion: Diversion) -> None:
        """See Divertible."""
        check_free(self)
        self.diversion = diversion

    def divert_waiting(self) -> None:
        """See Divertible."""
        if self.diversion is not None:
            for message in self.inbox.take_unreliable(self.diversion.concerns):
                self.diversion.take(message.data)

    def _concerns_diversion(self, message: Message) -> bool:
        # Before it is established, UNTRACKED is a violation, whatever is in it.
        return self.engine.was_established and self.diversion is not None and self.diversion.concerns(message)

    def send_aside(self, data: bytes) -> bool:
        """See Divertible: what would have to wait, in an outage for example, is dropped."""
        flags = _native.SEND_FRAMED | _native.SEND_NO_NAGLE
        return bool(_native.send(self.endpoint.handle, data, len(data), flags, 0) > 0)

    def read_if_idle(self) -> None:
        """See Divertible. An event loop always reads; and credit bounds what waits."""
        if not (self.mailbox.counts_until_handled or self.mailbox.is_read):
            self.mailbox.receive_if_idle()

    # ---- what the APIs add ----

    @abstractmethod
    def wake_readers(self) -> None:
        """Wake the threads or tasks that wait for messages."""

    @abstractmethod
    def announce_change(self) -> None:
        """Wake everyone who waits for a change (a message, the phase, room), and note the time of the next tick."""

    @abstractmethod
    def keep_alive(self) -> None:
        """Keep the session going until it has ended, even if the application drops it."""

    @abstractmethod
    def count_handled(self, message: Message) -> None:
        """Stop counting a message against the core's receive limits, if it still counts."""

    def run(self, function: Callable[..., T], *arguments: object) -> T:
        """Call a function that changes the engine: if possible, no signal handler's exception cuts it in two."""
        return function(*arguments)

    # ---- working with the engine ----

    def on_change(self) -> None:
        """Announce a change, and tell the watcher. Raises nothing."""
        try:
            self._announce_notices()
            self.announce_change()
        except Exception:
            _log.exception("a change of %r could not be announced", self)
        if self.has_ended:
            self._kept = None

    def _announce_notices(self) -> None:
        """Make the reader of the mailbox call the callbacks."""
        notices = self.engine.notices
        while notices:
            with contextlib.suppress(GNSError):  # stopped
                self.mailbox.announce(self, notices.popleft())

    def notify(self, notice: Notice) -> None:
        """Call the application's callback. An exception in it ends the session, and is logged."""
        session = self.session
        if session is None:
            return
        try:
            self.callbacks(session, notice)
        except Exception as error:
            self.run(self.fail_with, error, "a callback raised an exception")

    def notify_watcher(self) -> None:
        """Call the watcher if there is something for it."""
        phase = self.engine.phase
        if self.watcher is not None and (phase is Phase.SETTING_UP or phase is not self._watched):
            self._watched = phase
            self.watcher(self)

    def act(self, function: Callable[..., None], *arguments: object) -> None:
        """Call a method of the engine with the arguments and the time.

        An exception in it ends the session and is logged; it does not reach the caller.
        """
        with self.lock:
            try:
                function(*arguments, time.monotonic())
            except Exception as error:
                self._fail(error)
        self.on_change()

    def fail_with(self, error: Exception, text: str = "something in it cannot be handled") -> None:
        """End the session with INTERNAL_ERROR, and log why. Any thread."""
        with self.lock:
            self._fail(error, text)
        self.on_change()

    def _fail(self, error: Exception, text: str = "something in it cannot be handled") -> None:
        _log.error("%r is ended: %s", self, text, exc_info=error)
        self.engine.fail(text, time.monotonic())

    def tick(self) -> None:
        """Let the engine do what is due."""
        self.run(self.act, self.engine.tick)

    def take(self) -> Message | None:
        """Take the next message, or return None. Sends the acknowledgement that may then be due."""
        inbox = self.inbox
        message = inbox.take()
        return self.acknowledge(message) if inbox.acks_due != inbox.acks_sent else message

    def acknowledge(self, message: Message | None) -> Message | None:
        """Send the ACK that is due after this message was taken, and return the message."""
        try:
            self.run(self._acknowledge)
        except BaseException:  # a signal handler's
            if message is not None:
                self.inbox.put_back(message)
            raise
        return message

    def _acknowledge(self) -> None:
        with self.lock:
            try:
                self.engine.acknowledge(time.monotonic())
                return
            except Exception as error:
                self._fail(error)
        self.on_change()

    def is_drained(self) -> bool:
        """Return whether no message waits for the peer to read; raise SessionClosed once none may be sent."""
        with self.lock:
            if not self.engine.may_send:
                raise self.closed_error()
            return self.outbox.is_empty and not self.engine.is_behind

    # ---- the end ----

    def begin_close(self, code: int, text: str, data: bytes, *, reason: CloseReason | None = None) -> None:
        """Say goodbye. Raises TypeError or ValueError for arguments that cannot be sent."""
        check_goodbye(code, text, data)
        if _native.is_forked():  # it is the parent's
            return
        if code == EndReason.INTERNAL_ERROR:
            reason = CloseReason.INTERNAL_ERROR
        elif reason is None:
            reason = CloseReason.CLOSED_BY_CLIENT if self.engine.is_client else CloseReason.CLOSED_BY_SERVER
        self.run(self._say_goodbye, reason, code, text, data)

    def _say_goodbye(self, reason: CloseReason, code: int, text: str, data: bytes) -> None:
        self.stay_until_ended()
        try:
            with self.lock:
                self.engine.close(reason, code, text, data, time.monotonic())
        finally:
            self.on_change()

    def stay_until_ended(self) -> None:
        """Keep the session, which says goodbye, even if the application drops it."""
        self._kept = self.session
        self.keep_alive()

    def abort(self, code: int, text: str) -> None:
        """End the session at once. See Session.abort()."""
        check_goodbye(code, text, b"")
        if _native.is_forked():
            return
        self.run(self.act, self.engine.abort, code, text)

    def is_own_end(self, error: BaseException) -> bool:
        """Return whether an exception reports only the end of this session, or of its connection."""
        if isinstance(error, SessionClosed):
            return self.engine.has_delivered(error.end)
        return self.endpoint.is_own_end(error)

    def failed_error(self) -> SessionFailed:
        """Return the exception for a session that was not established."""
        end = self.engine.end
        assert end is not None
        going_away = self.engine.going_away
        addresses = () if going_away is None else going_away.addresses
        return session_failed_error(end, rejected=self.engine.rejected, addresses=addresses)

    def closed_error(self) -> SessionClosed:
        """Return the exception for a session that has ended."""
        end = self.engine.expected_end
        assert end is not None
        return session_closed_error(end)
