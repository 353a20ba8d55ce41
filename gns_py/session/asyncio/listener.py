"""listen()."""

from __future__ import annotations

import asyncio
from types import TracebackType

from ..._core.checks import StatusCallback
from ..._core.peers import Rendezvous
from ...asyncio.awaitable import AwaitableContext
from ...asyncio.listener import OpenListener
from ...config import Config
from ...errors import InvalidStateError
from ...limits import DEFAULT_LIMITS, ConnectionLimits
from .._core.admission import AdmissionRules
from .._core.checks import check_data, check_rules, check_session_config
from .._core.listen_socket import BaseListenSocket
from .._core.outages import NO_CALLBACKS, OnDropped, OnResumed, OutageCallbacks
from ..protocol.config import SessionConfig
from ..store import SessionStore
from .loop_listener import LoopListener, Request
from .session import Session


class ListenSocket(BaseListenSocket[Session]):
    """An open port for sessions, made by listen(). One task reads it, with ``async for``, for requests.

    As an async context manager it is closed at the end.
    """

    _listener: LoopListener

    def __aiter__(self) -> ListenSocket:
        """Iterate over requests as they arrive, each to be accepted or rejected, until the socket is closed."""
        return self

    async def __anext__(self) -> Request:
        request = await self._listener.next_request()
        if request is None:
            raise StopAsyncIteration
        return request

    async def accept(self, data: bytes = b"") -> Session:
        """Wait for the next session and return it once it is established.

        While this waits, every client that arrives is accepted with the data, so that one that is slow to confirm does
        not hold up others. Cancelling this, or a time limit around it, loses no session: those that are established
        and were not returned are returned by the next calls.

        Args:
            data: See SessionRequest.accept().

        Raises:
            InvalidStateError: The socket is closed.
            ConcurrencyError: Another task is reading.
            TypeError: ``data`` is not bytes.
            ValueError: ``data`` is too long.
        """
        check_data(data)
        listener = self._listener
        listener.check_reader()
        while True:
            listener.accept_all(data)
            if (session := listener.take_ready()) is not None:
                return session
            if listener.gate.done():
                raise InvalidStateError("the listen socket is closed")
            await listener.reader.wait()

    async def __aenter__(self) -> ListenSocket:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
        await asyncio.wait([self._listener.gate])


class OpenSessionListener:
    """Opens a port when it is called. See listen()."""

    def __init__(
        self,
        host: str | Rendezvous,
        port: int,
        rules: AdmissionRules | None,
        config: Config | None,
        limits: ConnectionLimits | None,
        session_config: SessionConfig | None,
        on_status_changed: StatusCallback | None,
        callbacks: OutageCallbacks = NO_CALLBACKS,
        store: SessionStore | None = None,
        durable: bool = False,
        require_authentication: bool | None = None,
    ) -> None:
        if durable and store is None:
            raise ValueError("durable sessions need a store")
        self._store = store
        self._durable = durable
        self._callbacks = callbacks
        self._rules = check_rules(rules)
        self._config = check_session_config(session_config)
        # Sessions own their connections: one that is dropped must not be kept by the listener.
        self._open = OpenListener(
            host,
            port,
            config,
            limits,
            on_status_changed,
            require_authentication=require_authentication,
            owns_connections=False,
        )

    async def __call__(self) -> LoopListener:
        """Open the port in the running loop, and return its listener."""
        store = self._store
        if store is None:
            return LoopListener(*await self._open(), self._config, self._rules, self._callbacks)
        await store.open()  # first: whoever comes may have a session there
        try:
            listener = LoopListener(*await self._open(), self._config, self._rules, self._callbacks)
        except BaseException:
            await store.aclose()
            raise
        listener.keep_in(store, durable=self._durable)
        return listener


class listen(AwaitableContext[ListenSocket]):  # noqa: N801 - it is used like a function
    """Open a port for sessions: ``await listen(...)``, or ``async with listen(...) as socket``, for a ListenSocket.

    Args:
        host: See gns_py.asyncio.listen().
        port: See gns_py.asyncio.listen().
        rules: Which clients may come in at all.
        config: See gns_py.asyncio.listen().
        limits: See gns_py.asyncio.listen().
        require_authentication: See gns_py.asyncio.listen().
        session_config: Settings of the sessions.
        on_status_changed: See gns_py.asyncio.listen().
        on_dropped: Called with a session, and why, when it has lost its connection and may get another one.
        on_resumed: Called with a session, and the number of messages that are sent again, when it has one.
        store: Where durable sessions are kept. It is opened, and closed at the end.
        durable: Whether sessions are durable unless accept() says otherwise.

    Raises:
        ListenError: See gns_py.asyncio.listen().
        OSError: See gns_py.asyncio.listen().
        TypeError: An argument has the wrong type.
        ValueError: An argument is out of range.

    Note:
        Native functions: ``CreateListenSocketIP``, ``CreateListenSocketP2P``.
    """

    def __init__(
        self,
        host: str | Rendezvous,
        port: int,
        *,
        rules: AdmissionRules | None = None,
        config: Config | None = None,
        limits: ConnectionLimits | None = DEFAULT_LIMITS,
        require_authentication: bool | None = None,
        session_config: SessionConfig | None = None,
        on_status_changed: StatusCallback | None = None,
        on_dropped: OnDropped | None = None,
        on_resumed: OnResumed | None = None,
        store: SessionStore | None = None,
        durable: bool = False,
    ) -> None:
        self._open_listener = OpenSessionListener(
            host,
            port,
            rules,
            config,
            limits,
            session_config,
            on_status_changed,
            OutageCallbacks(on_dropped, on_resumed),
            store,
            durable,
            require_authentication,
        )

    async def _open(self) -> ListenSocket:
        return ListenSocket(await self._open_listener())
