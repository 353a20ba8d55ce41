"""listen() and serve()."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import logging
import time
import weakref
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from types import TracebackType
from typing import TypeAlias

from ..._core.callbacks import awaited, check_handler
from ..._core.deadline import Deadline
from ..._core.endpoint import StatusCallback
from ..._core.failures import report
from ..._generated.enums import EndReason
from ..._uncopyable import Uncopyable
from ...address import Address
from ...asyncio import Connection
from ...asyncio import ListenSocket as NativeListenSocket
from ...asyncio import listen as listen_natively
from ...asyncio.awaitable import Opening
from ...asyncio.mailbox import Waiters, forget
from ...config import Config
from ...errors import ConcurrencyError, InvalidStateError, NotRunningError
from ...events import ConnectionRequest
from ...limits import DEFAULT_LIMITS, ConnectionLimits, LimitCounters
from .._core.admission import AdmissionCounters, AdmissionRules
from .._core.registry import Lobby, check_rules, decide, reject_failed, say_goodbye_to_all, take_open
from .._core.request import SessionRequest
from .._core.session import check_data, check_session_config
from ..protocol.config import SessionConfig
from ..protocol.reasons import CloseReason
from ..protocol.server import ServerEngine, ServerStep
from ..protocol.transport import Transport
from .session import Session

_log = logging.getLogger("gns_py")
Request: TypeAlias = SessionRequest[Session]
OnRequest: TypeAlias = Callable[[Request], Awaitable[object] | object]


class ListenSocket(Uncopyable):
    """An open port for sessions. Made by listen(). One task reads it, with ``async for``, for requests.

    As an async context manager it is closed at the end.
    """

    def __init__(self, native: NativeListenSocket, config: SessionConfig, rules: AdmissionRules) -> None:
        self._native = native
        native._connections = weakref.WeakValueDictionary()  # a session that is dropped must not be held by it
        self._config = config
        self._lobby: Lobby[Session] = Lobby(rules)
        self._requests: deque[Request] = deque()
        # Of accept(): those that are not established yet, and those that are and were not returned yet.
        self._accepted: weakref.WeakSet[Session] = weakref.WeakSet()
        self._ready: deque[Session] = deque()
        self._reader = Waiters(native._loop_mailbox.home, "listen socket", native._loop_mailbox)
        self._on_established: Callable[[Session], None] | None = None
        self._gate = asyncio.ensure_future(self._admit())
        self._gate.add_done_callback(lambda _: self._reader.wake())

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__name__} {self.address}>"

    @property
    def address(self) -> Address:
        """Where it listens: (host, port), the port found if 0 was asked for."""
        return self._native.address

    @property
    def sessions(self) -> list[Session]:
        """Those that are established, and not ended."""
        return self._lobby.sessions

    @property
    def counters(self) -> AdmissionCounters:
        """What came of those that wanted a session."""
        return self._lobby.counters

    @property
    def limit_counters(self) -> LimitCounters:
        """What came of those that wanted a connection: how many its limits refused, and why. Any thread."""
        return self._native.limit_counters

    def set_config(self, config: Config) -> None:
        """As gns_py.asyncio.ListenSocket.set_config()."""
        self._native.set_config(config)

    def __aiter__(self) -> ListenSocket:
        """Requests as they come, each to be accepted or rejected, at once or later, until the socket is closed."""
        return self

    async def __anext__(self) -> Request:
        self._check_reader()
        while (request := take_open(self._requests)) is None:
            if self._gate.done():
                raise StopAsyncIteration
            await self._reader.wait()
        return request

    async def accept(self, data: bytes = b"") -> Session:
        """Wait for the next session, and return it once it is established.

        While this waits, every client that comes is accepted with the data, so that one that is slow to confirm keeps
        nobody out. Cancelling it, or a time limit around it, loses none: those that are established and were not
        returned are returned by the next calls.
        Errors: InvalidStateError (the socket is closed), ConcurrencyError, TypeError, ValueError.
        """
        check_data(data)
        self._check_reader()
        while True:
            while (request := take_open(self._requests)) is not None:
                with contextlib.suppress(InvalidStateError):  # it has just given up
                    self._accepted.add(request.accept(data))
            if self._ready:
                session = self._ready[0]  # one step: see runtime.py
                del self._ready[0]
                return session
            if self._gate.done():
                raise InvalidStateError("the listen socket is closed")
            await self._reader.wait()

    def _check_reader(self) -> None:
        self._reader.check_loop()
        if self._reader:
            raise ConcurrencyError("two tasks read the same listen socket at once")

    def drain(self) -> None:
        """Lets nobody in any more; what is there stays."""
        self._lobby.drain()

    def close(self, code: int = EndReason.GOING_AWAY, text: str = "") -> None:
        """Closes the port, and everything that is open there, natively. Closing again does nothing."""
        self._lobby.close_settingup()
        self._native.close(code, text)
        if self._reader.home.is_closed:
            forget(self._gate)

    async def __aenter__(self) -> ListenSocket:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
        await asyncio.wait([self._gate])

    async def _admit(self) -> None:
        with contextlib.suppress(NotRunningError):  # stopped
            async for request in self._native:
                try:
                    if self._lobby.admits(request):
                        self._begin(request)
                except NotRunningError:
                    raise
                except Exception:
                    _log.exception("the set-up with %r failed", request.connection)
                    request.connection._close(EndReason.INTERNAL_ERROR, "the server failed", linger=False)
                del request  # while this waits for the next one it keeps nothing of this one

    def _begin(self, request: ConnectionRequest[Connection]) -> None:
        connection = NativeListenSocket._take(request, None)
        if connection is None:
            self._lobby.give_up(request)
            return
        engines: list[ServerEngine] = []

        address = connection.remote_address

        def make(transport: Transport) -> ServerEngine:
            now = time.monotonic()
            engines.append(ServerEngine(transport, self._config, now, lambda: self._lobby.take_place(address)))
            return engines[0]

        try:
            session = Session(connection, make)
        except BaseException:
            self._lobby.give_up(request)
            raise
        self._lobby.add(session, engines[0])
        session._watcher = self._look
        self._look(session)

    def _look(self, session: Session) -> None:
        step = self._lobby.look(session)
        if step is ServerStep.DECISION:
            engine = session._engine
            assert isinstance(engine, ServerEngine)
            self._requests.append(SessionRequest(session, engine))
            self._reader.wake()
        elif step is ServerStep.NOTHING:
            if session in self._accepted:
                self._accepted.discard(session)
                self._ready.append(session)
                self._reader.wake()
            elif self._on_established is not None:
                try:
                    self._on_established(session)
                except Exception as error:
                    session._fail_with(error)


class listen(Opening[ListenSocket]):  # noqa: N801 - it is used like a function
    """Opens a port for sessions: ``await listen(...)``, or ``async with listen(...) as socket``; a ListenSocket.

    host, port, config, limits, on_status_changed: as in gns_py.asyncio.listen(). session_config: of the sessions.
    rules: whom to let in at all. Errors: as there.
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
        self._rules = check_rules(rules)
        self._config = check_session_config(session_config)
        self._listen = listen_natively(host, port, config=config, limits=limits, on_status_changed=on_status_changed)

    async def _open(self) -> ListenSocket:
        return ListenSocket(await self._listen, self._config, self._rules)


