"""listen()."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType

from ..._core.checks import StatusCallback
from ..._core.deadline import Deadline
from ..._core.peers import Rendezvous
from ...config import Config
from ...errors import InvalidStateError
from ...limits import DEFAULT_LIMITS, ConnectionLimits
from ...sync.listener import open_listener
from .._core.admission import AdmissionRules
from .._core.checks import check_data, check_rules, check_session_config
from .._core.listen_socket import BaseListenSocket
from .._core.outages import NO_CALLBACKS, OnDropped, OnResumed, OutageCallbacks
from ..protocol.config import SessionConfig
from ..store import SessionStore
from .session import Session
from .thread_listener import Request, ThreadListener


class ListenSocket(BaseListenSocket[Session]):
    """An open port for sessions, made by listen(). One thread reads it, by iterating, for requests.

    As a context manager it is closed at the end.
    """

    _listener: ThreadListener

    def __iter__(self) -> Iterator[Request]:
        """Iterate over requests as they arrive, each to be accepted or rejected, until the socket is closed."""
        while True:
            with self._listener.as_reader():
                request = self._listener.next_request()
            if request is None:
                return
            yield request

    def accept(self, data: bytes = b"", timeout: float | None = None) -> Session:
        """Wait for the next session and return it once it is established.

        While this waits, every client that arrives is accepted with the data, so that one that is slow to confirm does
        not hold up others. Sessions that are established but were not returned, for example because the time was over,
        are returned by the next calls.

        Args:
            data: See SessionRequest.accept().
            timeout: Seconds; None waits without a limit.

        Raises:
            TimeoutError: No session was established in time.
            InvalidStateError: The socket is closed.
            ConcurrencyError: Another thread is reading.
            TypeError: ``data`` is not bytes.
            ValueError: ``data`` is too long.
        """
        check_data(data)
        deadline = Deadline(timeout)
        listener = self._listener
        with listener.as_reader():
            while True:
                listener.accept_all(data)
                if (session := listener.take_ready()) is not None:
                    return session
                if listener.listener.is_closed:
                    raise InvalidStateError("the listen socket is closed")
                if deadline.is_over():
                    raise TimeoutError(f"no client connected within {timeout} s")
                listener.look(deadline)

    def __enter__(self) -> ListenSocket:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def open_session_listener(
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
) -> ThreadListener:
    """Open a port. See listen()."""
    if durable and store is None:
        raise ValueError("durable sessions need a store")
    settings = check_session_config(session_config)
    checked = check_rules(rules)
    # Sessions own their connections: one that is dropped must not be kept by the listener.
    listener = open_listener(
        host,
        port,
        config,
        limits,
        on_status_changed,
        require_authentication=require_authentication,
        owns_connections=False,
    )
    sessions = ThreadListener(listener, settings, checked, callbacks)
    if store is not None:
        try:
            sessions.keep_in(store, durable=durable)
        except BaseException:
            sessions.close()
            raise
    return sessions


def listen(
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
) -> ListenSocket:
    """Open a port for sessions and return its ListenSocket, which is also a context manager.

    Args:
        host: See gns_py.sync.listen().
        port: See gns_py.sync.listen().
        rules: Which clients may come in at all.
        config: See gns_py.sync.listen().
        limits: See gns_py.sync.listen().
        require_authentication: See gns_py.sync.listen().
        session_config: Settings of the sessions.
        on_status_changed: See gns_py.sync.listen().
        on_dropped: Called with a session, and why, when it has lost its connection and may get another one. It runs in
            the thread that reads the session, or in one of gns_py's own.
        on_resumed: Called with a session, and the number of messages that are sent again, when it has one. See
            on_dropped.
        store: Where durable sessions are kept. It is used in a thread of its own; opened, and closed at the end.
        durable: Whether sessions are durable unless accept() says otherwise.

    Raises:
        ListenError: See gns_py.sync.listen().
        OSError: See gns_py.sync.listen().
        TypeError: An argument has the wrong type.
        ValueError: An argument is out of range.

    Note:
        Native functions: ``CreateListenSocketIP``, ``CreateListenSocketP2P``.
    """
    callbacks = OutageCallbacks(on_dropped, on_resumed)
    return ListenSocket(
        open_session_listener(
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
    )
