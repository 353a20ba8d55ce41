"""Signalling over the connection or the session that a player has with the game's server."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from datetime import datetime, timezone
from types import TracebackType
from typing import NamedTuple, TypeVar

from .._core.connection import BaseConnection
from .._core.diversion import Diversion
from .._uncopyable import Uncopyable
from ..identity import Identity
from .ice_servers import IceServers
from .signalling import relayed
from .signalling.checks import check_signal, check_timeout
from .signalling.errors import (
    Refusal,
    SignallingClosed,
    SignallingError,
    SignallingRefused,
    SignallingUnavailable,
    refusal_of,
)
from .signalling.fields import WireError
from .signalling.inbox import Inbox
from .signalling.signalling import MAX_SIGNAL, Signal
from .signalling.wire import ANY, Error, HelloRelay, Message, Ping, Received, Send, Welcome
from .signalling.within import within

_QUEUE = 64
_LOOK = 0.05
"""Seconds between two looks at the connection."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 4.0
"""Seconds between two requests for a welcome."""
_PING = 5.0
_PATIENCE = 10.0
"""Seconds for which a signal waits for a session to be resumed."""
_SHORTEST_REFRESH = 1.0

_Self = TypeVar("_Self", bound="RelaySignalling")
_log = logging.getLogger("gns_py.p2p")


class _Waiting(NamedTuple):
    """A signal that cannot be sent at present."""

    data: bytes
    until: float


