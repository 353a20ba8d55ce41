"""The part that the sessions of all APIs share. Nothing in here waits."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from ... import _native
from ..._core.checks import check_lane
from ..._core.connection import BaseConnection
from ..._core.diversion import Divertible
from ..._core.sending import SendingConnection, join_buffers, split_sizes
from ..._generated.enums import ConfigValue, EndReason
from ...config import Config
from ...errors import ConnectionClosed, MessageDropped, MessageTooLarge, SendQueueFull
from ..protocol.frames import MAX_MESSAGE
from ..protocol.going_away import GoingAway
from ..protocol.reasons import SessionEnd
from ..protocol.state import Phase
from .checks import check_key
from .resumable import ResumableEndpoint

if TYPE_CHECKING:
    from typing_extensions import Buffer

C = TypeVar("C", bound=SendingConnection)
E = TypeVar("E", bound=ResumableEndpoint)
_RELIABLE = _native.SEND_FRAMED | _native.SEND_RELIABLE


class BaseSession(BaseConnection, Generic[C, E]):
    """The part of the Sessions of all APIs that does not wait."""

    def __init__(self, session: E) -> None:
        super().__init__(session.endpoint)
        self._internal = session
        self._inbox = session.inbox
        self._outbox = session.outbox
        session.belong_to(self)

    def __repr__(self) -> str:
        engine = self._internal.engine
        state = engine.delivered_end or engine.phase.value
        return f"<{type(self).__module__}.{type(self).__name__} {self._internal.endpoint.peer} {state}>"

    def __del__(self, _warn: Callable[..., None] = warnings.warn) -> None:
        session = getattr(self, "_internal", None)  # missing if the constructor failed
        if session is None or session.has_ended or _native.is_forked():  # in a fork it is the parent's
            return
        text = f"unclosed session {self!r}"
        is_unclosed = session.engine.may_send  # else it was closed, and the loop that ran it has ended too early
        session.abandon()  # first: the warning may be an exception
        if is_unclosed:
            _warn(text, ResourceWarning, source=self)

    @staticmethod
    def session_endpoint_of(session: BaseSession[Any, E]) -> E:
        """Return the internal end of a session. Not part of the API."""
        return session._internal

    def divertible(self) -> Divertible:
        """See BaseConnection. Not part of the API."""
        return self._internal

    # ---- state ----

    @property
    def connection(self) -> C:
        """The connection under the session, the present one or the last; not for messages.

        Options, lanes and figures of the session are those of this connection. Lanes and options that were set on the
        session are set on the next one, too.
        """
        return cast("C", self._internal.connection)

    @property
    def id(self) -> bytes:
        """16 bytes, chosen by the server, the same at both ends."""
        return self._internal.engine.session_id

    @property
    def peer_data(self) -> bytes:
        """The data that the other application gave in the handshake, to connect() or to accept()."""
        return self._internal.engine.peer_data

    @property
    def end(self) -> SessionEnd | None:
        """Why the session ended, once all messages before the end have been taken; None before."""
        return self._internal.delivered_end()

    @property
    def phase(self) -> Phase:
        """Where the session stands."""
        return self._internal.engine.phase

    @property
    def is_established(self) -> bool:
        """True while both ends know that they have the session, and neither has said goodbye."""
        return self._internal.is_established

    @property
    def is_connected(self) -> bool:
        """True while it has a connection. Without one it may go on, within ``resume_window``."""
        return self._internal.engine.is_connected

    @property
    def is_going_away(self) -> bool:
        """True once the server has told the client that it will shut down; at both ends."""
        return self._internal.engine.is_going_away

    @property
    def resume_window(self) -> float:
        """Seconds for which it outlives a lost connection, as both ends have agreed; 0: not at all."""
        return self._internal.engine.resume_window

    @property
    def is_durable(self) -> bool:
        """True if the server keeps it in a store, so that another server can go on with it."""
        return self._internal.engine.is_durable

    @property
    def restored(self) -> bool:
        """True at a server that has got it from another one: ``saved_state`` is where that was."""
        return getattr(self._internal.engine, "is_restored", False)

    @property
    def saved_state(self) -> bytes | None:
        """At a server that has got it from another one: the state that was committed last, or None."""
        return self._internal.saved_state

    @property
    def going_away(self) -> GoingAway | None:
        """The server's announcement, on the present connection, that it will shut down, or None. Only at the client."""
        return self._internal.engine.going_away

    @property
    def previous(self) -> SessionEnd | None:
        """How the session before this one ended, if this is not the first one of an iteration over connect()."""
        return self._internal.previous

    @property
    def drops(self) -> int:
        """How often it has lost its connection."""
        return self._internal.engine.drops

    @property
    def time_dropped(self) -> float:
        """For how many seconds in all it had no connection; the present outage counts so far."""
        with self._internal.lock:
            return self._internal.engine.time_dropped(time.monotonic())

    @property
    def dropped(self) -> tuple[int, int]:
        """Unreliable messages discarded in favour of newer ones, as (before sending, before reading).

        Messages that a newer one with the same key has replaced do not count.
        """
        return self._outbox.dropped, self._inbox.dropped

    @property
    def queued(self) -> tuple[int, int]:
        """Bytes and reliable messages that wait at this end until the peer reads or the network takes them."""
        return self._outbox.waiting

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
        """Queue a message. Never blocks. Any thread.

        A reliable message waits here while the peer has no room for it. An unreliable one that must wait may be
        dropped, the oldest first.

        Args:
            data: Bytes or any contiguous buffer, up to the peer's ``max_message``; copied.
            reliable: Whether it has to arrive.
            nagle: Whether it may wait up to ``nagle_time`` for others to share its packet.
            lane: A lane that configure_lanes() has set up.
            no_delay: Whether to drop it rather than wait here; not with a key.
            key: 1 to 64 bytes: a newer unreliable message with the same key replaces it wherever it waits, at either
                end.

        Returns:
            The number of a reliable message on its lane, from 1.

        Raises:
            SendQueueFull: Too many messages wait; drain() waits until there is room.
            MessageTooLarge: The peer does not take messages of this size.
            MessageDropped: ``no_delay`` was set, and the message would have had to wait.
            SessionClosed: The session has ended.
            TypeError: An argument has the wrong type.
            ValueError: The lane is not set up, or the key is wrong.
        """
        payload = data if type(data) is bytes else bytes(memoryview(data))
        if lane:
            check_lane(lane)
        if key is not None:
            check_key(key, reliable=reliable, no_delay=no_delay)
        elif len(payload) <= MAX_MESSAGE and (reliable or not self._outbox.has_unreliable):
            flags = (
                (_RELIABLE if reliable else _native.SEND_FRAMED)
                | (0 if nagle else _native.SEND_NO_NAGLE)
                | (_native.SEND_NO_DELAY if no_delay else 0)
            )
            number: int = _native.send(self._handle, payload, len(payload), flags, lane)
            if number > 0:
                return number
        return self._internal.run(self._queue, payload, reliable, nagle, lane, key, not no_delay)

    def _queue(self, payload: bytes, reliable: bool, nagle: bool, lane: int, key: bytes | None, may_wait: bool) -> int:
        """Let a message wait that the core has not taken at once, or refuse it."""
        _native.is_running()  # raises in a forked child: the session is the parent's
        if lane >= self._endpoint.lanes:
            raise ValueError(f"lane {lane} is not configured: this connection has {self._endpoint.lanes}")
        with self._internal.lock:
            engine = self._internal.engine
            if not engine.may_send:
                raise self._internal.closed_error()
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
        """Queue several messages: in one native call, except for those that must wait. Any thread.

        If a message is refused, those before it have been queued: ``sent`` of SendQueueFull and of MessageTooLarge is
        their count.

        Args:
            messages: See Connection.send_many().
            offsets: See Connection.send_many().
            reliable: See send().
            nagle: See send().
            lane: See send().

        Returns:
            The messages' numbers.

        Raises:
            SendQueueFull: See send().
            MessageTooLarge: See send().
            SessionClosed: The session has ended.
            TypeError: See Connection.send_many().
            ValueError: See Connection.send_many().
        """
        check_lane(lane)
        if offsets is None:
            data, sizes = join_buffers(messages)
        else:
            data = bytes(memoryview(cast("Buffer", messages)))
            begin, sizes = split_sizes(len(data), offsets)
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
                numbers.append(self._internal.run(self._queue, payload, reliable, nagle, lane, None, True))
                begin += size
        except (SendQueueFull, MessageTooLarge) as error:
            error.sent = len(numbers)
            raise
        return numbers

    def configure_lanes(self, priorities: Sequence[int], weights: Sequence[int] | None = None) -> None:
        """Set up this end's outgoing lanes, on this connection and those that follow. See Connection.

        Raises:
            TypeError: See Connection.
            ValueError: See Connection.
            SessionClosed: The session has ended.
        """
        with self._also_without_connection():
            super().configure_lanes(priorities, weights)
        self._endpoint.lanes = len(priorities)
        shares = [1] * len(priorities) if weights is None else list(weights)
        self._internal.lanes = list(priorities), shares

    def set_config(self, config: Config) -> None:
        """Set options of this connection and of those that follow. See Connection.

        Raises:
            ConfigError: See Connection.
            ValueError: See Connection.
            SessionClosed: The session has ended.
        """
        with self._also_without_connection():
            super().set_config(config)
        self._internal.options |= config

    def reset_config(self, option: ConfigValue, *options: ConfigValue) -> None:
        """Restore the inherited value of these options, on this connection and those that follow. See Connection.

        Raises:
            ConfigError: See Connection.
            SessionClosed: The session has ended.
        """
        with self._also_without_connection():
            super().reset_config(option, *options)
        names = {each.name.lower(): None for each in (option, *options)}
        self._internal.options = replace(self._internal.options, **names)

    @contextlib.contextmanager
    def _also_without_connection(self) -> Iterator[None]:
        """Let a setting wait for the next connection if the session has lost its own."""
        try:
            yield
        except ConnectionClosed:
            if self._internal.has_ended:
                raise self._internal.closed_error() from None

    def reconnect(self) -> None:
        """Give up the connection for another one, at once, without losing a message. Only the client. Any thread.

        For a phone that has changed networks, for example, and knows it before a timeout does. If an attempt is under
        way, a pause before it is cut short.

        Raises:
            InvalidStateError: This is a server's session, or it has no ``resume_window``.
            SessionClosed: The session has ended.
        """
        _native.is_running()  # see _queue()
        self._internal.reconnect()

    def move(self) -> None:
        """Leave a server that is going away, for the addresses that it has named, or others of its own. Any thread.

        A durable session goes on at another server, with nothing lost. Any other one says goodbye, with
        SERVER_SHUTTING_DOWN, after everything that was sent; what the server still sends can be read, up to the end;
        then an iteration over connect() begins a new session elsewhere. Does nothing if the server is not going away,
        or if the session is being closed.

        Raises:
            InvalidStateError: This is a server's session.
            SessionClosed: The session has ended.
        """
        _native.is_running()  # see _queue()
        self._internal.move()

    def abort(self, code: int = EndReason.APP_GENERIC, text: str = "") -> None:
        """End the session at once: nothing that is on its way arrives, and nothing is waited for. Any thread.

        The peer's session ends with ABORTED, code and text. Aborting a session that has ended does nothing.

        Args:
            code: See close().
            text: See close(); cut to 122 bytes.

        Raises:
            TypeError: See close().
            ValueError: See close().

        Note:
            Native function: ``CloseConnection``.
        """
        self._internal.abort(code, text)
