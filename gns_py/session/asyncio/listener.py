"""listen()."""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import TypeAlias

from ..._core.checks import StatusCallback
from ..._core.listener import Listener
from ..._generated.enums import EndReason
from ...asyncio import Connection
from ...asyncio.awaitable import AwaitableContext
from ...asyncio.listener import OpenListener
from ...asyncio.mailbox import LoopMailbox
from ...asyncio.requests import LoopRequests
from ...asyncio.waiters import Waiters, forget
from ...config import Config
from ...errors import ConcurrencyError, InvalidStateError, NotRunningError
from ...limits import DEFAULT_LIMITS, ConnectionLimits
from .._core.admission import AdmissionRules
from .._core.checks import check_data, check_rules, check_session_config
from .._core.endpoint import EngineMaker
from .._core.listener import BaseListenSocket, SessionListener
from .._core.request import SessionRequest
from ..protocol.config import SessionConfig
from .endpoint import LoopEndpoint
from .session import Session

Request: TypeAlias = SessionRequest[Session]


class LoopListener(SessionListener[Session]):
    """An open port for sessions, with a task that lets clients in."""

    def __init__(
        self,
        listener: Listener[Connection],
        requests: LoopRequests,
        config: SessionConfig,
        rules: AdmissionRules,
    ) -> None:
        super().__init__(listener, config, rules)
        mailbox = listener.mailbox
        assert isinstance(mailbox, LoopMailbox)
        self.reader = Waiters(mailbox.home, "listen socket", mailbox)
        self.gate = asyncio.ensure_future(self._admit_all(requests))
        self.gate.add_done_callback(lambda _: self.reader.wake())

    def make_session(self, connection: Connection, make_engine: EngineMaker) -> Session:
        """See SessionListener."""
        return Session(LoopEndpoint(connection, make_engine))

    def wake(self) -> None:
        """See SessionListener."""
        self.reader.wake()

    def close(self, code: int = EndReason.GOING_AWAY, text: str = "") -> None:
        """See SessionListener."""
        super().close(code, text)
        if self.reader.home.is_closed:
            forget(self.gate)

    def check_reader(self) -> None:
        """Raise ConcurrencyError if another task waits, RuntimeError in another loop."""
        self.reader.check_loop()
        if self.reader:
            raise ConcurrencyError("two tasks read the same listen socket at once")

    async def next_request(self) -> Request | None:
        """Wait for a request, and return it, or None once the port is closed."""
        self.check_reader()
        while (request := self.take_request()) is None:
            if self.gate.done():
                return None
            await self.reader.wait()
        return request

    async def _admit_all(self, requests: LoopRequests) -> None:
        with contextlib.suppress(NotRunningError):  # stopped
            async for request in requests:
                self.admit(request)
                del request  # while this waits for the next one it keeps nothing of this one


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

        While this waits, every client that comes is accepted with the data, so that one that is slow to confirm does
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
        host: str,
        port: int,
        rules: AdmissionRules | None,
        config: Config | None,
        limits: ConnectionLimits | None,
        session_config: SessionConfig | None,
        on_status_changed: StatusCallback | None,
    ) -> None:
        self._rules = check_rules(rules)
        self._config = check_session_config(session_config)
        # Sessions own their connections: one that is dropped must not be kept by the listener.
        self._open = OpenListener(host, port, config, limits, on_status_changed, owns_connections=False)

    async def __call__(self) -> LoopListener:
        return LoopListener(*await self._open(), self._config, self._rules)


class listen(AwaitableContext[ListenSocket]):  # noqa: N801 - it is used like a function
    """Open a port for sessions: ``await listen(...)``, or ``async with listen(...) as socket``, for a ListenSocket.

    Args:
        host: See gns_py.asyncio.listen().
        port: See gns_py.asyncio.listen().
        rules: Which clients may come in at all.
        config: See gns_py.asyncio.listen().
        limits: See gns_py.asyncio.listen().
        session_config: Settings of the sessions.
        on_status_changed: See gns_py.asyncio.listen().

    Raises:
        ListenError: See gns_py.asyncio.listen().
        OSError: See gns_py.asyncio.listen().
        TypeError: An argument has the wrong type.
        ValueError: An argument is out of range.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        rules: AdmissionRules | None = None,
        config: Config | None = None,
        limits: ConnectionLimits | None = DEFAULT_LIMITS,
        session_config: SessionConfig | None = None,
        on_status_changed: StatusCallback | None = None,
    ) -> None:
        self._open_listener = OpenSessionListener(host, port, rules, config, limits, session_config, on_status_changed)

    async def _open(self) -> ListenSocket:
        return ListenSocket(await self._open_listener())
