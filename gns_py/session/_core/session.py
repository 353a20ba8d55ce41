"""What the sessions of all APIs share: engine, native connection, sending, ending. Nothing in here waits."""

from __future__ import annotations

import logging
import threading
import time
import warnings
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from ... import _native
from ..._core.endpoint import Endpoint, Watching, check_lane, cut, joined
from ..._generated.enums import ConfigValue, ConnectionState, EndReason
from ..._uncopyable import Uncopyable
from ...address import Address
from ...config import Config, OptionValue
from ...errors import MessageDropped, MessageTooLarge, SendQueueFull
from ...events import ConnectionEnd
from ...identity import Identity
from ...message import Message
from ...stats import ConnectionInfo, ConnectionStatus, LaneStatus, Sample, SendQueue
from ..errors import SessionClosed, SessionFailed, session_closed_error, session_failed_error
from ..protocol.config import SessionConfig
from ..protocol.engine import Engine, Phase
from ..protocol.fields import MAX_LANE, Text
from ..protocol.frames import CODES, MAX_DATA, MAX_KEY, MAX_MESSAGE, MAX_TEXT, Keyed
from ..protocol.inbox import AckDue
from ..protocol.reasons import CloseReason, SessionEnd, connection_end_text
from ..protocol.transport import Transport
from .transport import ConnectionTransport

if TYPE_CHECKING:
    from typing_extensions import Buffer

_log = logging.getLogger("gns_py")
C = TypeVar("C", bound=Endpoint)
T = TypeVar("T")
_TEXT = Text(MAX_TEXT)
_RELIABLE = _native.SEND_FRAMED | _native.SEND_RELIABLE


