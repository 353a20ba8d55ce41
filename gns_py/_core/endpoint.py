"""What the connections of all APIs share: handle, state, inbox, sending, closing. Nothing in here waits."""

from __future__ import annotations

import logging
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeVar, cast

from .. import _native
from .._generated.enums import ConfigScope, ConfigValue, ConnectionState, EndReason, Result
from .._printable import printable
from .._uncopyable import Uncopyable
from ..address import Address
from ..config import Config, OptionValue
from ..errors import ConnectionClosed, ForkedError, InvalidStateError, MessageTooLarge, SendQueueFull, closed
from ..events import ClosedBy, ConnectionEnd, MessageReceived, SendFailed, StatusChanged, end_of
from ..identity import Identity
from ..message import Message, MessageView, with_bytes
from ..stats import ConnectionInfo, ConnectionStatus, LaneStatus, Sample, SendQueue
from .callbacks import NeverRunError, check_plain
from .runtime import Mailbox, take, take_wanted

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from .poll_group import BasePollGroup

_log = logging.getLogger("gns_py")
_ENDED = (_native.BAD_HANDLE, _native.NOT_RUNNING, _native.NO_CONNECTION)
_ALIVE = (ConnectionState.CONNECTING, ConnectionState.FINDING_ROUTE, ConnectionState.CONNECTED)

C = TypeVar("C", bound="Endpoint")


class Readers(Protocol):
    """Tasks that wait for what arrives."""

    def __len__(self) -> int: ...

    def wake(self) -> None: ...


class Watching(Protocol):
    """A part of a sink."""

    watches_data: bool
    """Whether DATA, too, goes into the inputs."""


class Sink(Protocol):
    """A layer above that has taken a connection over. Everything on the thread that reads the mailbox.

    ``data`` takes DATA as it comes. What needs more than that, or must keep an order with what does, goes into
    ``inputs``, as a function and its arguments, for work() to carry out.
    """

    inputs: deque[tuple[Callable[..., None], tuple[Any, ...]]]
    engine: Watching
    data: deque[Any]
    received: dict[int, int]

    @property
    def readers(self) -> object:
        """True while a reader waits."""

    def wake(self) -> None:
        """Wake the readers."""

    def work(self) -> None:
        """Carry out the inputs. Raises nothing."""

    def mark_due(self, message: Message) -> object:
        """What goes into ``data`` for a message after which _native.framing_grant() is due."""

    def put_unreliable(self, message: Message) -> None:
        """An UNTRACKED message has arrived."""

    def take_unreliable(self, message: Message) -> None:
        """Any other message has arrived, unreliably."""

    def take_data(self, message: Message, is_due: bool) -> None:
        """For the inputs: DATA or UNTRACKED, after _native.framing_begin()."""

    def take_message(self, message: Message) -> None:
        """For the inputs: any other message."""

    def take_end(self, end: ConnectionEnd) -> None:
        """For the inputs: the connection has ended."""

    def take_room(self) -> None:
        """For the inputs: what notify_drained() asked for has come."""


StatusCallback = Callable[[StatusChanged[Any]], None]


