"""serve()."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from ..._core.callbacks import check_handler
from ..._core.checks import StatusCallback
from ..._core.peers import Rendezvous
from ..._generated.enums import EndReason
from ...asyncio.awaitable import AwaitableContext
from ...config import Config
from ...errors import InvalidStateError
from ...limits import DEFAULT_LIMITS, ConnectionLimits
from .._core.admission import AdmissionRules
from .._core.keeper import check_state
from .._core.outages import OnDropped, OnResumed, OutageCallbacks
from .._core.request import decide, reject_failed
from .._core.resumable import ResumableEndpoint
from .._core.server import say_goodbye_to_all
from .._core.session import BaseSession
from ..protocol.config import SessionConfig
from ..store import SessionStore
from .draining import DrainingServer
from .listener import OpenSessionListener
from .loop_listener import LoopListener, Request
from .session import Session

OnRequest: TypeAlias = Callable[[Request], Awaitable[object] | object]


class Server(DrainingServer):
    """A running server, made by serve(). Each session has a task of its own, in which its handler runs.

    As an async context manager it is closed at the end, and its handlers have ended.
    """

    def __init__(
        self, handler: Callable[[Session], Awaitable[object]], on_request: OnRequest | None, listener: LoopListener
    ) -> None:
        super().__init__(handler, listener)
        self._on_request = on_request
        self._context = contextvars.copy_context()
        self._deciding: set[asyncio.Task[None]] = set()
        listener.on_established = self._serve
        self._decider = asyncio.ensure_future(self._decide_all())
        self._acceptors += [self._decider, listener.gate]

    def is_serving(self) -> bool:
        """Return whether the server is open."""
        return not (self._decider.done() or self._listener.gate.done())

    def close(self, code: int = EndReason.APP_GENERIC, text: str = "") -> None:
        """Let no one in from now on, and say goodbye to all, with SERVER_SHUTTING_DOWN. Any thread.

        Returns at once: wait_closed() waits for the sessions and handlers.

        Args:
            code: See Session.close().
            text: See Session.close().

        Raises:
            TypeError: See Session.close().
            ValueError: See Session.close().
        """
        self._turn_newcomers_away()
        self._listener.registry.abort_handshakes()
        say_goodbye_to_all(self.sessions, code, text)
        if self._home.is_closed:
            self._listener.close()
            self._forget_tasks()
        elif self.is_serving():
            self._decider.cancel()

    async def wait_closed(self) -> None:
        """Wait until the server is closed, and all sessions and handlers have ended, except one that calls this."""
        self._home.check("server")
        await asyncio.wait([self._decider])
        await self._wait_handlers(None)
        for session in self.sessions:
            await session.wait_closed()
        self._listener.close()
        await asyncio.wait([self._listener.gate])
        await self._listener.wait_store_closed()

    async def commit(self, states: Mapping[Session, bytes | None]) -> dict[Session, Exception]:
        """Commit many sessions in one round trip: what Session.commit() does, for a tick of a game, for example.

        Args:
            states: The state of each session; None: as it was.

        Returns:
            The exceptions that Session.commit() would have raised, by session; empty if all were stored.

        Raises:
            InvalidStateError: The server has no store.
            TypeError: A state is not bytes.
        """
        self._home.check("server")
        if self._listener.keeper is None:
            raise InvalidStateError("the server has no store")
        for state in states.values():
            check_state(state)
        sessions: dict[ResumableEndpoint, Session] = {BaseSession.session_endpoint_of(each): each for each in states}
        failed = await self._listener.keeper.commit({each: states[session] for each, session in sessions.items()})
        return {sessions[endpoint]: error for endpoint, error in failed.items()}

    async def _decide_all(self) -> None:
        while (request := await self._listener.next_request()) is not None:
            context = self._context.copy()
            answer: object = context.run(decide, request, self._on_request)
            if inspect.isawaitable(answer):
                task = context.run(asyncio.ensure_future, self._finish_deciding(request, answer))
                self._deciding.add(task)
                task.add_done_callback(self._deciding.discard)
            del request, answer  # while this waits for the next one it keeps nothing of this one

    async def _finish_deciding(self, request: Request, answer: Awaitable[object]) -> None:
        try:
            await answer
        except Exception as error:
            reject_failed(request, error)

    def _serve(self, session: Session) -> None:
        # This runs where the mailbox is read, in a context that is not the application's.
        self._context.copy().run(self._start_handler, session, BaseSession.session_endpoint_of(session))


class serve(AwaitableContext[Server]):  # noqa: N801 - it is used like a function
    """Start a server: ``await serve(...)``, or ``async with serve(...) as server``, for a Server.

    It accepts in the background and runs ``await handler(session)`` in a task for each session. When the handler
    returns, the session is closed with 1000; when it raises, with 2001 INTERNAL_ERROR, and the exception is logged.

    Args:
        handler: A coroutine function.
        host: See listen().
        port: See listen().
        on_request: A function or coroutine function that accepts or rejects a request, at once or later; without it
            all are accepted. If it raises, the client is rejected with INTERNAL_ERROR.
        rules: See listen().
        config: See listen().
        limits: See listen().
        require_authentication: See listen().
        session_config: See listen().
        on_status_changed: See listen().
        on_dropped: See listen().
        on_resumed: See listen().
        store: See listen().
        durable: See listen().

    Raises:
        ListenError: See listen().
        OSError: See listen().
        TypeError: The handler is not a coroutine function; see also listen().
        ValueError: See listen().

    Note:
        Native functions: ``CreateListenSocketIP``, ``CreateListenSocketP2P``, ``AcceptConnection``.
    """

    def __init__(
        self,
        handler: Callable[[Session], Awaitable[object]],
        host: str | Rendezvous,
        port: int,
        *,
        on_request: OnRequest | None = None,
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
        check_handler(handler)
        if on_request is not None and not callable(on_request):
            raise TypeError(f"on_request must be callable, not {type(on_request).__name__}")
        self._handler = handler
        self._on_request = on_request
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

    async def _open(self) -> Server:
        return Server(self._handler, self._on_request, await self._open_listener())
