"""listen()."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TypeAlias, cast

from ..._core.checks import StatusCallback
from ..._core.connection import BaseConnection
from ..._core.deadline import Deadline
from ..._core.listener import Listener
from ..._core.mailbox import Mailbox
from ..._core.request import ConnectionRequest
from ...config import Config
from ...errors import ConcurrencyError, ConnectionClosed, InvalidStateError, NotRunningError
from ...limits import DEFAULT_LIMITS, ConnectionLimits
from ...sync import Connection
from ...sync.listener import open_listener
from .._core.admission import AdmissionRules
from .._core.checks import check_data, check_rules, check_session_config
from .._core.endpoint import EngineMaker, SessionEndpoint
from .._core.listener import BaseListenSocket, SessionListener
from .._core.request import SessionRequest
from .._core.session import BaseSession
from ..protocol.config import SessionConfig
from .endpoint import ThreadEndpoint
from .session import Session
from .shield import shield

Request: TypeAlias = SessionRequest[Session]

# How often a thread that waits while another one looks checks its condition again.
_LOOK = 0.1
# How long to pause while a thread in close() dispatches.
_PAUSE = 0.05


class ThreadListener(SessionListener[Session]):
    """An open port for sessions. One thread at a time looks for what comes in; others can wait meanwhile."""

    def __init__(self, listener: Listener[Connection], config: SessionConfig, rules: AdmissionRules) -> None:
        super().__init__(listener, config, rules)
        self._established: deque[Session] = deque()
        # Turns, as a mailbox has them: of the thread that wants requests, and of the one that looks.
        self._reading: list[None] = [None]
        self._looking: list[None] = [None]
        self._condition = threading.Condition()
        self._due = math.inf  # no handshake has anything to do before

    def make_session(self, connection: Connection, make_engine: EngineMaker) -> Session:
        """See SessionListener."""
        endpoint = ThreadEndpoint(connection, make_engine)
        endpoint.look_at_listener = self.look
        return Session(endpoint)

    def wake(self) -> None:
        """See SessionListener: the thread that looks returns by itself."""

    def on_handshake_done(self, session: Session) -> None:
        """See SessionListener."""
        self._established.append(session)

    def on_handshake_changed(self, endpoint: SessionEndpoint) -> None:
        """See SessionListener."""
        self._due = min(self._due, endpoint.engine.next_tick)

    @contextlib.contextmanager
    def as_reader(self) -> Iterator[None]:
        """Be the one thread that wants requests, within the block; raise ConcurrencyError if there is another."""
        try:
            del self._reading[0]
        except IndexError:
            raise ConcurrencyError("two threads read the same listen socket at once") from None
        try:
            yield
        finally:
            self._reading[:] = (None,)

    def next_request(self) -> Request | None:
        """Wait for a request, and return it, or None once the port is closed."""
        while True:
            request = self.take_request()
            if request is not None or self.listener.is_closed:
                return request
            self.look(Deadline(None))

    def look(self, deadline: Deadline, is_enough: Callable[[], object] = lambda: False) -> None:
        """Wait for something to come in, and deal with it; while another thread looks, wait until it has done that.

        Args:
            deadline: When to return at the latest.
            is_enough: Returns whether there is nothing to wait for, while another thread looks.

        Raises:
            NotRunningError: GNS was stopped.
        """
        try:
            del self._looking[0]
        except IndexError:
            remaining = deadline.remaining()
            with self._condition:
                if not is_enough():
                    self._condition.wait(_LOOK if remaining is None else min(remaining, _LOOK))
            return
        try:
            self._process_events(deadline)
        finally:
            self._looking[:] = (None,)
            with self._condition:
                self._condition.notify_all()

    def _process_events(self, deadline: Deadline) -> None:
        mailbox = self.listener.mailbox
        remaining = deadline.remaining()
        if self._due < math.inf:
            left = max(0.0, self._due - time.monotonic())
            remaining = left if remaining is None else min(left, remaining)
        is_stopped = False
        try:
            mailbox.receive(0.0 if mailbox.events else remaining)
        except NotRunningError:  # the events before that are there
            is_stopped = not mailbox.events
        except ConcurrencyError:  # a thread in close() dispatches
            time.sleep(_PAUSE)
        while mailbox.events:
            event = mailbox.events[0]  # one step: see waiting.py
            del mailbox.events[0]
            if isinstance(event, ConnectionRequest):
                shield.run(self._admit_quietly, event)
        if time.monotonic() >= self._due:
            self._due = math.inf
            for endpoint in self.registry.handshakes:
                cast("ThreadEndpoint", endpoint).tick_if_due()
                self.on_handshake_changed(endpoint)
        while self._established:
            session = self._established[0]  # one step
            del self._established[0]
            shield.run(self._release, session)
        if is_stopped:
            raise NotRunningError("the runtime was stopped")

    def _admit_quietly(self, request: ConnectionRequest[Connection]) -> None:
        with contextlib.suppress(NotRunningError):  # the next look sees it, too
            self.admit(request)

    def _release(self, session: Session) -> None:
        """Hand out a session that is established, to be read on its own. Raises nothing."""
        endpoint = cast("ThreadEndpoint", BaseSession.session_endpoint_of(session))
        try:
            with contextlib.suppress(ConnectionClosed, NotRunningError):  # it has ended
                BaseConnection.endpoint_of(session).move_to(Mailbox(), None)
            endpoint.look_at_listener = None
        except Exception as error:
            endpoint.fail_with(error)
        else:
            self.hand_out(session)


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

        While this waits, every client that comes is accepted with the data, so that one that is slow to confirm does
        not hold up others. Sessions that are established but were not returned, because the time was over for example,
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
    host: str,
    port: int,
    rules: AdmissionRules | None,
    config: Config | None,
    limits: ConnectionLimits | None,
    session_config: SessionConfig | None,
    on_status_changed: StatusCallback | None,
) -> ThreadListener:
    """Open a port. See listen()."""
    settings = check_session_config(session_config)
    checked = check_rules(rules)
    # Sessions own their connections: one that is dropped must not be kept by the listener.
    listener = open_listener(host, port, config, limits, on_status_changed, owns_connections=False)
    return ThreadListener(listener, settings, checked)


def listen(
    host: str,
    port: int,
    *,
    rules: AdmissionRules | None = None,
    config: Config | None = None,
    limits: ConnectionLimits | None = DEFAULT_LIMITS,
    session_config: SessionConfig | None = None,
    on_status_changed: StatusCallback | None = None,
) -> ListenSocket:
    """Open a port for sessions and return its ListenSocket, which is also a context manager.

    Args:
        host: See gns_py.sync.listen().
        port: See gns_py.sync.listen().
        rules: Which clients may come in at all.
        config: See gns_py.sync.listen().
        limits: See gns_py.sync.listen().
        session_config: Settings of the sessions.
        on_status_changed: See gns_py.sync.listen().

    Raises:
        ListenError: See gns_py.sync.listen().
        OSError: See gns_py.sync.listen().
        TypeError: An argument has the wrong type.
        ValueError: An argument is out of range.
    """
    return ListenSocket(open_session_listener(host, port, rules, config, limits, session_config, on_status_changed))
