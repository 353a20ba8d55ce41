"""The WebSocket client of the signalling protocol."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from datetime import datetime, timezone
from ssl import SSLContext
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from ..._uncopyable import Uncopyable
from ...identity import Identity
from ..ice_servers import IceServers
from .backoff import Backoff
from .checks import check_room, check_signal
from .errors import (
    Refusal,
    RoomError,
    SignallingClosed,
    SignallingError,
    SignallingRefused,
    SignallingUnavailable,
    refusal_of,
)
from .fields import WireError
from .ice_offer import IceOffer
from .inbox import Inbox
from .link import CredentialsSource, Dialer, TokenSource, closing, give_up, receive
from .memberships import Memberships, Request
from .outbox import Outbox
from .room import Room
from .send_window import SendWindow
from .signalling import MAX_SIGNAL, Signal
from .wire import (
    ANY,
    Create,
    Error,
    GetIceServers,
    Host,
    IceServersMessage,
    Join,
    Joined,
    Left,
    Members,
    Message,
    Pong,
    Received,
    Send,
    Welcome,
)
from .within import within

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

_QUEUE = 64
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
# A login that lasts this many seconds shows that the server is well.
_STEADY = 10.0
_LAST_SIGNALS = 1.0
_SHORTEST_REFRESH = 1.0

_Self = TypeVar("_Self", bound="WebSocketSignalling")
_log = logging.getLogger("gns_py.p2p.signalling")


class WebSocketSignalling(Uncopyable):
    """Signalling over a WebSocket server, such as SignallingServer or ``gns-py signalling serve``: see Signalling.

    Use it as an ``async with`` block: it begins when the server has welcomed this client. If the connection is lost
    later, it connects again by itself, for as long as it takes, and joins its rooms again; meanwhile up to 64 signals
    wait, and the oldest ones are dropped. P2P connections that are established do not need it. It ends when it is
    closed, or when the server refuses it for good: iterating then raises SignallingRefused.

    Args:
        url: ``"wss://sig.example.org"``; ``ws://`` is for tests, since anyone on the way can read the token.
        token: The token that the server's application checks, or a function or coroutine function that returns one
            and is called for each login. It must not block the loop.
        credentials: Instead of a token: the certificate that proves the identity, and its key, or a function or
            coroutine function that returns both and is called for each login.
        server_name: The name of the server, for a login by certificate, if it is not the host in the URL.
        ssl: The context for ``wss://``; None for the default one.
        timeout: The seconds for one attempt to connect and to log in, and for an answer of the server.

    Raises:
        TypeError: A value is of another type.
        ValueError: The URL is not one, or there is not exactly one way to log in, or the timeout is out of range.
        ImportError: The library websockets is not installed; or cryptography, for credentials.
        SignallingRefused: On entering: the server refuses this client.
        SignallingUnavailable: On entering: the server cannot be reached or does not answer.
    """

    def __init__(
        self,
        url: str,
        *,
        token: TokenSource | None = None,
        credentials: CredentialsSource | None = None,
        server_name: str | None = None,
        ssl: SSLContext | None = None,
        timeout: float = 10.0,
    ) -> None:
        self._dialer = Dialer(url, token, credentials, server_name, ssl, timeout)
        self._url = url
        self._timeout = timeout
        self._identity: Identity | None = None
        self._ice: IceServers | None = None
        self._max_signal = MAX_SIGNAL
        self._inbox = Inbox[Signal](_QUEUE)
        self._outbox = Outbox(_QUEUE)
        self._window = SendWindow()
        self._memberships = Memberships(self._outbox.put)
        self._connected = asyncio.Event()
        self._refresh: asyncio.TimerHandle | None = None
        self._first: ClientConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self._error: SignallingError | None = None
        self._is_closing = False

    # ---- Signalling -------------------------------------------------------------------------------------------------

    @property
    def identity(self) -> Identity:
        """This program's identity, as the server has proved it. Raises RuntimeError before the first login."""
        if self._identity is None:
            raise RuntimeError("there was no login yet: use the signalling as an async with block")
        return self._identity

    @property
    def ice_servers(self) -> IceServers | None:
        """The servers that the server hands out, or None. They are renewed before their credentials end."""
        return self._ice

    @property
    def is_connected(self) -> bool:
        """True while this client is logged in; False while it tries to be again, and at the end."""
        return self._connected.is_set() and not self._inbox.has_ended

    async def send(self, to: Identity, signal: bytes) -> None:
        """Send a signal: see Signalling.

        Args:
            to: The receiver: a member of a room that this client is in, unless the server lets all reach all.
            signal: As many bytes as the server takes, by default 4,096; never more than 8,192.

        Raises:
            TypeError: A value is of another type.
            ValueError: The signal is larger or empty, or the receiver is not an identity that can have a peer.
            SignallingClosed: The signalling was closed, or has ended.
        """
        check_signal(to, signal, self._max_signal)
        self._check_open()
        self._outbox.put_signal(to, Send(to, signal).encode())

    def __aiter__(self: _Self) -> _Self:
        return self

    async def __anext__(self) -> Signal:
        return await self._inbox.get()

    async def aclose(self) -> None:
        """Send the signals that wait, and close the connection. Calling it again does nothing. Takes 3 s at most."""
        self._is_closing = True
        was_connected = self.is_connected
        self._end(None)
        self._outbox.close(keep_signals=was_connected)
        task = self._task
        if task is None:
            return
        if not was_connected:
            task.cancel()
        try:
            await asyncio.wait({task}, timeout=_LAST_SIGNALS)
        finally:
            task.cancel()
            await asyncio.wait({task})
            if self._first is not None:  # the task may have been cancelled before it began
                self._first.transport.abort()

    async def __aenter__(self: _Self) -> _Self:
        if self._task is not None or self._is_closing:
            raise RuntimeError("a signalling can be opened once")
        self._first, welcome = await self._dialer.connect()
        self._take_over(welcome)
        self._task = asyncio.ensure_future(self._run(self._first))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        state = "closed" if self._inbox.has_ended else "connected" if self.is_connected else "not connected"
        return f"<WebSocketSignalling {self._url!r}, {state}>"

    # ---- rooms ------------------------------------------------------------------------------------------------------

    async def create_room(self, name: str = "", *, capacity: int = 16) -> Room:
        """Create a room, and become its first member and its host.

        Args:
            name: A name of up to 64 bytes; without one the room gets a code, ``room.name``, to be told to others.
            capacity: The largest number of members, up to 256. The server may allow fewer: see ``room.capacity``.

        Raises:
            RoomError: There is a room with this name, or there are too many.
            TypeError: A value is of another type.
            ValueError: The name or the capacity is out of range.
            SignallingUnavailable: The server did not answer in time.
            SignallingClosed: The signalling was closed, or has ended.
        """
        check_room(name, capacity)
        return await self._request(lambda number: Create(number, name, capacity))

    async def join(self, room: str, *, create: bool = False, capacity: int = 16) -> Room:
        """Join a room; if this client is a member already, the same Room is returned.

        Args:
            room: Its name, or its code in upper or lower case.
            create: True to create the room if there is none.
            capacity: The largest number of members if it is created.

        Raises:
            RoomError: There is no such room, or it is full, or this client is in too many.
            TypeError: A value is of another type.
            ValueError: The name or the capacity is out of range.
            SignallingUnavailable: The server did not answer in time.
            SignallingClosed: The signalling was closed, or has ended.
        """
        check_room(room, capacity)
        if not room:
            raise ValueError("the name of a room to join must not be empty")
        return await self._request(lambda number: Join(number, room, capacity if create else ANY))

    async def _request(self, message_of: Callable[[int], Message]) -> Room:
        self._check_open()
        request = self._memberships.new_request(message_of)
        try:
            room = await within(self._timeout, self._answered(request))
            self._memberships.claim(room)
            return room
        except TimeoutError:
            raise SignallingUnavailable(f"{self._url} did not answer within {self._timeout:g} s") from None
        finally:
            self._memberships.finish(request)

    async def _answered(self, request: Request) -> Room:
        await self._connected.wait()
        self._check_open()
        return await self._memberships.send(request)

    # ---- the connection ---------------------------------------------------------------------------------------------

    async def _run(self, connection: ClientConnection) -> None:
        backoff = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE)
        try:
            while True:
                began = time.monotonic()
                await self._use(connection)
                if self._is_closing:
                    return
                if time.monotonic() - began > _STEADY:
                    backoff.reset()
                connection = await self._connect_again(backoff)
        except SignallingRefused as error:
            _log.warning("%s has refused this client, which does not try again: %s", self._url, error)
            self._end(error)
        except Exception as error:
            _log.exception("the signalling over %s has failed", self._url)
            self._end(SignallingError(f"it has failed: {error!r}"))

    async def _connect_again(self, backoff: Backoff) -> ClientConnection:
        while True:
            await asyncio.sleep(backoff.next())
            try:
                connection, welcome = await self._dialer.connect()
            except SignallingUnavailable as error:
                _log.info("the signalling is not connected yet: %s", error)
                continue
            except SignallingRefused:
                raise
            except Exception:
                _log.exception("the function that returns the token or the credentials has failed")
                continue
            try:
                self._take_over(welcome)
            except BaseException:
                await give_up(connection)
                raise
            return connection

    async def _use(self, connection: ClientConnection) -> None:
        """Receive and send until the connection is lost."""
        from websockets.exceptions import ConnectionClosed

        self._window = SendWindow()
        self._outbox.hold_signals(False)
        writer = asyncio.ensure_future(self._write(connection))
        try:
            async with closing(connection):
                while True:
                    self._handle(await receive(connection))
        except ConnectionClosed as error:
            if not self._is_closing:
                _log.info("the connection to %s is lost: %s", self._url, error)
        except WireError as error:
            _log.warning("%s does not speak this protocol: %s", self._url, error)
        finally:
            self._connected.clear()
            self._outbox.forget_news()
            if self._refresh is not None:
                self._refresh.cancel()
            writer.cancel()
            self._memberships.interrupt(SignallingUnavailable(f"the connection to {self._url} was lost"))
            await asyncio.wait({writer})

    async def _write(self, connection: ClientConnection) -> None:
        from websockets.exceptions import ConnectionClosed

        with contextlib.suppress(ConnectionClosed):
            while (data := await self._outbox.get()) is not None:
                await connection.send(data)
                if data[1] != Send.KIND:
                    continue
                ping = self._window.on_sent()
                self._outbox.hold_signals(self._window.is_full)
                if ping is not None:
                    await connection.send(ping.encode())
            await connection.close()

    def _handle(self, message: Message) -> None:
        match message:
            case Received(sender, data):
                self._inbox.put(Signal(sender, data))
            case Joined() | Left() | Host():
                self._memberships.on_change(message)
            case Members():
                self._memberships.on_members(message, self.identity)
            case Error(request, reason, text) if request == ANY:
                raise SignallingRefused(refusal_of(reason), text)
            case Error(request, reason, text):
                self._memberships.on_refusal(request, RoomError(refusal_of(reason), text))
            case IceServersMessage(ice):
                self._take_ice(ice)
            case Pong(number):
                self._window.on_pong(number)
                self._outbox.hold_signals(self._window.is_full)
            case _:
                raise WireError(f"{type(message).__name__} was not expected")

    def _take_over(self, welcome: Welcome) -> None:
        if self._identity is not None and welcome.identity != self._identity:
            text = f"this client was {self._identity}, and logs in as {welcome.identity} now"
            raise SignallingRefused(Refusal.NOT_AUTHENTICATED, text)
        self._identity = welcome.identity
        self._max_signal = welcome.max_signal
        self._take_ice(welcome.ice)
        self._memberships.begin()
        self._connected.set()

    def _take_ice(self, offer: IceOffer | None) -> None:
        now = datetime.now(timezone.utc)
        self._ice = None if offer is None else offer.servers(now)
        if self._refresh is not None:
            self._refresh.cancel()
            self._refresh = None
        if self._ice is not None and self._ice.expires is not None:
            half = (self._ice.expires - now).total_seconds() / 2
            loop = asyncio.get_running_loop()
            self._refresh = loop.call_later(max(half, _SHORTEST_REFRESH), self._outbox.put, GetIceServers().encode())

    def _check_open(self) -> None:
        if self._inbox.has_ended:
            text = "the signalling was closed" if self._error is None else "the signalling has ended"
            raise SignallingClosed(text) from self._error
        if self._identity is None:
            raise RuntimeError("a signalling must be opened first: use it as an async with block")

    def _end(self, error: SignallingError | None) -> None:
        if self._inbox.has_ended:
            return
        self._error = error
        self._inbox.end(error)
        self._memberships.end(error, SignallingClosed("the signalling was closed"))
        if self._refresh is not None:
            self._refresh.cancel()
        if error is not None:
            self._outbox.close()
        self._connected.set()  # so that requests that wait for it end, too
