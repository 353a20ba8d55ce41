"""Peer, for threads."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, TypeVar

from .._core.callbacks import check_plain, in_context
from .._core.peers import PeerAddress, Policy, Rendezvous
from .._loop_thread import LoopThread
from .._uncopyable import Uncopyable
from ..config import Config
from ..errors import InvalidStateError
from ..events import RouteChanged
from ..identity import Identity
from .ice_servers import IceServers, check_ice_servers
from .peer import Peer
from .signalling.blocking import run_in
from .signalling.checks import check_signalling
from .signalling.signalling import Signalling

T = TypeVar("T")
_NOT_OPEN = "the peer is not open: use it in its with block"


class BlockingPeer(Rendezvous, Uncopyable):
    """This program as a peer, for threads: a context manager, which opens its signalling, and closes it at the end.

    The signalling and the peer run in an event loop of their own, in a thread of their own::

        with BlockingPeer(WebSocketSignalling(url, token=token)) as peer:
            room = peer.run(peer.signalling.join("lobby"))
            with gns_py.sync.connect(peer.at(room.host)) as connection:
                ...

    See Peer for what may be done inside the block, and afterwards. Several threads may call all methods at once.

    Args:
        signalling: A signalling of asyncio that is not opened yet, or a function that makes it in the event loop.
        ice_servers: See Peer.
        on_route_changed: See Peer.

    Raises:
        TypeError: An argument has the wrong type.

    Note:
        Entering the block raises what opening the signalling raises, RuntimeError if the system has no more threads,
        and InvalidStateError if GNS runs under another identity than the signalling's, or without one.
    """

    def __init__(
        self,
        signalling: Signalling | Callable[[], Signalling],
        *,
        ice_servers: IceServers | None = None,
        on_route_changed: Callable[[RouteChanged[Any]], object] | None = None,
    ) -> None:
        if hasattr(signalling, "send") or not callable(signalling):
            check_signalling(signalling)
        check_ice_servers(ice_servers)
        check_plain("on_route_changed", on_route_changed)
        if on_route_changed is not None:
            self.on_route_changed = in_context("on_route_changed", on_route_changed)
        self._ice_servers = ice_servers
        self._given = signalling
        self._signalling: Any = None
        self._stack = AsyncExitStack()
        self._thread: LoopThread | None = None
        self._peer: Peer | None = None

    # ---- the block ----

    def __enter__(self) -> BlockingPeer:
        if self._thread is not None:
            raise RuntimeError("a BlockingPeer can be used once")
        self._thread = LoopThread("gns_py peer")
        try:
            self.run(self._open())
        except BaseException:
            self._thread.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._thread is not None
        try:
            self.run(self._stack.aclose())
        finally:
            self._thread.stop()

    async def _open(self) -> None:
        try:
            given: Any = self._given
            signalling = given if hasattr(given, "send") else given()
            if hasattr(signalling, "__aenter__"):
                await self._stack.enter_async_context(signalling)
            else:
                self._stack.push_async_callback(signalling.aclose)
            self._signalling = signalling
            self._peer = await self._stack.enter_async_context(Peer(signalling, ice_servers=self._ice_servers))
        except BaseException:
            await self._stack.aclose()
            raise

    # ---- inside the block ----

    @property
    def signalling(self) -> Any:  # noqa: ANN401 - whichever it is, with its own methods
        """The signalling of asyncio. Call its methods by ``run()`` alone."""
        return self._signalling

    def run(self, coroutine: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        """Run a coroutine in the signalling's event loop, and return what it returns.

        Args:
            coroutine: Such as ``peer.signalling.join("lobby")``.
            timeout: The seconds to wait at most, after which it is cancelled; None for ever.

        Raises:
            TimeoutError: It did not end in time.
            SignallingClosed: The block has ended.
            Exception: The coroutine has raised it.
        """
        if self._thread is None:
            coroutine.close()
            raise InvalidStateError(_NOT_OPEN)
        return run_in(self._thread, coroutine, timeout)

    @property
    def identity(self) -> Identity:
        """The identity by which others reach this end."""
        return self._opened().identity

    # ---- Rendezvous ----

    def _opened(self) -> Peer:
        if self._peer is None:
            raise InvalidStateError(_NOT_OPEN)
        return self._peer

    def check_entered(self) -> None:
        """See Rendezvous."""
        self._opened()

    def begin_connect(self, mailbox: int, address: PeerAddress, options: Config, policy: Policy) -> int:
        """See Rendezvous."""
        return self._opened().begin_connect(mailbox, address, options, policy)

    def open_port(self, mailbox: int, port: int, options: Config, policy: Policy) -> int:
        """See Rendezvous."""
        return self._opened().open_port(mailbox, port, options, policy)