class BaseSession(Uncopyable, ABC, Generic[C]):
    """One end of a session. Sending and closing: any thread. Reading: one thread, or task, at a time."""

    def __init__(self, connection: C, make_engine: Callable[[Transport], Engine]) -> None:
        self.connection = connection
        """The native connection that carries it: for all that is not said here, and not for messages."""
        self._handle = connection.handle
        self._lock = threading.RLock()  # taken after the mailbox's, never before
        self._watcher: Callable[[Any], None] | None = None  # of the phase, and of each change before it is established
        self._watched: Phase | None = None
        self._engine = make_engine(ConnectionTransport(connection))
        self._inbox = self._engine.inbox
        self._outbox = self._engine.outbox
        # Sink, for the connection.
        self.engine: Watching = self._engine
        self.inputs: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self.data: deque[Any] = self._inbox.data
        self.received = self._inbox.received
        self.put_unreliable = self._inbox.add_unreliable
        self.mark_due = AckDue
        self.readers: Any = ()

    def __repr__(self) -> str:
        state = self._engine.delivered_end or self._engine.phase.value
        peer = self.connection._last_info.remote_address if self.connection._last_info else None
        return f"<{type(self).__module__}.{type(self).__name__} {peer} {state}>"

    def __del__(self, _warn: Callable[..., None] = warnings.warn) -> None:
        engine = getattr(self, "_engine", None)  # missing if the constructor failed
        if engine is None or engine.phase is Phase.ENDED or _native.is_forked():  # there it is the parent's
            return
        text = f"unclosed session {self!r}"
        self.connection._closed_here = True
        dropped = connection_end_text(0, "the session was dropped")
        _native.close(self._handle, CloseReason.ABORTED.native_code, dropped.encode(), True)
        if engine.may_send:  # else it was closed, and what ran it has ended too early
            _warn(text, ResourceWarning, source=self)

    # ---- what it is ----

    @property
    def id(self) -> bytes:
        """16 bytes, chosen by the server, the same at both ends."""
        return self._engine.session_id

    @property
    def peer_data(self) -> bytes:
        """What the other application has given at the set-up: the client to connect(), the server to accept()."""
        return self._engine.peer_data

    @property
    def end(self) -> SessionEnd | None:
        """Why it ended, once all messages before the end have been taken; None before."""
        with self._lock:
            return self._engine.delivered_end

    @property
    def is_established(self) -> bool:
        """Whether both ends know that they have it, and neither has said goodbye."""
        return self._engine.phase is Phase.ESTABLISHED

    @property
    def dropped(self) -> tuple[int, int]:
        """Unreliable messages that newer ones have pushed out: before they were sent, and before they were read."""
        return self._outbox.dropped, self._inbox.dropped

    @property
    def queued(self) -> tuple[int, int]:
        """Bytes and reliable messages that wait here until the peer reads, or the network takes them."""
        return self._outbox.waiting

    @property
    def remote_address(self) -> Address | None:
        """As Connection.remote_address."""
        return self.connection.remote_address

    @property
    def remote_identity(self) -> Identity:
        """As Connection.remote_identity."""
        return self.connection.remote_identity

    @property
    def state(self) -> ConnectionState:
        """As Connection.state: of the native connection."""
        return self.connection.state

    @property
    def description(self) -> str:
        """As Connection.description."""
        return self.connection.description

    @property
    def user_data(self) -> int:
        """As Connection.user_data."""
        return self.connection.user_data

    @user_data.setter
    def user_data(self, user_data: int) -> None:
        self.connection.user_data = user_data

    @property
    def name(self) -> str:
        """As Connection.name."""
        return self.connection.name

    @name.setter
    def name(self, name: str) -> None:
        self.connection.name = name

    def info(self) -> ConnectionInfo:
        """As Connection.info()."""
        return self.connection.info()

    def stats(self) -> ConnectionStatus:
        """As Connection.stats()."""
        return self.connection.stats()

    def lane_stats(self) -> list[LaneStatus]:
        """As Connection.lane_stats()."""
        return self.connection.lane_stats()

    def send_queue(self) -> SendQueue:
        """As Connection.send_queue(): what the native connection holds; ``queued`` is what waits before it."""
        return self.connection.send_queue()

    def start_history(self, interval: float = 1.0, size: int = 60) -> None:
        """As Connection.start_history()."""
        self.connection.start_history(interval, size)

    def history(self) -> list[Sample]:
        """As Connection.history()."""
        return self.connection.history()

    def details(self) -> str:
        """As Connection.details()."""
        return self.connection.details()

    def configure_lanes(self, priorities: Sequence[int], weights: Sequence[int] | None = None) -> None:
        """As Connection.configure_lanes()."""
        self.connection.configure_lanes(priorities, weights)

    def set_config(self, config: Config) -> None:
        """As Connection.set_config()."""
        self.connection.set_config(config)

    def get_config(self, option: ConfigValue) -> OptionValue:
        """As Connection.get_config()."""
        return self.connection.get_config(option)

    def reset_config(self, option: ConfigValue, *options: ConfigValue) -> None:
        """As Connection.reset_config()."""
        self.connection.reset_config(option, *options)

    def flush(self) -> None:
        """As Connection.flush()."""
        self.connection.flush()

    # ---- sending ----

    def send(
        self,
        data: Buffer,
        *,
        reliable: bool = True,
        nagle: bool = True,
        lane: int = 0,
        no_delay: bool = False,
        key: bytes | None = None,
    ) -> int:
        """Queues a message; returns its number on its lane, from 1, if it is reliable. Never blocks.

        A reliable one waits here while the peer has no room for it. An unreliable one may be dropped when it must wait:
        the oldest first; with a ``key`` (1 to 64 bytes), a newer one with the same key takes its place, at this end and
        at the other. no_delay: drop it (MessageDropped) rather than wait here; not with a key.
        data: up to the peer's max_message; copied.
        Errors: SendQueueFull (drain() waits), MessageTooLarge, SessionClosed, TypeError, ValueError. Any thread.
        """
        payload = data if type(data) is bytes else bytes(memoryview(data))
        if lane:
            check_lane(lane)
        if key is not None:
            _check_key(key, reliable, no_delay)
        elif len(payload) <= MAX_MESSAGE and (reliable or not self._outbox.has_unreliable):
            flags = (
                (_RELIABLE if reliable else _native.SEND_FRAMED)
                | (0 if nagle else _native.SEND_NO_NAGLE)
                | (_native.SEND_NO_DELAY if no_delay else 0)
            )
            number: int = _native.send(self._handle, payload, len(payload), flags, lane)
            if number > 0:
                return number
        return self._run(self._queue, payload, reliable, nagle, lane, key, not no_delay)

    def _queue(self, payload: bytes, reliable: bool, nagle: bool, lane: int, key: bytes | None, may_wait: bool) -> int:
        """What the core has not taken at once: it waits, or is refused."""
        if lane >= self.connection._lanes:
            raise ValueError(f"lane {lane} is not configured: this connection has {self.connection._lanes}")
        with self._lock:
            engine = self._engine
            if not engine.may_send:
                raise self._closed()
            self._outbox.check_size(payload, key)
            if not may_wait:
                raise MessageDropped("the message would have to wait, and was sent with no_delay")
            if reliable:
                number = self._outbox.put(payload, lane, nagle)
            else:
                number = self._outbox.put_unreliable(payload, lane, nagle, key)
            engine.ask_for_room()
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
        """Queues several messages, in one native call as far as they need not wait, and returns their numbers.

        messages, offsets: as in Connection.send_many(). Errors: as send(). With SendQueueFull and MessageTooLarge the
        messages before the refused one are on their way: the exception's ``sent`` tells how many.
        """
        check_lane(lane)
        if offsets is None:
            data, sizes = joined(messages)
        else:
            data = bytes(memoryview(cast("Buffer", messages)))
            begin, sizes = cut(len(data), offsets)
            data = data[begin:]
        numbers: list[int] = []
        if reliable or not self._outbox.has_unreliable:
            flags = (_RELIABLE if reliable else _native.SEND_FRAMED) | (0 if nagle else _native.SEND_NO_NAGLE)
            taken, first, _ = _native.send_many(self._handle, data, sizes, flags, lane)
            numbers += range(first, first + taken)  # taken is negative once the connection has ended
        begin = sum(sizes[: len(numbers)])
        try:
            for size in sizes[len(numbers) :]:
                payload = data[begin : begin + size]
                numbers.append(self._run(self._queue, payload, reliable, nagle, lane, None, True))
                begin += size
        except (SendQueueFull, MessageTooLarge) as error:
            error.sent = len(numbers)
            raise
        return numbers

    # ---- sink, for the connection ----

    def take_data(self, message: Message, is_due: bool) -> None:
        """Sink's, for the inputs."""
        self._engine.receive_data(message, time.monotonic(), is_ack_due=is_due)

    def take_unreliable(self, message: Message) -> None:
        """Sink's: KEYED costs no more than UNTRACKED does, as long as nothing else is to be done."""
        data, config = message.data, self._engine.config
        end = 2 + data[1] if len(data) > 1 else 0
        if (
            len(data) < end
            or data[:1] != Keyed.PREFIX
            or not 1 <= data[1] <= MAX_KEY
            or not len(data) - 2 <= config.max_message
            or message.lane > MAX_LANE
            or self._engine.watches_data
            or self.inputs
        ):
            self.inputs.append((self.take_message, (message,)))
            self.work()
            return
        self._count_handled(message)
        self._inbox.add_unreliable(message._replace(data=data[end:]), data[2:end])
        if self.readers:
            self.wake()

    def _count_handled(self, message: Message) -> None:
        """Have the core count a message no more against the bounds of what waits."""

    def take_message(self, message: Message) -> None:
        """Sink's, for the inputs."""
        self._engine.receive(message, time.monotonic())

    def take_end(self, end: ConnectionEnd) -> None:
        """Sink's, for the inputs."""
        self._engine.connection_ended(end, time.monotonic())

    def take_room(self) -> None:
        """Sink's, for the inputs."""
        self._engine.flush(time.monotonic())

    def work(self) -> None:
        """Sink's: carry out the inputs."""
        self._run(self._work)

    def _work(self) -> None:
        with self._lock:
            while self.inputs:
                function, arguments = self.inputs[0]
                del self.inputs[0]
                try:
                    function(*arguments)
                except Exception as error:
                    self._fail(error)
        self._tell_change()

    @abstractmethod
    def wake(self) -> None:
        """Sink's."""

    # ---- for the APIs ----

    def _is_own_end(self, error: BaseException) -> bool:
        """Whether it tells of nothing but the end of this session, or of its connection."""
        if isinstance(error, SessionClosed):
            return self._engine.has_delivered(error.end)
        return self.connection._is_own_end(error)

    def _tell_watcher(self) -> None:
        phase = self._engine.phase
        if self._watcher is not None and (phase is Phase.SETTING_UP or phase is not self._watched):
            self._watched = phase
            self._watcher(self)

    @abstractmethod
    def _changed(self) -> None:
        """Something may be different: a message, the phase, room, a time to tick."""

    def _run(self, function: Callable[..., T], *arguments: object) -> T:
        """Call what changes the engine, so that no signal's exception cuts it in two where that can be avoided."""
        return function(*arguments)

    def _act(self, function: Callable[..., None], *arguments: object) -> None:
        """Have the engine do something. What that raises ends the session, is logged, and is not the caller's."""
        with self._lock:
            try:
                function(*arguments, time.monotonic())
            except Exception as error:
                self._fail(error)
        self._tell_change()

    def _fail(self, error: Exception, text: str = "something in it cannot be dealt with") -> None:
        _log.error("%r is ended: %s", self, text, exc_info=error)
        self._engine.fail(text, time.monotonic())

    def _fail_with(self, error: Exception, text: str = "something in it cannot be dealt with") -> None:
        """End the session with INTERNAL_ERROR, and log why. Any thread."""
        with self._lock:
            self._fail(error, text)
        self._tell_change()

    def _tell_change(self) -> None:
        try:
            self._changed()
        except Exception:
            _log.exception("a change of %r could not be told", self)

    def _tick(self) -> None:
        self._run(self._act, self._engine.tick)

    def _acknowledge(self, message: Message | None) -> Message | None:
        """Say what was handled, after that message was taken, and return it."""
        try:
            self._run(self._act_quietly, self._engine.acknowledge)
        except BaseException:  # a signal's
            if message is not None:
                self._inbox.put_back(message)
            raise
        return message

    def _act_quietly(self, function: Callable[..., None]) -> None:
        with self._lock:
            try:
                function(time.monotonic())
                return
            except Exception as error:
                self._fail(error)
        self._tell_change()

    def _take(self) -> Message | None:
        inbox = self._inbox
        message = inbox.take()
        return self._acknowledge(message) if inbox.acks_due != inbox.acks_sent else message

    def _is_drained(self) -> bool:
        """Whether nothing waits for the peer to read. Errors: SessionClosed."""
        with self._lock:
            if not self._engine.may_send:
                raise self._closed()
            return self._outbox.is_empty

    def _begin_close(self, code: int, text: str, data: bytes, *, reason: CloseReason | None = None) -> None:
        """Errors: TypeError, ValueError."""
        check_goodbye(code, text, data)
        if code == EndReason.INTERNAL_ERROR:
            reason = CloseReason.INTERNAL_ERROR
        elif reason is None:
            reason = CloseReason.CLOSED_BY_CLIENT if self._engine.is_client else CloseReason.CLOSED_BY_SERVER
        self._run(self._say_goodbye, reason, code, text, data)

    def _say_goodbye(self, reason: CloseReason, code: int, text: str, data: bytes) -> None:
        self._hold()
        try:
            with self._lock:
                self._engine.close(reason, code, text, data, time.monotonic())
        finally:
            self._tell_change()

    @abstractmethod
    def _hold(self) -> None:
        """See to it that the session goes on until it has ended, if the application has it any more or not."""

    def abort(self, code: int = EndReason.APP_GENERIC, text: str = "") -> None:
        """Ends the session at once: nothing that is on its way arrives, and nothing is waited for.

        The peer's session ends with ABORTED, code and text (cut to 122 bytes). Closing again does nothing.
        Errors: TypeError, ValueError. Any thread. Native: CloseConnection.
        """
        check_goodbye(code, text, b"")
        self._run(self._act, self._engine.abort, code, text)

    def _failed(self) -> SessionFailed:
        end = self._engine.end
        assert end is not None
        return session_failed_error(end, rejected=self._engine.rejected)

    def _closed(self) -> SessionClosed:
        end = self._engine.expected_end
        assert end is not None
        return session_closed_error(end)


