"""Peer, in asyncio."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from types import TracebackType
from typing import Any

from .._core.callbacks import check_plain, in_context
from .._core.rendezvous import SignallingEnd
from .._core.runtime import start
from ..asyncio.mailbox import loop_mailbox
from ..errors import ForkedError, GNSError, InvalidStateError, NotRunningError
from ..events import RouteChanged
from .ice_servers import IceServers, check_ice_servers
from .servers import find_servers
from .signalling.checks import check_signalling
from .signalling.errors import SignallingClosed
from .signalling.signalling import Signalling

_log = logging.getLogger("gns_py.p2p")
# Seconds between two looks at what the signalling hands out, and until the known servers are asked again.
_LOOK = 5.0
_ASK_AGAIN = 300.0


class Peer(SignallingEnd):
    """This program as a peer: an async context manager, which needs an open signalling, and does not close it.

    Inside the block, ``at()`` returns the address of another peer, for the connect() of each API; and listen() and
    serve() take the Peer in the place of a host. All of that may be done in other loops and threads, too. After the
    block, established connections go on, and new ones are no longer made.

    GNS is started under the signalling's identity if it does not run yet.

    Args:
        signalling: Carries signals to other peers. It belongs to this loop.
        ice_servers: The servers that help to find routes. None for those that the signalling hands out, or else none.
        on_route_changed: Called with each RouteChanged of the connections to and from other peers, by the loop or the
            thread that reads the connection; it must not be a coroutine function.

    Raises:
        TypeError: An argument has the wrong type.

    Note:
        Entering the block raises InvalidStateError if GNS runs under another identity than the signalling's, or without
        one.
    """

    def __init__(
        self,
        signalling: Signalling,
        *,
        ice_servers: IceServers | None = None,
        on_route_changed: Callable[[RouteChanged[Any]], object] | None = None,
    ) -> None:
        super().__init__()
        check_signalling(signalling)
        check_ice_servers(ice_servers)
        check_plain("on_route_changed", on_route_changed)
        self._signalling = signalling
        self._ice_servers = ice_servers
        if on_route_changed is not None:
            self.on_route_changed = in_context("on_route_changed", on_route_changed)
        self._has_outgoing = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._problem: BaseException | None = None

    def __repr__(self) -> str:
        state = "open" if self.is_open else "closed"
        shown = "not open" if self._opened is None else f"{self.identity} {state}"
        return f"<{type(self).__module__}.{type(self).__name__} {shown}>"

    def check_open(self) -> int:
        """Return the signalling's handle. Not part of the API.

        Raises:
            SignallingClosed: The signalling has ended.
            InvalidStateError: The peer is not open.
        """
        if self._problem is not None:
            raise SignallingClosed("the signalling has ended") from self._problem
        return super().check_open()

    # ---- the block ----

    async def __aenter__(self) -> Peer:
        if self._tasks:
            raise InvalidStateError("a Peer can be used once")
        identity = self._signalling.identity
        start(identity)
        await self._find_servers()
        mailbox = loop_mailbox()
        try:
            self.open(mailbox, identity)
        finally:
            mailbox.detach_if_idle()
        for coroutine in (self._receive(), self._send(), self._follow_servers()):
            self._tasks.append(asyncio.ensure_future(coroutine))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)

    # ---- signals ----

    def on_outgoing(self) -> None:
        """See SignallingEnd."""
        self._has_outgoing.set()

    async def _receive(self) -> None:
        try:
            async for signal in self._signalling:
                self.receive(signal.sender, signal.data)
            self._problem = SignallingClosed("the signalling was closed")
        except (NotRunningError, ForkedError, InvalidStateError):
            pass
        except Exception as error:
            self._problem = error
            if isinstance(error, GNSError):
                _log.warning("the signalling of %r has ended: %s", self, error)
            else:
                _log.exception("the signalling of %r has failed", self)

    async def _send(self) -> None:
        has_failed = False
        while True:
            while self.outgoing:
                to, data = self.outgoing.popleft()
                try:
                    await self._signalling.send(to, data)
                except SignallingClosed:  # the one that receives reports it
                    return
                except Exception:
                    if not has_failed:
                        _log.exception("the signalling of %r does not send; that is not logged again", self)
                    has_failed = True
            self._has_outgoing.clear()
            await self._has_outgoing.wait()
            if not self.is_open:
                return

    # ---- servers ----

    @property
    def _wanted_servers(self) -> IceServers:
        return self._ice_servers or self._signalling.ice_servers or IceServers()

    async def _find_servers(self) -> IceServers:
        wanted = self._wanted_servers
        self.servers = await find_servers(wanted)
        return wanted

    async def _follow_servers(self) -> None:
        """Follow what the signalling hands out: credentials end."""
        loop = asyncio.get_running_loop()
        known, found_at = self._wanted_servers, loop.time()
        while True:
            await asyncio.sleep(_LOOK)
            if self._wanted_servers == known and loop.time() - found_at < _ASK_AGAIN:
                continue
            try:
                known, found_at = await self._find_servers(), loop.time()
            except Exception:
                _log.exception("the ICE servers of %r could not be found", self)
