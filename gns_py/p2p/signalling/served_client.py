"""One client of a signalling server, from its first message to its last."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from ...identity import Identity
from ..ice_servers import IceServers
from .errors import Refusal, RoomError, SignallingRefused, SignallingUnavailable
from .fields import WireError
from .ice_offer import IceOffer
from .limits import Bucket, SignallingLimits
from .login import Login
from .outbox import Outbox
from .switchboard import Switchboard, refusal
from .wire import (
    FROM_CLIENT,
    Create,
    Error,
    GetIceServers,
    IceServersMessage,
    Join,
    Message,
    VersionError,
    Welcome,
    decode,
)
from .within import within

if TYPE_CHECKING:
    from websockets.asyncio.server import ServerConnection

MAX_UNSENT = 256 * 1024
"""The bytes that may wait to be sent to a client that does not read them; pongs, too, which no one can hold back."""
_LAST_WORDS = 2.0
_GOING_AWAY = 1001
_POLICY_VIOLATION = 1008
_INTERNAL_ERROR = 1011
_TRY_AGAIN_LATER = 1013

_log = logging.getLogger("gns_py.p2p.signalling")
GetServers = Callable[[Identity], Awaitable["IceServers | None"]]


class ServedClient:
    """A connection of a client: its login, its messages, and what is sent to it.

    Args:
        websocket: The connection.
        login: Checks who it is.
        switchboard: Passes on what it sends.
        limits: The limits.
        ice_servers: Returns the ICE servers for an identity.
    """

    def __init__(
        self,
        websocket: ServerConnection,
        login: Login,
        switchboard: Switchboard,
        limits: SignallingLimits,
        ice_servers: GetServers,
    ) -> None:
        self._websocket = websocket
        self._login = login
        self._switchboard = switchboard
        self._limits = limits
        self._ice_servers = ice_servers
        now = time.monotonic()
        self._signals = Bucket(limits.signals_per_second, limits.signal_burst, now)
        self._requests = Bucket(limits.room_requests_per_second, limits.room_request_burst, now)
        self._outbox = Outbox(limits.signal_queue)
        self._last_words = _GOING_AWAY, ""
        self._giving_up: asyncio.TimerHandle | None = None
        self.ended = asyncio.Event()
        """Set once the connection has ended."""
        self._unsent = 0
        self._stuck_since: float | None = None

    async def serve(self) -> None:
        """Serve the client until its connection ends. Raises nothing but what cancels the task."""
        from websockets.exceptions import ConnectionClosed

        writer = asyncio.ensure_future(self._write())
        try:
            with contextlib.suppress(ConnectionClosed):
                await self._serve()
        except SignallingRefused as error:
            _log.debug("a client is refused: %s", error)
            self._refuse(error)
        except SignallingUnavailable as error:
            _log.debug("a client is sent away: %s", error)
            self._last_words = _TRY_AGAIN_LATER, ""
        except Exception:
            _log.exception("serving a client of the signalling server has failed")
            self._last_words = _INTERNAL_ERROR, ""
        finally:
            try:
                await self._finish(writer)
            finally:
                self.ended.set()

    def end(self, refused: SignallingRefused | None = None) -> None:
        """End the connection, soon, and tell the client why; None if it is to come back."""
        if refused is not None:
            self._refuse(refused)
        self._outbox.close()
        if self._giving_up is None:
            self._giving_up = asyncio.get_running_loop().call_later(_LAST_WORDS, self._websocket.transport.abort)

    def look(self, now: float) -> None:
        """Give the connection up if the client does not take what is sent to it. To be called now and then."""
        unsent = self._websocket.transport.get_write_buffer_size()
        if unsent < self._unsent or not unsent:
            self._stuck_since = None
        elif self._stuck_since is None:
            self._stuck_since = now
        self._unsent = unsent
        is_stuck = self._stuck_since is not None and now - self._stuck_since > self._limits.send_timeout
        if is_stuck or unsent > MAX_UNSENT or self._outbox.is_overfull:
            self._switchboard.counters.violations += 1
            _log.debug("a client is given up: it does not read what is sent to it")
            self._websocket.transport.abort()

    async def _serve(self) -> None:
        counters = self._switchboard.counters
        try:
            identity, welcome = await within(self._limits.hello_timeout, self._log_in())
        except TimeoutError:
            counters.refused_logins += 1
            raise SignallingUnavailable("no login in time") from None
        except (SignallingRefused, SignallingUnavailable):
            counters.refused_logins += 1
            raise
        self._outbox.put(welcome)
        self._switchboard.enter(identity, self._outbox, self.end)
        try:
            while not self._outbox.is_closed:
                await self._handle(identity, await self._receive())
        except SignallingRefused:
            counters.violations += 1
            raise
        finally:
            self._switchboard.leave(identity, self._outbox)

    async def _log_in(self) -> tuple[Identity, bytes]:
        """Return who the client is, and what it is told."""
        challenge = self._login.challenge()
        self._outbox.put(challenge.encode())
        identity = await self._login.identity(await self._receive(), challenge)
        offer = await self._offer(identity)
        return identity, Welcome(identity, self._limits.max_signal, offer).encode()

    async def _offer(self, identity: Identity) -> IceOffer | None:
        servers = await self._ice_servers(identity)
        return None if servers is None else IceOffer.of(servers, datetime.now(timezone.utc))

    async def _handle(self, identity: Identity, message: Message) -> None:
        is_request = isinstance(message, Create | Join | GetIceServers)
        await self._wait_for(self._requests if is_request else self._signals)
        if self._outbox.is_closed:
            return
        if isinstance(message, GetIceServers):
            self._outbox.put(IceServersMessage(await self._offer(identity)).encode())
            return
        try:
            self._switchboard.handle(identity, message, time.monotonic())
        except RoomError as error:
            assert isinstance(message, Create | Join)
            self._outbox.put(refusal(message.request, error))
        except TypeError as error:
            raise SignallingRefused(Refusal.PROTOCOL, str(error)) from None

    async def _wait_for(self, bucket: Bucket) -> None:
        """Wait until the client may go on. Meanwhile nothing of it is read, and its own network holds it back."""
        if not bucket.take(time.monotonic()):
            self._switchboard.counters.pauses += 1
            while not bucket.take(time.monotonic()):
                await asyncio.sleep(bucket.delay(time.monotonic()))

    async def _receive(self) -> Message:
        data = await self._websocket.recv()
        if isinstance(data, str):
            raise SignallingRefused(Refusal.PROTOCOL, "messages are binary")
        try:
            message = decode(data)
        except VersionError as error:
            raise SignallingRefused(Refusal.VERSION, str(error)) from None
        except WireError as error:
            raise SignallingRefused(Refusal.PROTOCOL, str(error)[:80]) from None
        if message.KIND not in FROM_CLIENT:
            raise SignallingRefused(Refusal.PROTOCOL, f"{type(message).__name__} is not a client's message")
        return message

    async def _write(self) -> None:
        """Send what waits, one message after the other, and end the connection after the last one."""
        from websockets.exceptions import ConnectionClosed

        with contextlib.suppress(ConnectionClosed):
            while (data := await self._outbox.get()) is not None:
                await self._websocket.send(data)
            await self._websocket.close(*self._last_words)

    def _refuse(self, error: SignallingRefused) -> None:
        """Let an ERROR be the last message, and the connection be closed."""
        self._outbox.put(Error(0, error.reason.value, error.text).encode())
        self._outbox.close()
        self._last_words = _POLICY_VIOLATION, error.reason.name.lower()

    async def _finish(self, writer: asyncio.Task[None]) -> None:
        """Let what is left be sent, and the connection be closed; without the client's consent if it takes too long."""
        self._outbox.close()
        try:
            await asyncio.wait({writer}, timeout=_LAST_WORDS)
        finally:
            self._websocket.transport.abort()
            if self._giving_up is not None:
                self._giving_up.cancel()
            writer.cancel()
            await asyncio.wait({writer})
        if not writer.cancelled() and (error := writer.exception()) is not None:
            _log.error("sending to a client of the signalling server has failed", exc_info=error)