def check_goodbye(code: int, text: str, data: bytes) -> None:
    """What an end is told with. Errors: TypeError, ValueError."""
    if not isinstance(code, int) or isinstance(code, bool):
        raise TypeError(f"code must be an int, not {type(code).__name__}")
    if not any(code in each for each in CODES):
        raise ValueError(f"code is {code}: it must be from 1000 to 1899, or from 2000 to 2899")
    if not isinstance(text, str):
        raise TypeError(f"text must be a str, not {type(text).__name__}")
    _TEXT.write(text)
    check_data(data)


def check_data(data: bytes) -> None:
    """What is told with it. Errors: TypeError, ValueError."""
    if not isinstance(data, bytes):
        raise TypeError(f"data must be bytes, not {type(data).__name__}")
    if len(data) > MAX_DATA:
        raise ValueError(f"data has {len(data)} bytes: {MAX_DATA} are the most")


def check_session_config(config: SessionConfig | None) -> SessionConfig:
    """The settings, or the defaults. Errors: TypeError."""
    if config is not None and not isinstance(config, SessionConfig):
        raise TypeError(f"session_config must be a SessionConfig, not {type(config).__name__}")
    return SessionConfig() if config is None else config


def _check_key(key: bytes, reliable: bool, no_delay: bool) -> None:
    if reliable:
        raise ValueError("only unreliable messages have a key: reliable ones all arrive")
    if no_delay:
        raise ValueError("a message with a key may wait: it needs no no_delay")
    if not isinstance(key, bytes):
        raise TypeError(f"key must be bytes, not {type(key).__name__}")
    if not 1 <= len(key) <= MAX_KEY:
        raise ValueError(f"key has {len(key)} bytes: it must have 1 to {MAX_KEY}")
