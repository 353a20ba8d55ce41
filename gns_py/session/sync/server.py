"""listen() and serve()."""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TypeAlias

from ...address import Address
from ...config import Config
from ...deadline import Deadline
from ...endpoint import StatusCallback
from ...enums import EndReason
from ...errors import GNSError, InvalidStateError, NotRunningError
from ...events import ConnectionRequest
from ...runtime import Mailbox, take_wanted
from ...sync import Connection
from ...sync import ListenSocket as NativeListenSocket
from ...sync import listen as listen_natively
from ..admission import AdmissionCounters, AdmissionRules
from ..config import SessionConfig
from ..engine import Wire
from ..errors import SessionClosed
from ..listener import Lobby, check_rules, decide, report
from ..reasons import CloseReason
from ..request import SessionRequest
from ..session import check_session_config
from ..setup import ServerEngine, ServerStep
from .session import Session

_log = logging.getLogger("gns_py")
Request: TypeAlias = SessionRequest[Session]
OnRequest: TypeAlias = Callable[[Request], object]

# What a server that ends may need to notice that its sessions have ended, by other threads' doing.
_LOOK = 0.1


class ListenSocket:
    """An open port for sessions. Made by listen(). One thread reads it, by iterating, for requests.

    As a context manager it is closed at the end.
    """

    def __init__(self, native: NativeListenSocket, config: SessionConfig, rules: AdmissionRules) -> None:
        self._native = native
        self._config = config
        self._lobby: Lobby[Session] = Lobby(rules)
        self._requests: deque[Request] = deque()
        self._established: deque[Session] = deque()
        self._on_established: Callable[[Session], None] | None = None
        self._due = math.inf  # no set-up has anything to do before

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

    def set_config(self, config: Config) -> None:
        """As gns_py.sync.ListenSocket.set_config()."""
        self._native.set_config(config)

    def __iter__(self) -> Iterator[Request]:
        """Requests as they come, each to be accepted or rejected, at once or later, until the socket is closed."""
        while (request := self._next_request(Deadline(None))) is not None:
            yield request

    def accept(self, data: bytes = b"", timeout: float | None = None) -> Session:
        """Accepts the next client, and returns its session once it is established.

        Errors: TimeoutError, InvalidStateError (the socket is closed), ConcurrencyError.
        """
        deadline = Deadline(timeout)
        while (request := self._next_request(deadline)) is not None:
            session = request.accept(data)
            with contextlib.suppress(SessionClosed):  # it has given up
                while session in self._lobby.settingup and not deadline.is_over():
                    self._look(deadline)
                session.wait_established(deadline.remaining())
                return session
        if self._native._closed:
            raise InvalidStateError("the listen socket is closed")
        raise TimeoutError(f"nobody connected within {timeout} s")

    def drain(self) -> None:
        """Lets nobody in any more; what is there stays."""
        self._lobby.drain()

    def close(self, code: int = EndReason.GOING_AWAY, text: str = "") -> None:
        """Closes the port, and everything that is open there, natively. Closing again does nothing."""
        self._lobby.close_settingup()
        self._native.close(code, text)

    def __enter__(self) -> ListenSocket:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _next_request(self, deadline: Deadline) -> Request | None:
        while True:
            while self._requests:
                request = self._requests.popleft()
                if request.is_open:
                    return request
            if self._native._closed or deadline.is_over():
                return None
            self._look(deadline)

    def _look(self, deadline: Deadline) -> None:
        """Waits for something to come in, and deals with it."""
        mailbox = self._native._mailbox
        remaining = deadline.remaining()
        if self._due < math.inf:
            left = max(0.0, self._due - time.monotonic())
            remaining = left if remaining is None else min(left, remaining)
        with contextlib.suppress(NotRunningError):  # stopped: the events before that are there
            mailbox.receive(remaining)
        for request in take_wanted(mailbox.events, lambda event: isinstance(event, ConnectionRequest)):
            if self._lobby.admits(request):
                self._begin(request)
        if time.monotonic() >= self._due:
            self._due = math.inf
            for session in self._lobby.settingup:
                session._tick_if_due()
                self._note_due(session)
        while self._established:
            session = self._established.popleft()
            with contextlib.suppress(GNSError):  # it has ended
                Mailbox().move_here(session.connection, None)
            if self._on_established is not None:
                self._on_established(session)

    def _begin(self, request: ConnectionRequest[Connection]) -> None:
        connection = NativeListenSocket._take(request, None)
        if connection is None:
            self._lobby.give_up(request)
            return
        engines: list[ServerEngine] = []

        def make(wire: Wire) -> ServerEngine:
            engines.append(ServerEngine(wire, self._config, time.monotonic()))
            return engines[0]

        session = Session(connection, make)
        self._lobby.add(session, engines[0])
        session._watcher = self._on_change
        self._on_change(session)

    def _on_change(self, session: Session) -> None:
        step = self._lobby.look(session)
        if step is ServerStep.DECISION:
            engine = session._engine
            assert isinstance(engine, ServerEngine)
            self._requests.append(SessionRequest(session, engine))
        elif step is ServerStep.NOTHING:
            self._established.append(session)
        else:
            self._note_due(session)

    def _note_due(self, session: Session) -> None:
        self._due = min(self._due, session._engine.next_tick)