class Server(Uncopyable):
    """A running server: made by serve(). Each session has a task of its own, in which its handler runs.

    As an async context manager it is closed at the end, and its handlers have ended.
    """

    def __init__(
        self, handler: Callable[[Session], Awaitable[object]], on_request: OnRequest | None, listener: ListenSocket
    ) -> None:
        self._handler = partial(awaited, handler)
        self._on_request = on_request
        self._listener = listener
        self._context = contextvars.copy_context()
        self._tasks: set[asyncio.Task[None]] = set()
        self._handlers: set[asyncio.Task[None]] = set()
        listener._on_established = self._start_handler
        self._home = listener._reader.home
        self._decider = asyncio.ensure_future(self._decide_all())

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__name__} {self.address}>"

    @property
    def address(self) -> Address:
        """Where it listens: (host, port), the port found if 0 was asked for."""
        return self._listener.address

    @property
    def sessions(self) -> list[Session]:
        """Those that are established, and not ended."""
        return self._listener.sessions

    @property
    def counters(self) -> AdmissionCounters:
        """What came of those that wanted a session."""
        return self._listener.counters

    @property
    def limit_counters(self) -> LimitCounters:
        """What came of those that wanted a connection: how many its limits refused, and why. Any thread."""
        return self._listener.limit_counters

    def is_serving(self) -> bool:
        """Whether it is open."""
        return not (self._decider.done() or self._listener._gate.done())

    def kick(self, session: Session, code: int = EndReason.APP_GENERIC, text: str = "", data: bytes = b"") -> None:
        """Closes a session from outside of its handler: both ends see CLOSED_BY_CONTROLLER. Errors: as close()."""
        session._begin_close(code, text, data, reason=CloseReason.CLOSED_BY_CONTROLLER)

    def close(self, code: int = EndReason.APP_GENERIC, text: str = "") -> None:
        """Lets nobody in any more, and says goodbye to all, with SERVER_SHUTTING_DOWN. wait_closed() waits for it."""
        self._listener.drain()
        self._listener._lobby.close_settingup()
        say_goodbye_to_all(self.sessions, code, text)
        if self._home.is_closed:
            self._listener.close()
            forget(self._decider)
        elif self.is_serving():
            self._decider.cancel()

    async def wait_closed(self) -> None:
        """Waits until the server is closed, all sessions have ended, and all handlers, except one that calls this."""
        self._home.check("server")
        await asyncio.wait([self._decider])
        await self._wait_handlers(None)
        for session in self.sessions:
            await session.wait_closed()
        self._listener.close()
        await asyncio.wait([self._listener._gate])

    async def serve_forever(self) -> None:
        """Waits until the server is closed. Cancelling it closes the server and waits for the handlers."""
        try:
            await self.wait_closed()
        except asyncio.CancelledError:
            self.close()
            await self.wait_closed()
            raise
        for task in (self._decider, self._listener._gate):
            failure = None if task.cancelled() else task.exception()
            if failure is not None:
                raise RuntimeError("the server ended by itself") from failure

    async def drain(self, timeout: float | None = None) -> bool:
        """Ends the server gently: lets nobody in, waits up to timeout seconds for the handlers, then closes.

        Returns whether all handlers returned by themselves; the others are cancelled. Errors: TypeError, ValueError.
        """
        deadline = Deadline(timeout)
        self._home.check("server")
        self._listener.drain()
        finished = await self._wait_handlers(deadline.remaining())
        self.close()
        for task in self._others():
            task.cancel()
        await self.wait_closed()
        return finished

    async def __aenter__(self) -> Server:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
        await self.wait_closed()

    def _others(self) -> set[asyncio.Task[None]]:
        return {task for task in self._handlers if task is not asyncio.current_task()}

    async def _wait_handlers(self, timeout: float | None) -> bool:
        """Whether all ended in time."""
        others = self._others()
        return not others or not (await asyncio.wait(others, timeout=timeout))[1]

    async def _decide_all(self) -> None:
        async for request in self._listener:
            context = self._context.copy()
            answer: object = context.run(decide, request, self._on_request)
            if inspect.isawaitable(answer):
                task = context.run(asyncio.ensure_future, self._finish_deciding(request, answer))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            del request, answer  # while this waits for the next one it keeps nothing of this one

    async def _finish_deciding(self, request: Request, answer: Awaitable[object]) -> None:
        try:
            await answer
        except Exception as error:
            reject_failed(request, error)

    def _start_handler(self, session: Session) -> None:
        # This runs where the mailbox is read, in nobody's context in particular.
        task = self._context.copy().run(asyncio.ensure_future, self._handle(session))
        self._handlers.add(task)
        task.add_done_callback(self._handlers.discard)

    async def _handle(self, session: Session) -> None:
        try:
            async with session:
                await self._handler(session)
        except BaseException as error:
            report(session, error)


