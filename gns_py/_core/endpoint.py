"""The internal end of a connection: its handle, its inbox, its closing. Nothing in here waits."""

from __future__ import annotations

import contextlib
import logging
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from .. import _native
from .._generated.enums import ConnectionState, EndReason, Result
from ..end import ClosedBy, ConnectionEnd, end_of
from ..errors import ConnectionClosed, InvalidStateError, MessageTooLarge, SendQueueFull, closed_error
from ..events import MessageReceived, SendFailed, StatusChanged
from ..message import Message, MessageView, with_bytes
from ..stats import ConnectionInfo, SendQueue
from .callbacks import NeverRunError
from .checks import StatusCallback, check_goodbye
from .mailbox import Backlog, Mailbox
from .sink import Sink
from .waiting import take, take_matching

if TYPE_CHECKING:
    from .connection import BaseConnection

_log = logging.getLogger("gns_py")
_ALIVE = (ConnectionState.CONNECTING, ConnectionState.FINDING_ROUTE, ConnectionState.CONNECTED)


class Wakeable(Protocol):
    """Tasks that wait for something."""

    def __len__(self) -> int: ...

    def wake(self) -> None: ...


class Group(Protocol):
    """A poll group."""

    def discard(self, endpoint: Endpoint) -> None:
        """Take notice that the connection is no longer a member."""


