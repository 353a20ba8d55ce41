"""Open ports for sessions: the internal listener, and what all listen sockets offer. Nothing in here waits."""

from __future__ import annotations

import contextlib
import logging
import time
import weakref
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Generic, cast

from ... import _native
from ..._core.connection import BaseConnection
from ..._core.listener import Listener
from ..._core.request import ConnectionRequest
from ..._generated.enums import ConfigScope, EndReason
from ..._uncopyable import Uncopyable
from ...address import Address
from ...config import Config
from ...errors import InvalidStateError, NotRunningError
from ...limits import LimitCounters
from ..protocol.config import SessionConfig
from ..protocol.reasons import CloseReason
from ..protocol.server import ServerEngine, ServerStep
from ..protocol.transport import Transport
from .admission import AdmissionCounters, AdmissionRules
from .checks import check_goodbye
from .endpoint import EngineMaker, SessionEndpoint
from .registry import SessionRegistry
from .request import S, SessionRequest, take_open
from .session import BaseSession

_log = logging.getLogger("gns_py")


class SessionListener(ABC, Generic[S]):
    """An open port for sessions; listen sockets and servers are the application's views of it."""

    def __init__(self, listener: Listener[Any], config: SessionConfig, rules: AdmissionRules) -> None:
        self.listener = listener
        self.registry: SessionRegistry[S] = SessionRegistry(rules)
        self.on_established: Callable[[S], None] | None = None
        """Called with each session that accept_all() has not accepted."""
        self._config = config
        self._requests: deque[SessionRequest[S]] = deque()
        # Sessions that accept_all() has accepted: not established yet; established, and not taken yet.
        self._accepted: weakref.WeakSet[S] = weakref.WeakSet()
        self._ready: deque[S] = deque()

    # ---- what the APIs add ----

    @abstractmethod
    def make_session(self, connection: Any, make_engine: EngineMaker) -> S:  # noqa: ANN401 - the API's own class
        """Make a session, in whose handshake the client speaks first."""

    @abstractmethod
    def wake(self) -> None:
        """Wake the thread or task that waits for requests or sessions."""

    def on_handshake_done(self, session: S) -> None:
        """Hand out a session that is established."""
        self.hand_out(session)

    def on_handshake_changed(self, endpoint: SessionEndpoint) -> None:
        """Note that a handshake goes on, perhaps with another time limit."""

    # ---- letting clients in ----

    def admit(self, request: ConnectionRequest[Any]) -> None:
        """Begin a handshake, or reject the client. A failure here affects only that client.

        Raises:
            NotRunningError: GNS was stopped.
        """
        try:
            if self.registry.admits(request):
                self._begin(request)
        except NotRunningError:
            raise
        except Exception:
            _log.exception("the handshake with %r failed", request.connection)
            BaseConnection.endpoint_of(request.connection).close(
                EndReason.INTERNAL_ERROR, "the server failed", linger=False
            )

    def _begin(self, request: ConnectionRequest[Any]) -> None:
        address = request.connection.remote_address
        connection = self.listener.accept_or_drop(request, None)
        if connection is None:
            self.registry.give_up(address)
            return

        def make_engine(transport: Transport) -> ServerEngine:
            return ServerEngine(transport, self._config, time.monotonic(), lambda: self.registry.take_place(address))

        try:
            session = self.make_session(connection, make_engine)
        except BaseException:
            self.registry.give_up(address)
            raise
        endpoint = BaseSession.session_endpoint_of(session)
        self.registry.add(endpoint, session)
        endpoint.watcher = self._on_change
        self._on_change(endpoint)

    def _on_change(self, endpoint: SessionEndpoint) -> None:
        session = cast("S", endpoint.session)  # first: the registry may hold the only other reference
        step = self.registry.advance(endpoint)
        if step is ServerStep.DECISION:
            self._requests.append(SessionRequest(session, cast("ServerEngine", endpoint.engine)))
            self.wake()
        elif step is ServerStep.NOTHING:
            self.on_handshake_done(session)
        else:
            self.on_handshake_changed(endpoint)

    # ---- handing out ----

    def take_request(self) -> SessionRequest[S] | None:
        """Remove and return the first request that still waits for a decision, or return None."""
        return take_open(self._requests)

    def accept_all(self, data: bytes) -> None:
        """Accept everything that waits for a decision; the sessions go to take_ready()."""
        while (request := self.take_request()) is not None:
            with contextlib.suppress(InvalidStateError):  # it has just given up
                self._accepted.add(request.accept(data))

    def take_ready(self) -> S | None:
        """Remove and return the first session that accept_all() has accepted and that is established, or None."""
        if not self._ready:
            return None
        session = self._ready[0]  # one step: see waiting.py
        del self._ready[0]
        return session

    def hand_out(self, session: S) -> None:
        """Hand out a session that is established. Raises nothing."""
        if session in self._accepted:
            self._accepted.discard(session)
            self._ready.append(session)
            self.wake()
        elif self.on_established is not None:
            try:
                self.on_established(session)
            except Exception as error:
                BaseSession.session_endpoint_of(session).fail_with(error)

    # ---- the end ----

    def close(self, code: int = EndReason.GOING_AWAY, text: str = "") -> None:
        """Close the port and everything that is open there, without goodbyes."""
        self.registry.abort_handshakes()
        self.listener.close(code, text)


def say_goodbye_to_all(sessions: Iterable[Any], code: int, text: str) -> None:
    """Close sessions because their server is closing. One whose goodbye fails is ended all the same.

    Raises:
        TypeError: ``code`` or ``text`` has the wrong type.
        ValueError: ``code`` is out of range, or ``text`` is too long.
    """
    check_goodbye(code, text, b"")
    for session in sessions:
        _say_goodbye_to(BaseSession.session_endpoint_of(session), code, text)


def _say_goodbye_to(endpoint: SessionEndpoint, code: int, text: str) -> None:
    try:
        endpoint.begin_close(code, text, b"", reason=CloseReason.SERVER_SHUTTING_DOWN)
    except Exception:
        _log.exception("%r ended without a goodbye", endpoint)


class BaseListenSocket(Uncopyable, Generic[S]):
    """The part of the ListenSockets of all APIs that does not wait."""

    def __init__(self, listener: SessionListener[S]) -> None:
        self._listener = listener
        self.address: Address = listener.listener.address
        """The address it listens at: (host, port), with the port that was found if 0 was requested."""

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__name__} {self.address}>"

    @property
    def sessions(self) -> list[S]:
        """The sessions that are established and have not ended."""
        return self._listener.registry.sessions

    @property
    def counters(self) -> AdmissionCounters:
        """The results of all requests for sessions."""
        return self._listener.registry.counters

    @property
    def limit_counters(self) -> LimitCounters:
        """How many connections the limits refused, and why. Any thread."""
        return self._listener.listener.limit_counters

    def set_config(self, config: Config) -> None:
        """Set options for its connections. See gns_py.sync.ListenSocket.set_config()."""
        _native.set_options(ConfigScope.LISTEN_SOCKET, self._listener.listener.handle, config)

    def drain(self) -> None:
        """Let no one in from now on; sessions that exist stay."""
        self._listener.registry.drain()

    def close(self, code: int = EndReason.GOING_AWAY, text: str = "") -> None:
        """Close the port and everything that is open there, without goodbyes. Closing it again does nothing.

        Args:
            code: See gns_py.sync.ListenSocket.close().
            text: See gns_py.sync.ListenSocket.close().
        """
        self._listener.close(code, text)