class serve(Opening[Server]):  # noqa: N801 - it is used like a function
    """Starts a server: ``await serve(...)``, or ``async with serve(...) as server``; a Server.

    on_request(request): a function or coroutine function that accepts or rejects, at once or later; without it all are
    accepted. When it raises, the client is rejected with INTERNAL_ERROR. handler(session) runs in a task for each
    established session; when it returns, the session is closed with 1000; when it raises, with 2001, INTERNAL_ERROR,
    and the exception is logged. Other arguments and errors: as listen().
    """

    def __init__(
        self,
        handler: Callable[[Session], Awaitable[object]],
        host: str,
        port: int,
        *,
        on_request: OnRequest | None = None,
        rules: AdmissionRules | None = None,
        config: Config | None = None,
        limits: ConnectionLimits | None = DEFAULT_LIMITS,
        session_config: SessionConfig | None = None,
        on_status_changed: StatusCallback | None = None,
    ) -> None:
        check_handler(handler)
        if on_request is not None and not callable(on_request):
            raise TypeError(f"on_request must be callable, not {type(on_request).__name__}")
        self._handler = handler
        self._on_request = on_request
        self._listen = listen(
            host,
            port,
            rules=rules,
            config=config,
            limits=limits,
            session_config=session_config,
            on_status_changed=on_status_changed,
        )

    async def _open(self) -> Server:
        return Server(self._handler, self._on_request, await self._listen)