class Endpoint:
    """The internal end of a connection; a Connection, or a Session, is the application's view of it.

    Sending and closing: any thread. Everything that reads: one thread at a time. The application's object owns the
    endpoint; the endpoint refers to it weakly, so that dropping it is noticed at once.
    """

    def __init__(
        self, mailbox: Mailbox, handle: int, info: ConnectionInfo | None, on_status_changed: StatusCallback | None
    ) -> None:
        self.handle = handle
        self.mailbox = mailbox
        self.inbox: deque[Message | MessageView] = deque()
        self.events: deque[Any] | None = None  # where messages and changes go instead, for a poll()
        self.group: Group | None = None  # the poll group that reads it
        self.sink: Sink | None = None
        self.own_readers: Wakeable | tuple[()] = ()  # tasks that receive from it, if they are tasks
        self.readers: Wakeable | tuple[()] = ()  # these, or those of a poll group
        self.watchers: Wakeable | tuple[()] = ()  # tasks that wait for a change of state, a pong, or room
        self.takes_views = False
        self.count_handled = partial(_native.handled, handle)
        """Called with counts of messages and bytes: they count no longer against the bounds of what waits."""
        self.on_data: Callable[[Message, Backlog], None] = _drop
        self.on_ack_due_data: Callable[[Message, Backlog], None] = _drop
        self.is_established = False
        self.is_closed_here = False
        self.end: ConnectionEnd | None = None  # once its event has been dispatched
        self.last_info = info
        self.lanes = 1
        self.pongs = 0
        self.round_trip = 0.0  # of the last pong, in seconds
        self._connection: weakref.ref[BaseConnection] | None = None
        self._on_status_changed = on_status_changed
        self._closing = threading.Lock()
        self._announced_end: ConnectionEnd | None = None  # that close() announced, until the event confirms it
        self._refused = 0  # size of the largest message that the send queue had no room for: drain() makes it

    def __repr__(self) -> str:
        return repr(self.connection) if self.connection is not None else f"<connection {self.handle:#x}>"

    @property
    def connection(self) -> BaseConnection | None:
        """The application's object: a Connection or a Session; None once it has been dropped."""
        return None if self._connection is None else self._connection()

    def belong_to(self, connection: BaseConnection) -> None:
        """Name the application's object, which events will carry."""
        self._connection = weakref.ref(connection)

    # ---- state ----

    @property
    def state(self) -> ConnectionState:
        """The state now; NONE once this end has closed the connection."""
        result = ConnectionState.NONE if self.is_closed_here else _native.state(self.handle)
        if result == _native.FORKED:
            self.raise_error(result)
        return ConnectionState(result) if result > 0 else ConnectionState.NONE

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended, as far as its events say."""
        return self.end is None and not self.is_closed_here

    def current_end(self) -> ConnectionEnd | None:
        """Return the end as soon as it is known, by event or not; None while the connection lives."""
        if self.end is None and not self.is_closed_here:
            try:
                info = _native.info(self.handle)
            except _native.ConnectionGoneError:  # with the runtime: its event may be waiting
                self.mailbox.receive_if_idle(lambda: self.end)
            else:
                if info.state not in _ALIVE:
                    return end_of(info)
        return self.end or self._announced_end

    def info(self) -> ConnectionInfo:
        """Return what is known of the connection, or was last known."""
        try:
            self.last_info = _native.info(self.handle)
        except _native.ConnectionGoneError:
            if self.last_info is None:
                raise self.closed_error() from None
        return self.last_info

    def closed_error(self) -> ConnectionClosed:
        """Return the exception for a connection that has ended."""
        if self.end is None and self._unread_end() is None:
            # Stopped, or closed with its listen socket: then only the event in the mailbox knows the end.
            self.mailbox.receive_if_idle(lambda: self.end)
        end = (
            self.end
            or self._unread_end()
            or self._announced_end
            or ConnectionEnd(ClosedBy.LOCAL, EndReason.SHUTDOWN, "the runtime was stopped")
        )
        return closed_error(end)

    def _unread_end(self) -> ConnectionEnd | None:
        """Return the end that the core knows of and no one has read yet."""
        try:
            info = _native.info(self.handle)
        except _native.ConnectionGoneError:
            return None
        return None if info.state in _ALIVE else end_of(info)

    def is_own_end(self, error: BaseException) -> bool:
        """Return whether an exception reports only the end of this connection, or of the runtime."""
        if not isinstance(error, ConnectionClosed):
            return False
        stopped = error.end.closed_by is ClosedBy.LOCAL and error.code == EndReason.SHUTDOWN
        return stopped or error.end == self.current_end()

    def check_alive(self) -> None:
        """Raise ConnectionClosed if the connection has ended."""
        if not self.is_alive:
            raise self.closed_error()

    def check_own_reader(self) -> None:
        """Raise InvalidStateError if a poll group reads the connection."""
        if self.group is not None:
            raise InvalidStateError("a poll group reads the connection: remove() it there first")

    # ---- errors of the core ----

    @contextlib.contextmanager
    def reporting_its_end(self) -> Iterator[None]:
        """Raise ConnectionClosed where a function of the core reports that the connection is gone."""
        try:
            yield
        except _native.ConnectionGoneError:
            raise self.closed_error() from None

    def check(self, result: int) -> None:
        """Raise what a negative result of the core means for this connection."""
        if result < 0:
            self.raise_error(result)

    def raise_error(self, code: int, *, size: int = 0, lane: int = 0, sent: int = 0) -> NoReturn:
        """Raise what an error code of the core means for this connection.

        Args:
            code: The error code, which a function has just returned on this thread.
            size: The size of the message that was refused, in bytes.
            lane: Its lane.
            sent: How many messages of the same call were accepted before it.
        """
        if code in _native.GONE:
            raise self.closed_error()
        if code == _native.LIMIT_EXCEEDED:
            full = SendQueueFull(
                "the send queue is full: the peer is not receiving messages as fast as they are sent; wait with drain()"
            )
            full.sent = sent
            self._refused = max(self._refused, size)
            raise full
        error = _native.exception_for(code)
        if code == -Result.INVALID_PARAM and lane:
            raise ValueError(f"lane {lane} is not configured: this connection has {self.lanes}")
        if size and code == _native.TOO_LARGE:
            self.raise_too_large(size, sent)
        raise error

    def raise_too_large(self, size: int, sent: int = 0) -> NoReturn:
        """Raise MessageTooLarge, with the limit that holds for this connection."""
        limit, name = _native.MAX_MESSAGE_SIZE, "a message"
        with contextlib.suppress(_native.ConnectionGoneError):
            if (queue := _native.send_queue(self.handle)).max_bytes < limit:
                limit, name = queue.max_bytes, "with this send_buffer_size a message"
        error = MessageTooLarge(f"{name} may have {limit} bytes, not {size}")
        error.sent = sent
        raise error

    # ---- sending and measuring ----

    def send_queue(self) -> SendQueue:
        """Return what is queued or unacknowledged, and the bounds."""
        with self.reporting_its_end():
            return _native.send_queue(self.handle)

    def drain_mark(self, queue: SendQueue) -> tuple[int, int]:
        """Return the bytes and segments at which drain() returns: half of the queue, or room for what was refused."""
        refused = min(self._refused, queue.max_bytes)
        room = max(refused, queue.max_bytes // 2)
        # One message may need more segments than half of them, but any message fits into an empty queue.
        return queue.max_bytes - room, queue.max_segments // 2 if room > refused else 0

    def forget_refused(self) -> None:
        """Take notice that drain() has made room."""
        self._refused = 0

    def wait_drained(self, limit_us: int, max_bytes: int, max_segments: int) -> int:
        """Wait natively until no more than this is queued. Returns 0 if the limit expires first."""
        result: int = _native.wait_drained(self.handle, limit_us, max_bytes, max_segments)
        self.check(result)
        return result

    def notify_drained(self, max_bytes: int, max_segments: int) -> None:
        """Have on_room() called when no more than this is queued."""
        with self.reporting_its_end():
            _native.notify_drained(self.handle, max_bytes, max_segments)

    def wait_pong(self, limit_us: int, answers: list[float]) -> int:
        """Wait natively for the answer to a ping, and add the round trip in seconds. Returns 0 if the limit expires."""
        round_trip_us = _native.new_int64()
        result: int = _native.wait_pong(self.handle, limit_us, round_trip_us)
        self.check(result)
        if result:
            answers.append(float(round_trip_us[0] / 1e6))
        return result

    def request_pong(self) -> None:
        """Send a ping; its answer goes to on_pong()."""
        with self.reporting_its_end():
            _native.ping(self.handle)

    def wait_ended(self, limit_us: int) -> int:
        """Wait natively until the connection has ended. Returns 0 if the limit expires first."""
        result: int = _native.wait_ended(self.handle, limit_us)
        if result == _native.FORKED:
            self.raise_error(result)
        return result

    # ---- the end ----

    def close(self, code: int = EndReason.APP_GENERIC, text: str = "", *, linger: bool = True) -> None:
        """Close the connection. Closing it again does nothing. See Connection.close()."""
        goodbye = check_goodbye(code, text)
        if _native.is_forked():  # it is the parent's, and a thread that does not exist here may hold a lock
            return
        with self._closing:
            if self.is_closed_here:
                return
            self.announce_end(code, text)
            self.is_closed_here = True
        _native.close(self.handle, code, goodbye, linger)
        self.inbox.clear()
        self.mailbox.receive_if_idle()
        # If several ends close at once, the first is the end: the event says so, and another thread may have to
        # read it.
        with self._closing:
            self.end = self.end or self._announced_end

    def announce_end(self, code: int, text: str) -> None:
        """Note the end that this side is about to make: other threads see it until its event has been read."""
        self._announced_end = (
            self._announced_end or self._unread_end() or ConnectionEnd(ClosedBy.LOCAL, int(code), text)
        )

    def abandon(self, code: int, text: bytes) -> None:
        """Close the connection of an application's object that was dropped. At any moment, in any thread."""
        self.is_closed_here = True
        _native.close(self.handle, code, text, True)
        self.mailbox.forget(self.handle)

    # ---- reading ----

    def accept(self, mailbox: Mailbox | None) -> None:
        """Accept an inbound connection, into another mailbox if one is given."""
        if mailbox is not None:
            mailbox.add(self)
        with self.reporting_its_end():
            _native.accept(self.handle, mailbox.handle if mailbox else 0)
        if mailbox is not None:
            self.mailbox.remove(self.handle)
            self.mailbox = mailbox
        self.is_established = self.state is ConnectionState.CONNECTED  # before anyone has read the event

    def move_to(self, mailbox: Mailbox, events: deque[Any] | None) -> None:
        """Move to another mailbox, with everything that waits; redirect events as redirect_events() does.

        Raises:
            ConcurrencyError: A thread is reading the present mailbox.
            ConnectionClosed: The connection has ended.
        """
        self.mailbox.as_reader(lambda _: self._move_to(mailbox, events), None)

    def _move_to(self, mailbox: Mailbox, events: deque[Any] | None) -> None:
        source = self.mailbox
        source.dispatch()  # what an interrupted reader has left
        self.redirect_events(events)
        mailbox.add(self)  # first: a reader there may get its events at once
        with self.reporting_its_end():
            _native.move(self.handle, mailbox.handle)
        source.remove(self.handle)
        self.mailbox = mailbox

    def redirect_events(self, events: deque[Any] | None) -> None:
        """Choose where messages and changes go: to a poll()'s events, or messages to the own inbox (None).

        No message is lost; status changes are dropped, since an inbox holds messages only.
        """
        before = self.events
        if before is events:
            return
        self.events = events
        waiting: list[Any]
        if before is None:
            waiting = take(self.inbox)
            try:
                arrivals = [MessageReceived(self.connection, with_bytes(message)) for message in waiting]
                events += arrivals  # type: ignore[operator] # one step
            except BaseException:  # a signal handler's
                self.events = before
                self.inbox.extendleft(reversed(waiting))
                raise
            return
        connection = self.connection
        waiting = take_matching(before, lambda event: event.connection is connection)
        try:
            if events is None:
                self.inbox.extend([event.message for event in waiting if isinstance(event, MessageReceived)])
            else:
                events += waiting  # one step
        except BaseException:
            self.events = before
            before.extendleft(reversed(waiting))
            raise

    def attach(self, sink: Sink) -> None:
        """Hand everything that arrives to a higher layer, beginning with what has arrived.

        On the thread that reads the mailbox.
        """
        self.redirect_events(None)
        self.sink = sink
        self.on_data, self.on_ack_due_data = sink.on_data, sink.on_ack_due_data
        for message in take(self.inbox):
            sink.inputs.append((sink.take_message, (with_bytes(message),)))
        if self.end is not None:
            self.sink = None
            sink.inputs.append((sink.take_end, (self.end,)))
        sink.work()

    # ---- the mailbox's receiver ----

    def on_message(self, message: Message | MessageView, backlog: Backlog) -> None:
        """See Receiver."""
        sink, events = self.sink, self.events
        if self.is_closed_here:
            del backlog[0]
        elif sink is not None:
            if message.reliable:
                sink.inputs += ((sink.take_message, (with_bytes(message),)),)  # one step
                del backlog[0]
                sink.work()
            else:
                del backlog[0]
                sink.take_unreliable(with_bytes(message))
        elif events is not None:
            events += (MessageReceived(self.connection, with_bytes(message)),)  # one step
            del backlog[0]
        else:
            self.inbox += (message,)  # one step
            del backlog[0]
        if self.readers:
            self.readers.wake()

    def on_pong(self, round_trip: float) -> None:
        """See Receiver."""
        self.pongs += 1
        self.round_trip = round_trip
        if self.watchers:
            self.watchers.wake()

    def on_room(self) -> None:
        """See Receiver."""
        if (sink := self.sink) is not None:
            sink.inputs += ((sink.take_room, ()),)
            sink.work()
        if self.watchers:
            self.watchers.wake()

    def on_status(
        self, old: ConnectionState, new: ConnectionState, info: ConnectionInfo, time_us: int, backlog: Backlog
    ) -> None:
        """See Receiver."""
        connection = self.connection
        change = StatusChanged(connection, old, new, info, time_us)
        end = change.end
        is_established = self.is_established or (new == ConnectionState.CONNECTED and not self.is_closed_here)
        # Stopped, or the listen socket was closed: the handle is dead.
        is_closed_here = self.is_closed_here or (end is not None and new == ConnectionState.NONE)
        events, sink = self.events, self.sink
        if end is not None:
            with self._closing:
                self.end = end
        self.last_info = info  # one step
        self.is_established = is_established
        self.is_closed_here = is_closed_here
        if events is not None and connection is not None:
            events += (change,)
        if sink is not None and end is not None:
            sink.inputs += ((sink.take_end, (end,)),)
            self.sink = None
        if self._on_status_changed is not None and connection is not None:
            self.mailbox.changes += ((self, change),)
        del backlog[0]
        if end is not None:
            self.mailbox.remove(self.handle)
            if sink is not None:
                sink.work()
        for tasks in (self.watchers, self.readers):
            if tasks:
                tasks.wake()

    def on_send_failed(self, number: int, result: Result) -> None:
        """See Receiver."""
        if self.events is not None:
            self.events.append(SendFailed(self.connection, number, result))
        else:
            _log.warning("%r: GNS refused message %d: %s", self, number, result)

    def notify(self, change: StatusChanged[Any]) -> None:
        """See Receiver."""
        if self._on_status_changed is None:
            return
        try:
            self._on_status_changed(change)
        except NeverRunError:
            if not self.is_closed_here:
                _log.exception("on_status_changed failed for %r", self)
                self.close(EndReason.INTERNAL_ERROR, "an exception was raised")
        except Exception:
            _log.exception("on_status_changed failed for %r", self)


def _drop(message: Message, backlog: Backlog) -> None:  # noqa: ARG001 - there is no session
    del backlog[0]