class Endpoint(Uncopyable):
    """One end of a connection. Sending and closing: any thread. Everything that reads: one thread at a time."""

    def __init__(
        self, mailbox: Mailbox, handle: int, info: ConnectionInfo | None, on_status_changed: StatusCallback | None
    ) -> None:
        self.handle = handle
        self._mailbox = mailbox
        self._on_status_changed = on_status_changed
        self._inbox: deque[Message | MessageView] = deque()
        self._events: deque[Any] | None = None  # where messages and changes go instead, for a poll()
        self._group: BasePollGroup[Any] | None = None  # that reads it
        self._sink: Sink | None = None  # that has taken it over
        self._readers: Readers | tuple[()] = ()  # asyncio's
        self._views = False  # messages come without a copy
        self._established = False
        self._closing = threading.Lock()
        self._closed_here = False
        self._end: ConnectionEnd | None = None
        self._said: ConnectionEnd | None = None  # by close(): the end, as far as is known before its event has come
        self._last_info = info
        self._lanes = 1
        self._history_size = 0
        self._refused = 0  # the largest message that the send queue had no room for: drain() makes it

    def __repr__(self) -> str:
        peer = self._last_info.remote_address if self._last_info else None
        try:
            state = self._end or self.state.name
        except ForkedError:
            state = "of the process that this one is a fork of"
        return f"<{type(self).__module__}.{type(self).__name__} {peer or 'in memory'} {state}>"

    def __del__(self, _warn: Callable[..., None] = warnings.warn) -> None:
        if getattr(self, "_closed_here", True):  # missing if the constructor failed
            return
        if self._sink is not None:  # it goes with it, and sees to it
            return
        text = f"unclosed connection {self!r}"
        is_unclosed = self._end is None and not _native.is_forked()  # there it is the parent's
        _native.close(self.handle, EndReason.APP_GENERIC, b"", True)  # first: the warning may be an exception
        self._mailbox.forget(self.handle)
        if is_unclosed:  # a loop in another thread may have read of the end meanwhile
            _warn(text, ResourceWarning, source=self)

    # ---- what it is ----

    @property
    def state(self) -> ConnectionState:
        """The state now, which may be ahead of the events and messages that have been read.

        NONE once this end has closed it. Errors: ForkedError. Native: GetConnectionInfo.
        """
        result = ConnectionState.NONE if self._closed_here else _native.state(self.handle)
        if result == _native.FORKED:
            self._raise(result)
        return ConnectionState(result) if result > 0 else ConnectionState.NONE

    @property
    def end(self) -> ConnectionEnd | None:
        """Who ended the connection and why, as soon as that is known; None while it lives."""
        if self._end is None and not self._closed_here:
            info = _native.info(self.handle)
            if info == _native.FORKED:
                self._raise(info)
            if not isinstance(info, ConnectionInfo):  # gone with the runtime: the event that says so may wait
                self._mailbox.receive_if_idle(lambda: self._end)
            elif info.state not in _ALIVE:
                return end_of(info)
        return self._end or self._said

    def info(self) -> ConnectionInfo:
        """What is known of the connection and its peer; the last that was known once it is closed.

        Native: GetConnectionInfo.
        """
        info = _native.info(self.handle)
        if isinstance(info, ConnectionInfo):
            self._last_info = info
        elif self._last_info is None or info == _native.FORKED:
            self._raise(info)
        assert self._last_info is not None
        return self._last_info

    @property
    def remote_address(self) -> Address | None:
        """The peer's address; None for a pair in memory."""
        return self.info().remote_address

    @property
    def remote_identity(self) -> Identity:
        """Who the peer claims to be: nobody has verified it. Of type INVALID if it claims nonsense."""
        try:
            return Identity.parse(self.info().identity)
        except ValueError:
            return Identity.parse("invalid")

    @property
    def description(self) -> str:
        """GNS's own description, for logs: what is not printable, a peer's identity may have it, is escaped."""
        return printable(self.info().description)

    @property
    def name(self) -> str:
        """Shown in GNS's log lines; at most 31 bytes.

        Errors when set: TypeError, ValueError. Native: SetConnectionName.
        """
        name = _native.get_name(self.handle)
        return name if isinstance(name, str) else self._raise(name)

    @name.setter
    def name(self, name: str) -> None:
        self._check(_native.set_name(self.handle, _text("name", name, _native.MAX_NAME)))

    @property
    def user_data(self) -> int:
        """A 64-bit number of the application's, -1 until set. Native: SetConnectionUserData."""
        return self.info().user_data

    @user_data.setter
    def user_data(self, user_data: int) -> None:
        if not isinstance(user_data, int) or isinstance(user_data, bool):
            raise TypeError(f"user_data must be an int, not {type(user_data).__name__}")
        if not -(2**63) <= user_data < 2**63:
            raise ValueError(f"user_data is {user_data}: it has 64 bits")
        self._check(_native.set_user_data(self.handle, user_data))

    # ---- what it measures ----

    def stats(self) -> ConnectionStatus:
        """Ping, quality, rates, queues at present; the last ones measured if the peer or a problem has ended it.

        Errors: ConnectionClosed once it is closed here. Native: GetConnectionRealTimeStatus.
        """
        result = _native.status(self.handle, 0)
        return self._raise(result) if isinstance(result, int) else result[0]

    def lane_stats(self) -> list[LaneStatus]:
        """What waits on each outgoing lane. Errors: as stats(). Native: GetConnectionRealTimeStatus."""
        result = _native.status(self.handle, self._lanes)
        return self._raise(result) if isinstance(result, int) else result[1]

    def send_queue(self) -> SendQueue:
        """What is queued or not acknowledged, and the bounds at which send() raises SendQueueFull."""
        result = _native.send_queue(self.handle)
        return self._raise(result) if isinstance(result, int) else result

    def start_history(self, interval: float = 1.0, size: int = 60) -> None:
        """Notes from now on what stats() tells, every ``interval`` seconds, and keeps the last ``size``; 0: stops.

        interval: at least 0.001. size: at most 1,000,000, 72 bytes each. Noted natively, however busy Python is.
        max_jitter_us counts from the last note or call of stats().
        Errors: TypeError, ValueError, ConnectionClosed. Any thread. Native: GetConnectionRealTimeStatus.
        """
        if not isinstance(interval, int | float) or isinstance(interval, bool):
            raise TypeError(f"interval must be seconds, not {type(interval).__name__}")
        if not 0.001 <= interval <= 86400:
            raise ValueError(f"interval is {interval}: it must be 0.001 to 86400 seconds")
        if not isinstance(size, int) or isinstance(size, bool):
            raise TypeError(f"size must be an int, not {type(size).__name__}")
        if not 0 <= size <= 1_000_000:
            raise ValueError(f"size is {size}: it must be 0 to 1000000")
        self._check(_native.start_history(self.handle, int(interval * 1e6), size))
        self._history_size = size

    def history(self) -> list[Sample]:
        """What start_history() has noted, oldest first; it stays when the peer or a problem ends the connection.

        Errors: ConnectionClosed once it is closed here. Any thread.
        """
        samples = _native.history(self.handle, self._history_size)
        return self._raise(samples) if isinstance(samples, int) else samples

    def details(self) -> str:
        """GNS's own report of some dozen lines, for people; what is not printable in them is escaped.

        Errors: ConnectionClosed. Native: GetDetailedConnectionStatus.
        """
        result = _native.details(self.handle)
        if isinstance(result, int):
            self._raise(result)
        info = self.info()
        for theirs in (
            info.identity,
            info.end_text,
        ):  # before the lines are told apart: they may have breaks of their own
            result = result.replace(theirs, printable(theirs))
        return "\n".join(map(printable, result.split("\n")))

    # ---- sending ----

    def send(
        self, data: Buffer, *, reliable: bool = True, nagle: bool = True, lane: int = 0, no_delay: bool = False
    ) -> int:
        """Queues a message and returns its number on its lane, from 1. Never blocks.

        data: bytes or any contiguous buffer, up to 512 KiB; copied. Before the connection is established it waits and
        is delivered after; a message over 16,500 bytes is always reliable. nagle: may wait up to nagle_time for others
        to share its packet. no_delay: drop it (MessageDropped) rather than wait for the connection to be established.
        Errors: SendQueueFull (drain() waits), MessageTooLarge, ConnectionClosed, TypeError, ValueError (a lane that is
        not configured). Any thread. Native: SendMessages, on the pump's thread.
        """
        flags = (
            (_native.SEND_RELIABLE if reliable else 0)
            | (0 if nagle else _native.SEND_NO_NAGLE)
            | (_native.SEND_NO_DELAY if no_delay else 0)
        )
        native_data = data if type(data) is bytes else _native.readable(data)
        try:
            size = len(native_data)
            if lane:
                check_lane(lane)
            if size > _native.MAX_MESSAGE_SIZE:  # before it can overflow the native argument
                self._raise_too_large(size)
            number: int = _native.send(self.handle, native_data, size, flags, lane)
        finally:
            if native_data is not data:
                _native.release(native_data)
        if number < 0:
            self._raise(number, size=size, lane=lane)
        return number

    def send_many(
        self,
        messages: Iterable[Buffer] | Buffer,
        *,
        offsets: Sequence[int] | None = None,
        reliable: bool = True,
        nagle: bool = True,
        lane: int = 0,
    ) -> list[int]:
        """Queues several messages in one native call and returns their numbers.

        messages: buffers, each a message; or, with ``offsets``, one buffer in which they lie one after another: each
        offset is where a message begins, in bytes, and it ends where the next one begins, the last one at the end.
        Errors: as send(). With SendQueueFull and MessageTooLarge the messages before the refused one are on their way:
        the exception's ``sent`` tells how many. ValueError, TypeError: offsets that do not rise within the buffer.
        """
        check_lane(lane)
        flags = (_native.SEND_RELIABLE if reliable else 0) | (0 if nagle else _native.SEND_NO_NAGLE)
        if offsets is None:
            batch, sizes = joined(messages)
            taken, first, failed = _native.send_many(self.handle, batch, sizes, flags, lane)
        else:
            with _native.readable(messages) as data:
                begin, sizes = cut(len(data), offsets)
                taken, first, failed = _native.send_many(self.handle, data + begin, sizes, flags, lane)
        self._check(taken)
        if failed:
            self._raise(failed, size=sizes[taken], lane=lane, sent=taken)
        return list(range(first, first + taken))

    def flush(self) -> None:
        """Sends now what waits for Nagle's timer. Errors: ConnectionClosed. Native: FlushMessagesOnConnection."""
        self._check(_native.flush(self.handle))

    def configure_lanes(self, priorities: Sequence[int], weights: Sequence[int] | None = None) -> None:
        """Sets up this end's outgoing lanes, one for each priority; never fewer than before.

        priorities: lower goes first. weights: shares within one priority, 1 to 65535, equal if None. Order is kept
        within a lane, not across. Errors: TypeError, ValueError, ConnectionClosed. Native: ConfigureConnectionLanes.
        """
        shares = [1] * len(priorities) if weights is None else list(weights)
        if not 1 <= len(priorities) <= _native.MAX_LANES:
            raise ValueError(f"a connection has 1 to {_native.MAX_LANES} lanes, not {len(priorities)}")
        if len(shares) != len(priorities):
            raise ValueError(f"{len(priorities)} priorities, but {len(shares)} weights")
        if len(priorities) < self._lanes:
            raise ValueError(f"the connection has {self._lanes} lanes already; they cannot become fewer")
        for what, numbers, low, high in (("priority", priorities, -(2**31), 2**31 - 1), ("weight", shares, 1, 65535)):
            for number in numbers:
                if not isinstance(number, int) or isinstance(number, bool):
                    raise TypeError(f"a lane's {what} must be an int, not {type(number).__name__}")
                if not low <= number <= high:
                    raise ValueError(f"a lane's {what} is {number}: it must be {low} to {high}")
        self._check(_native.configure_lanes(self.handle, list(priorities), shares))
        self._lanes = len(priorities)

    # ---- options ----

    def set_config(self, config: Config) -> None:
        """Sets options of this connection, in Config's order: where one is refused, those before it are set.

        Errors: ConfigError, ValueError, ConnectionClosed. Native: SetConfigValue.
        """
        self._check(_native.set_options(ConfigScope.CONNECTION, self.handle, config))

    def get_config(self, option: ConfigValue) -> OptionValue:
        """The value that holds for this connection, inherited or its own.

        Errors as set_config(). Native: GetConfigValue.
        """
        result, value = _native.get_option(ConfigScope.CONNECTION, self.handle, option)
        self._check(result)
        return value

    def reset_config(self, option: ConfigValue, *options: ConfigValue) -> None:
        """Back to what the listen socket or the process has, for each of these options.

        Errors: as set_config(). Native: SetConfigValue.
        """
        for each in (option, *options):
            self._check(_native.reset_option(ConfigScope.CONNECTION, self.handle, each))

    # ---- the end ----

    def _close(self, code: int = EndReason.APP_GENERIC, text: str = "", *, linger: bool = True) -> None:
        """close() in all APIs."""
        goodbye = check_goodbye(code, text)
        if _native.is_forked():  # it is the parent's, and a lock may be held by a thread that is not here
            return
        with self._closing:
            if self._closed_here:
                return
            self._say(code, text)
            self._closed_here = True
        _native.close(self.handle, code, goodbye, linger)
        self._inbox.clear()
        self._mailbox.receive_if_idle()
        # Of several that close at once, the one that was first is the end: the event tells, and it may be another
        # thread's to read.
        with self._closing:
            self._end = self._end or self._said

    def _say(self, code: int, text: str) -> None:
        """Notes the end that this side is about to make: what other threads are told until its event has been read."""
        self._said = self._said or self._native_end() or ConnectionEnd(ClosedBy.LOCAL, int(code), text)

    def _native_end(self) -> ConnectionEnd | None:
        """The end that the core knows of and nobody has read yet."""
        info = _native.info(self.handle)
        return end_of(info) if isinstance(info, ConnectionInfo) and info.state not in _ALIVE else None

    # ---- for the APIs ----

    def _is_own_end(self, error: BaseException) -> bool:
        """Whether it tells of nothing but the end of this connection, or of the runtime."""
        if not isinstance(error, ConnectionClosed):
            return False
        stopped = error.end.closed_by is ClosedBy.LOCAL and error.code == EndReason.SHUTDOWN
        return stopped or error.end == self.end

    def _accept(self, mailbox: Mailbox | None) -> None:
        """Accepts an inbound connection, into another mailbox if one is given."""
        if mailbox is not None:
            mailbox.add(self)
        self._check(_native.accept(self.handle, mailbox.handle if mailbox else 0))
        if mailbox is not None:
            self._mailbox.remove(self.handle)
            self._mailbox = mailbox
        self._established = self.state is ConnectionState.CONNECTED  # before anybody has read the event that says so

    def _collect(self, events: deque[Any] | None) -> None:
        """Where its messages and changes go: to a poll()'s events, or (None) the messages to its own inbox.

        None is lost, except that an inbox has no place for changes.
        """
        before = self._events
        if before is events:
            return
        self._events = events
        waiting: list[Any]
        if before is None:
            waiting = take(self._inbox)
            try:
                arrivals = [MessageReceived(self, with_bytes(message)) for message in waiting]
                events += arrivals  # type: ignore[operator] # one step
            except BaseException:  # a signal's
                self._events = before
                self._inbox.extendleft(reversed(waiting))
                raise
            return
        waiting = take_wanted(before, lambda event: event.connection is self)
        try:
            if events is None:
                self._inbox.extend([event.message for event in waiting if isinstance(event, MessageReceived)])
            else:
                events += waiting  # one step
        except BaseException:
            self._events = before
            before.extendleft(reversed(waiting))
            raise

    def _attach(self, sink: Sink) -> None:
        """Hand it over to a layer above, with what has happened already. On the thread that reads the mailbox."""
        self._collect(None)
        self._sink = sink
        for message in take(self._inbox):
            sink.inputs.append((sink.take_message, (with_bytes(message),)))
        if self._end is not None:
            self._sink = None
            sink.inputs.append((sink.take_end, (self._end,)))
        sink.work()

    def _check_own_reader(self) -> None:
        """InvalidStateError if a poll group reads it."""
        if self._group is not None:
            raise InvalidStateError("a poll group reads the connection: remove() it there first")

    def _drain_bound(self, queue: SendQueue) -> tuple[int, int]:
        """drain()'s mark, in bytes and segments: half of the send queue, or room for what send() has refused."""
        refused = min(self._refused, queue.max_bytes)
        room = max(refused, queue.max_bytes // 2)
        # One message may need more segments than half of them, but any message fits into an empty queue.
        return queue.max_bytes - room, queue.max_segments // 2 if room > refused else 0

    def _raise(self, code: int, *, size: int = 0, lane: int = 0, sent: int = 0) -> NoReturn:
        """Raises what an error code of the core means for this connection."""
        if code in _ENDED:
            raise self._closed()
        if code == _native.LIMIT_EXCEEDED:
            full = SendQueueFull(
                "the send queue is full: the peer does not take messages as fast as they are sent; wait with drain()"
            )
            full.sent = sent
            self._refused = max(self._refused, size)
            raise full
        error = _native.error(code)
        if code == -Result.INVALID_PARAM and lane:
            raise ValueError(f"lane {lane} is not configured: this connection has {self._lanes}")
        if size and code == _native.TOO_LARGE:
            self._raise_too_large(size, sent)
        raise error

    def _raise_too_large(self, size: int, sent: int = 0) -> NoReturn:
        queue = _native.send_queue(self.handle)
        limit = _native.MAX_MESSAGE_SIZE
        name = "a message"
        if isinstance(queue, SendQueue) and queue.max_bytes < limit:
            limit, name = queue.max_bytes, "with this send_buffer_size a message"
        error = MessageTooLarge(f"{name} may have {limit} bytes, not {size}")
        error.sent = sent
        raise error

    def _check(self, result: int) -> None:
        if result < 0:
            self._raise(result)

    def _closed(self) -> ConnectionClosed:
        if self._end is None and self._native_end() is None:
            # Stopped, or closed with its listen socket: then only the event that waits in the mailbox tells the end.
            self._mailbox.receive_if_idle(lambda: self._end)
        end = (
            self._end
            or self._native_end()
            or self._said
            or ConnectionEnd(ClosedBy.LOCAL, EndReason.SHUTDOWN, "the runtime was stopped")
        )
        return closed(end)

    # ---- from the mailbox, on the thread that reads it ----

    def _on_message(self, message: Message | MessageView, backlog: deque[Any]) -> None:
        """Take a message, and the record of it out of the backlog."""
        sink, events = self._sink, self._events
        if self._closed_here:
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
            events += (MessageReceived(self, with_bytes(message)),)  # one step
            del backlog[0]
        else:
            self._inbox += (message,)  # one step
            del backlog[0]

    def _on_pong(self, round_trip: float) -> None:
        """The peer has answered a ping."""

    def _on_drained(self) -> None:
        """What notify_drained() asked for has come."""
        if (sink := self._sink) is not None:
            sink.inputs += ((sink.take_room, ()),)
            sink.work()

    def _on_status(self, change: StatusChanged[Any], backlog: deque[Any]) -> None:
        """Take a change, and the record of it out of the backlog; callbacks are told afterwards."""
        end = change.end
        is_established = self._established or (change.new == ConnectionState.CONNECTED and not self._closed_here)
        # Stopped, or the listen socket was closed: the handle is dead.
        is_closed_here = self._closed_here or (end is not None and change.new == ConnectionState.NONE)
        events, sink = self._events, self._sink
        if end is not None:
            with self._closing:
                self._end = end
        self._last_info = change.info  # one step
        self._established = is_established
        self._closed_here = is_closed_here
        if events is not None:
            events += (change,)
        if sink is not None and end is not None:
            sink.inputs += ((sink.take_end, (end,)),)
            self._sink = None
        if self._on_status_changed is not None:
            self._mailbox.changes += ((self, change),)
        del backlog[0]
        if end is not None:
            self._mailbox.remove(self.handle)
            if sink is not None:
                sink.work()

    def _notify(self, event: StatusChanged[Any]) -> None:
        if self._on_status_changed is None:
            return
        try:
            self._on_status_changed(event)
        except NeverRunError:
            if not self._closed_here:
                _log.exception("on_status_changed failed for %r", self)
                self._close(EndReason.INTERNAL_ERROR, "an exception was raised")
        except Exception:
            _log.exception("on_status_changed failed for %r", self)

    def _on_send_failed(self, number: int, result: Result) -> None:
        if self._events is not None:
            self._events.append(SendFailed(self, number, result))
        else:
            _log.warning("%r: GNS refused message %d: %s", self, number, result)


def check_options(config: Config | None, on_status_changed: StatusCallback | None) -> Config:
    """What connect() and listen() are given, checked; the options, none of them if there are none."""
    if config is not None and not isinstance(config, Config):
        raise TypeError(f"config must be a Config, not {type(config).__name__}")
    check_plain("on_status_changed", on_status_changed)
    return Config() if config is None else config


def joined(messages: Iterable[Buffer] | Buffer) -> tuple[bytes, list[int]]:
    """Messages one after another, and their sizes. Errors: TypeError."""
    batch: list[Any] = list(cast("Iterable[Buffer]", messages))
    for message in batch:
        if type(message) is not bytes:
            _native.readable(message)
    return b"".join(batch), [memoryview(message).nbytes for message in batch]


def cut(size: int, offsets: Sequence[int]) -> tuple[int, list[int]]:
    """Where the first message begins, and the sizes of all. Errors: TypeError, ValueError."""
    ends = [*offsets[1:], size] if offsets else []
    for begin, end in zip(offsets, ends, strict=True):
        if not isinstance(begin, int) or isinstance(begin, bool):
            raise TypeError(f"an offset must be an int, not {type(begin).__name__}")
        if not 0 <= begin <= end:
            raise ValueError(
                f"offset {begin} is not between 0 and {end}, where the next message begins or the last ends"
            )
    return (offsets[0] if offsets else 0), [end - begin for begin, end in zip(offsets, ends, strict=True)]


def check_alive(connection: Endpoint) -> None:
    """ConnectionClosed if it has ended."""
    if connection._end is not None or connection._closed_here:
        raise connection._closed()


def check_lane(lane: int) -> None:
    """Whether some connection could have that lane: this one's are the core's to check."""
    if not isinstance(lane, int) or isinstance(lane, bool):
        raise TypeError(f"lane must be an int, not {type(lane).__name__}")
    if not 0 <= lane < _native.MAX_LANES:
        raise ValueError(f"lane is {lane}: a connection has lanes 0 to {_native.MAX_LANES - 1} at most")


def check_goodbye(code: int, text: str) -> bytes:
    """A close's code and text, checked; the text as the core takes it."""
    if not isinstance(code, int) or isinstance(code, bool):
        raise TypeError(f"code must be an int, not {type(code).__name__}")
    if not 1000 <= code <= 2999:
        raise ValueError(f"code is {code}: 1000 to 1999 say a normal end, 2000 to 2999 a fault")
    return _text("text", text, _native.MAX_END_TEXT)


def _text(name: str, text: str, longest: int) -> bytes:
    if not isinstance(text, str):
        raise TypeError(f"{name} must be a str, not {type(text).__name__}")
    if "\0" in text:
        raise ValueError(f"{name} has a NUL byte")
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name} cannot be written as UTF-8") from None
    if len(data) > longest:
        raise ValueError(f"{name} has {len(data)} bytes: at most {longest} are allowed")
    return data
