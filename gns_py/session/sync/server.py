"""serve()."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from ..._core.callbacks import check_plain, in_context
from ..._core.checks import StatusCallback
from ..._core.deadline import Deadline
from ..._core.peers import Rendezvous
from ..._generated.enums import EndReason
from ...config import Config
from ...errors import InvalidStateError, NotRunningError
from ...limits import DEFAULT_LIMITS, ConnectionLimits
from .._core.admission import AdmissionRules
from .._core.keeper import check_state
from .._core.outages import OnDropped, OnResumed, OutageCallbacks
from .._core.request import decide, reject_failed
from .._core.resumable import ResumableEndpoint
from .._core.server import say_goodbye_to_all
from .._core.session import BaseSession
from ..protocol.config import SessionConfig
from ..store import SessionStore, StoreUnavailable
from .draining import DrainingServer
from .listener import open_session_listener
from .session import Session
from .thread_listener import Request, ThreadListener

OnRequest: TypeAlias = Callable[[Request], Session | None]


class Server(DrainingServer):
    """A running server, made by serve(). Each session has a thread of its own, in which its handler runs.

    As a context manager it is closed at the end, and its handlers have ended.
    """

    def __init__(
        self, handler: Callable[[Session], None], on_request: OnRequest | None, listener: ThreadListener
    ) -> None:
        super().__init__(handler, listener)
        self._on_request = None if on_request is None else in_context("on_request", on_request)
        listener.on_established = self._serve
        self._acceptor.start()

    def is_serving(self) -> bool:
        """Return whether the server is open."""
        return self._acceptor.is_alive() and not self._is_closing

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
        self._is_closing = True
        say_goodbye_to_all(self.sessions, code, text)
        self._wake_acceptor()

    def commit(self, states: Mapping[Session, bytes | None]) -> dict[Session, Exception]:
        """Commit many sessions in one round trip: what Session.commit() does, for a tick of a game, for example.

        Args:
            states: The state of each session; None: as it was.

        Returns:
            The exceptions that Session.commit() would have raised, by session; empty if all were stored.

        Raises:
            InvalidStateError: The server has no store.
            TypeError: A state is not bytes.
        """
        if self._listener.store_thread is None or self._listener.keeper is None:
            raise InvalidStateError("the server has no store")
        for state in states.values():
            check_state(state)
        sessions: dict[ResumableEndpoint, Session] = {BaseSession.session_endpoint_of(each): each for each in states}
        endpoints = {each: states[session] for each, session in sessions.items()}
        failed: dict[ResumableEndpoint, Exception]
        try:
            failed = self._listener.store_thread.call(self._listener.keeper.commit(endpoints))
        except StoreUnavailable as error:  # the server is closed
            failed = dict.fromkeys(endpoints, error)
        return {sessions[endpoint]: error for endpoint, error in failed.items()}

    def _is_finished(self) -> bool:
        return self._is_closing and all(
            BaseSession.session_endpoint_of(session).engine.end is not None for session in self.sessions
        )

    def _accept_some(self) -> None:
        listener = self._listener
        listener.look(Deadline(self._next_look()))
        while not self._is_closing and (request := listener.take_request()) is not None:
            self._decide(request)
        if self.is_draining and not self._is_closing:
            self._go_on_draining()

    def _on_finished(self) -> None:
        self._is_closing = True
        self._listener.close()
        self._end_draining()

    def _decide(self, request: Request) -> None:
        try:
            decide(request, self._on_request)
        except NotRunningError:
            raise
        except BaseException as error:  # a SystemExit, for example, ends no thread of the server's
            reject_failed(request, error)

    def _serve(self, session: Session) -> None:
        endpoint = BaseSession.session_endpoint_of(session)
        try:
            self._start_handler(session, endpoint, endpoint.endpoint.peer)
        except RuntimeError as error:  # the system has no more threads
            endpoint.fail_with(error, "the server has no thread left for another session")


def serve(
    handler: Callable[[Session], None],
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
) -> Server:
    """Start a server and return it: it accepts in the background and runs ``handler(session)`` in a thread for each.

    When the handler returns, its session is closed with 1000; when it raises, with 2001 INTERNAL_ERROR, and the
    exception is logged.

    Args:
        handler: A plain function; runs in the context (contextvars) of serve().
        host: See listen().
        port: See listen().
        on_request: Accepts or rejects a request, at once or, from any thread, later; without it all are accepted. It
            runs in the thread that reads all requests, so it must be quick. If it raises, the client is rejected with
            INTERNAL_ERROR.
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
        TypeError: A function is not a plain function; see also listen().
        ValueError: See listen().

    Note:
        Native functions: ``CreateListenSocketIP``, ``CreateListenSocketP2P``, ``AcceptConnection``.
    """
    check_plain("handler", handler)
    check_plain("on_request", on_request)
    callbacks = OutageCallbacks(on_dropped, on_resumed)
    listener = open_session_listener(
        host,
        port,
        rules,
        config,
        limits,
        session_config,
        on_status_changed,
        callbacks,
        store,
        durable,
        require_authentication,
    )
    return Server(handler, on_request, listener)