def listen(
    host: str,
    port: int,
    *,
    rules: AdmissionRules | None = None,
    config: Config | None = None,
    session_config: SessionConfig | None = None,
    on_status_changed: StatusCallback | None = None,
) -> ListenSocket:
    """Opens a port for sessions and returns its ListenSocket, which is also a context manager.

    host, port, config, on_status_changed: as in gns_py.sync.listen(). session_config: of the sessions. rules: whom to
    let in at all. Errors: as there.
    """
    settings = check_session_config(session_config)
    checked = check_rules(rules)
    native = listen_natively(host, port, config=config, on_status_changed=on_status_changed)
    return ListenSocket(native, settings, checked)


class Server:
    """A running server: made by serve(). Each session has a thread of its own, in which its handler runs.

    As a context manager it is closed at the end, and its handlers have ended.
    """

    def __init__(
        self, handler: Callable[[Session], object], on_request: OnRequest | None, listener: ListenSocket
    ) -> None:
        self._handler = handler
        self._on_request = on_request
        self._listener = listener
        self._is_closing = False
        self._handlers: set[threading.Thread] = set()
        listener._on_established = self._start_handler
        self._acceptor = threading.Thread(
            target=self._accept_all, name=f"gns_py serve sessions {self.address}", daemon=True
        )
        self._acceptor.start()

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

    def is_serving(self) -> bool:
        """Whether it is open."""
        return self._acceptor.is_alive() and not self._is_closing

    def kick(self, session: Session, code: int = EndReason.APP_GENERIC, text: str = "", data: bytes = b"") -> None:
        """Closes a session from outside of its handler: both ends see CLOSED_BY_CONTROLLER. Errors: as close()."""
        session._begin_close(code, text, data, reason=CloseReason.CLOSED_BY_CONTROLLER)

    def close(self, code: int = EndReason.APP_GENERIC, text: str = "") -> None:
        """Lets nobody in any more, and says goodbye to all, with SERVER_SHUTTING_DOWN. wait_closed() waits for it."""
        self._listener.drain()
        self._listener._lobby.close_settingup()
        self._is_closing = True
        for session in self.sessions:
            session._begin_close(code, text, b"", reason=CloseReason.SERVER_SHUTTING_DOWN)
        self._listener._native._mailbox.wake()

    def wait_closed(self, timeout: float | None = None) -> None:
        """Waits until the server is closed, all sessions have ended, and all handlers. Errors: TimeoutError."""
        deadline = Deadline(timeout)
        self._join(self._acceptor, deadline)
        self._join_handlers(deadline)
        if self._acceptor.is_alive() or self._handlers:
            raise TimeoutError(f"the handlers did not end within {timeout} s")

    def serve_forever(self) -> None:
        """Waits until the server is closed; Ctrl-C closes it and goes on as KeyboardInterrupt."""
        try:
            self.wait_closed()
        finally:
            self.close()

    def drain(self, timeout: float | None = None) -> bool:
        """Ends the server gently: lets nobody in, waits up to timeout seconds for the handlers, then closes.

        Returns whether all handlers returned by themselves. Errors: TypeError, ValueError.
        """
        deadline = Deadline(timeout)
        self._listener.drain()
        self._join_handlers(deadline)
        finished = not self._handlers
        self.close()
        return finished

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
        self.wait_closed()

    def _join_handlers(self, deadline: Deadline) -> None:
        while self._handlers and not deadline.is_over():  # one whose set-up was under way may just begin
            for thread in list(self._handlers):
                self._join(thread, deadline)

    @staticmethod
    def _join(thread: threading.Thread, deadline: Deadline) -> None:
        # In slices: on some platforms a join without a limit does not hear of Ctrl-C.
        while thread.is_alive() and not deadline.is_over():
            thread.join(0.1)

    def _accept_all(self) -> None:
        listener = self._listener
        with contextlib.suppress(NotRunningError):
            while not self._is_closing:
                listener._look(Deadline(None))
                while listener._requests:
                    decide(listener._requests.popleft(), self._on_request)
            while any(session._engine.end is None for session in listener.sessions):
                listener._look(Deadline(_LOOK))
        listener.close()

    def _start_handler(self, session: Session) -> None:
        name = f"gns_py handler {session.remote_address}"
        thread = threading.Thread(target=self._handle, args=(session,), name=name, daemon=True)
        self._handlers.add(thread)
        thread.start()

    def _handle(self, session: Session) -> None:
        try:
            with session:
                self._handler(session)
        except Exception as error:
            report(session, error)
        finally:
            self._handlers.discard(threading.current_thread())


def serve(
    handler: Callable[[Session], object],
    host: str,
    port: int,
    *,
    on_request: OnRequest | None = None,
    rules: AdmissionRules | None = None,
    config: Config | None = None,
    session_config: SessionConfig | None = None,
    on_status_changed: StatusCallback | None = None,
) -> Server:
    """Starts a server and returns it: it accepts in the background and runs handler(session) in a thread for each.

    on_request(request): accepts or rejects, at once or, from any thread, later; without it all are accepted. It runs in
    the thread that reads all requests, so it must be quick. When it raises, the client is rejected with INTERNAL_ERROR.
    When the handler returns, its session is closed with 1000; when it raises, with 2001, INTERNAL_ERROR, and the
    exception is logged. Other arguments and errors: as listen().
    """
    for name, what in (("handler", handler), ("on_request", on_request)):
        if what is not None and not callable(what):
            raise TypeError(f"{name} must be callable, not {type(what).__name__}")
    listener = listen(
        host,
        port,
        rules=rules,
        config=config,
        session_config=session_config,
        on_status_changed=on_status_changed,
    )
    return Server(handler, on_request, listener)