class RelaySignalling(Uncopyable):
    """Signalling over the connection or session that a player has with the game's server: see Signalling.

    The server must have a ServerRelay, and must have added the connection. Use this as an ``async with`` block: it
    begins when the relay has answered. The application uses the connection as before; signals do not reach it.

    The connection or session may be of any API and of any loop or thread. Signals arrive while it is read; if no thread
    reads one of gns_py.sync, this does so, as long as at most 1 MiB of messages wait to be taken.

    It ends when the connection or session does, but not in the outages of a session: signals that are sent meanwhile
    wait, up to 64, for 10 s. It ends, too, when the server removes this player from the relay: iterating then raises
    SignallingRefused. A connection can have one RelaySignalling, and another one after that has ended.

    Args:
        connection: The connection or session to the server.
        timeout: Seconds to wait for the relay's answer, on entering the block.

    Raises:
        TypeError: ``connection`` is neither a connection nor a session, or the timeout is not a number.
        ValueError: The timeout is out of range.
        InvalidStateError: On entering: it has a RelaySignalling already, or a session has the connection.
        SignallingRefused: On entering: the server has removed this player from the relay.
        SignallingUnavailable: On entering: there is no answer; the server has no relay, perhaps, or has not added this
            player. Or the connection has ended.
    """

    def __init__(self, connection: BaseConnection, *, timeout: float = 10.0) -> None:
        if not isinstance(connection, BaseConnection):
            raise TypeError(f"connection must be a Connection or a Session, not {type(connection).__name__}")
        check_timeout(timeout)
        self._connection = connection
        self._end = connection.divertible()
        self._timeout = timeout
        self._identity: Identity | None = None
        self._ice: IceServers | None = None
        self._max_signal = MAX_SIGNAL
        self._inbox = Inbox[Signal](_QUEUE)
        self._error: SignallingError | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._welcomed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._waiting: deque[_Waiting] = deque(maxlen=_QUEUE)
        self._arrived: deque[bytes] = deque(maxlen=_QUEUE)  # by another thread
        self._is_announced = False
        self._hello_at: float | None = 0.0
        self._pause = _FIRST_PAUSE
        self._ping_at = 0.0

    def __repr__(self) -> str:
        state = "closed" if self._inbox.has_ended else "open" if self._identity is not None else "not open"
        return f"<{type(self).__module__}.{type(self).__name__} over {self._connection!r} {state}>"

    # ---- Signalling -------------------------------------------------------------------------------------------------

    @property
    def identity(self) -> Identity:
        """This player's identity, as the server knows it. Raises RuntimeError before the block is entered."""
        if self._identity is None:
            raise RuntimeError("the relay has not answered yet: use the signalling as an async with block")
        return self._identity

    @property
    def ice_servers(self) -> IceServers | None:
        """The servers that the relay hands out, or None. They are renewed before their credentials end."""
        return self._ice

    async def send(self, to: Identity, signal: bytes) -> None:
        """Send a signal: see Signalling.

        Args:
            to: The receiver: another player of this server whom this one may reach.
            signal: As many bytes as the relay takes, by default 4,096; never more than 8,192.

        Raises:
            TypeError: A value is of another type.
            ValueError: The signal is larger or empty, or the receiver is not an identity that can have a peer.
            SignallingClosed: The signalling was closed, or has ended.
        """
        check_signal(to, signal, self._max_signal)
        self._check_open()
        data = relayed.wrap(Send(to, signal))
        if self._waiting or not self._end.send_aside(data):
            self._waiting.append(_Waiting(data, self._now + _PATIENCE))

    def __aiter__(self: _Self) -> _Self:
        return self

    async def __anext__(self) -> Signal:
        return await self._inbox.get()

    async def aclose(self) -> None:
        """Close the signalling; the connection goes on. Calling it again does nothing."""
        self._finish(None)
        task = self._task
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def __aenter__(self: _Self) -> _Self:
        if self._task is not None or self._inbox.has_ended:
            raise RuntimeError("a signalling can be opened once")
        self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()
        self._end.divert(Diversion(relayed.PREFIX, self._take, lambda: not self._inbox.has_ended))
        self._task = asyncio.ensure_future(self._run())
        try:
            await within(self._timeout, self._answered())
        except BaseException as error:
            await self.aclose()
            if isinstance(error, TimeoutError):
                text = (
                    f"no relay has answered within {self._timeout:g} s: the server has none, or has not added this end"
                )
                raise SignallingUnavailable(text) from None
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    # ---- the connection ---------------------------------------------------------------------------------------------

    @property
    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    async def _answered(self) -> None:
        await self._welcomed.wait()
        if self._error is not None:
            raise self._error

    async def _run(self) -> None:
        """Look after the connection until this is closed."""
        drops = self._end.drops
        try:
            while not self._inbox.has_ended:
                if self._end.is_over:
                    self._finish(SignallingUnavailable("the connection to the relay has ended"))
                    return
                self._end.read_if_idle()
                if drops != self._end.drops:  # another server may have the session, whose relay is to know this end
                    drops, self._ping_at = self._end.drops, 0.0
                self._send_what_is_due(self._now)
                await asyncio.sleep(_LOOK)
        except Exception as error:
            _log.exception("the signalling over %r has failed", self._connection)
            self._finish(SignallingError(f"it has failed: {error!r}"))

    def _send_what_is_due(self, now: float) -> None:
        if self._hello_at is not None and now >= self._hello_at:
            if self._end.send_aside(relayed.wrap(HelloRelay())):
                self._hello_at = now + self._pause
                self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        elif (
            self._identity is not None and now >= self._ping_at and self._end.send_aside(relayed.wrap(Ping(0)))
        ):  # so that a relay knows this end, and this end learns if it no longer does
            self._ping_at = now + _PING
        while self._waiting:
            data, until = self._waiting[0]
            if until > now and not self._end.send_aside(data):
                return
            self._waiting.popleft()

    def _take(self, data: bytes) -> None:
        """Take a message of the relay, on the thread that reads the connection."""
        loop = self._loop
        if loop is None or self._inbox.has_ended:
            return
        if threading.get_ident() == self._thread:
            self._handle(data)
            return
        self._arrived.append(data)
        if self._is_announced:
            return
        self._is_announced = True
        try:
            loop.call_soon_threadsafe(self._handle_arrived)
        except RuntimeError:  # the loop is closed
            self._arrived.clear()

    def _handle_arrived(self) -> None:
        self._is_announced = False  # first: more may arrive while these are handled
        while self._arrived:
            self._handle(self._arrived.popleft())

    def _handle(self, data: bytes) -> None:
        try:
            self._handle_message(relayed.unwrap(data, relayed.FROM_RELAY))
        except WireError as error:
            _log.debug("a malformed message of the relay is ignored: %s", error)

    def _handle_message(self, message: Message) -> None:
        match message:
            case Received(sender, signal):
                self._inbox.put(Signal(sender, signal))
            case Welcome():
                self._take_welcome(message)
            case Error(request, reason, text) if request == ANY:
                self._finish(SignallingRefused(refusal_of(reason), text))

    def _take_welcome(self, welcome: Welcome) -> None:
        if self._identity is not None and welcome.identity != self._identity:
            text = f"this player was {self._identity}, and the server calls it {welcome.identity} now"
            self._finish(SignallingRefused(Refusal.NOT_AUTHENTICATED, text))
            return
        now = datetime.now(timezone.utc)
        self._identity = welcome.identity
        self._max_signal = welcome.max_signal
        self._ice = None if welcome.ice is None else welcome.ice.servers(now)
        self._hello_at, self._pause = None, _FIRST_PAUSE
        if self._ice is not None and self._ice.expires is not None:
            half = (self._ice.expires - now).total_seconds() / 2
            self._hello_at = self._now + max(half, _SHORTEST_REFRESH)
        self._ping_at = self._now + _PING
        self._welcomed.set()

    def _check_open(self) -> None:
        if self._inbox.has_ended:
            text = "the signalling was closed" if self._error is None else "the signalling has ended"
            raise SignallingClosed(text) from self._error
        if self._identity is None:
            raise RuntimeError("a signalling must be opened first: use it as an async with block")

    def _finish(self, error: SignallingError | None) -> None:
        if self._inbox.has_ended:
            return
        self._error = error
        self._inbox.end(error)
        self._waiting.clear()
        self._welcomed.set()
