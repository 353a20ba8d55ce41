"""listen() and serve()."""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TypeAlias

from ..._core.callbacks import check_plain, in_context
from ..._core.deadline import Deadline
from ..._core.endpoint import StatusCallback
from ..._core.failures import report
from ..._core.runtime import Mailbox
from ..._generated.enums import EndReason
from ..._uncopyable import Uncopyable
from ...address import Address
from ...config import Config
from ...errors import ConcurrencyError, ConnectionClosed, InvalidStateError, NotRunningError
from ...events import ConnectionRequest
from ...limits import DEFAULT_LIMITS, ConnectionLimits, LimitCounters
from ...sync import Connection
from ...sync import ListenSocket as NativeListenSocket
from ...sync import listen as listen_natively
from .._core.admission import AdmissionCounters, AdmissionRules
from .._core.registry import Lobby, check_rules, decide, reject_failed, say_goodbye_to_all, take_open
from .._core.request import SessionRequest
from .._core.session import check_data, check_session_config
from ..protocol.config import SessionConfig
from ..protocol.reasons import CloseReason
from ..protocol.server import ServerEngine, ServerStep
from ..protocol.transport import Transport
from .session import Session
from .shield import shield

_log = logging.getLogger("gns_py")
Request: TypeAlias = SessionRequest[Session]
OnRequest: TypeAlias = Callable[[Request], Session | None]

# What a server that ends may need to notice that its sessions have ended, by other threads' doing.
_LOOK = 0.1
# What a handler may take to begin.
_BEGINNING = 0.002
# Before an acceptor goes on after something unexpected, which may come again at once.
_PAUSE = 0.05


class ListenSocket(Uncopyable):
    """An open port for sessions. Made by listen(). One thread reads it, by iterating, for requests.

    As a context manager it is closed at the end.
    """

    def __init__(self, native: NativeListenSocket, config: SessionConfig, rules: AdmissionRules) -> None:
        self._native = native
        native._connections = weakref.WeakValueDictionary()  # a session that is dropped must not be held by it
        self._config = config
        self._lobby: Lobby[Session] = Lobby(rules)
        self._requests: deque[Request] = deque()
        self._established: deque[Session] = deque()
        # Of accept(): those that are not established yet, and those that are and were not returned yet.
        self._accepted: weakref.WeakSet[Session] = weakref.WeakSet()
        self._ready: deque[Session] = deque()
        # Turns, as a mailbox has them: of the thread that wants requests, and of the one that looks for what comes in.
        self._reading: list[None] = [None]
        self._looking: list[None] = [None]
        self._condition = threading.Condition()
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

    @property
    def limit_counters(self) -> LimitCounters:
        """What came of those that wanted a connection: how many its limits refused, and why. Any thread."""
        return self._native.limit_counters

    def set_config(self, config: Config) -> None:
        """As gns_py.sync.ListenSocket.set_config()."""
        self._native.set_config(config)

    def __iter__(self) -> Iterator[Request]:
        """Requests as they come, each to be accepted or rejected, at once or later, until the socket is closed."""
        while True:
            with self._as_reader():
                request = self._next_request()
            if request is None:
                return
            yield request

    def accept(self, data: bytes = b"", timeout: float | None = None) -> Session:
        """Wait for the next session, and return it once it is established.

        While this waits, every client that comes is accepted with the data, so that one that is slow to confirm keeps
        nobody out. Those that are established and were not returned, since the time was over say, are returned by the
        next calls.
        Errors: TimeoutError, InvalidStateError (the socket is closed), ConcurrencyError, TypeError, ValueError.
        """
        check_data(data)
        deadline = Deadline(timeout)
        with self._as_reader():
            while True:
                while (request := take_open(self._requests)) is not None:
                    with contextlib.suppress(InvalidStateError):  # it has just given up
                        self._accepted.add(request.accept(data))
                if self._ready:
                    session = self._ready[0]  # one step: see runtime.py
                    del self._ready[0]
                    return session
                if self._native._closed:
                    raise InvalidStateError("the listen socket is closed")
                if deadline.is_over():
                    raise TimeoutError(f"nobody connected within {timeout} s")
                self._look(deadline)

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

    @contextlib.contextmanager
    def _as_reader(self) -> Iterator[None]:
        try:
            del self._reading[0]
        except IndexError:
            raise ConcurrencyError("two threads read the same listen socket at once") from None
        try:
            yield
        finally:
            self._reading[:] = (None,)

    def _next_request(self) -> Request | None:
        while True:
            request = take_open(self._requests)
            if request is not None or self._native._closed:
                return request
            self._look(Deadline(None))

    def _look(self, deadline: Deadline, is_enough: Callable[[], object] = lambda: False) -> None:
        """Wait for something to come in, and deal with it; or, while another thread does so, for it to have done that.

        is_enough: whether there is nothing to wait for, where another thread looks. Errors: NotRunningError.
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
            self._look_once(deadline)
        finally:
            self._looking[:] = (None,)
            with self._condition:
                self._condition.notify_all()

    def _look_once(self, deadline: Deadline) -> None:
        mailbox = self._native._mailbox
        remaining = deadline.remaining()
        if self._due < math.inf:
            left = max(0.0, self._due - time.monotonic())
            remaining = left if remaining is None else min(left, remaining)
        is_stopped = False
        try:
            mailbox.receive(0.0 if mailbox.events else remaining)
        except NotRunningError:  # the events before that are there
            is_stopped = not mailbox.events
        except ConcurrencyError:  # a thread in close() hands something out
            time.sleep(_PAUSE)
        while mailbox.events:
            event = mailbox.events[0]  # one step: see runtime.py
            del mailbox.events[0]
            if isinstance(event, ConnectionRequest):
                shield.run(self._admit, event)
        if time.monotonic() >= self._due:
            self._due = math.inf
            for session in self._lobby.settingup:
                session._tick_if_due()
                self._note_due(session)
        while self._established:
            session = self._established[0]  # one step
            del self._established[0]
            shield.run(self._welcome, session)
        if is_stopped:
            raise NotRunningError("the runtime was stopped")

    def _admit(self, request: ConnectionRequest[Connection]) -> None:
        """Begin a set-up, or refuse it. Raises nothing: it is one client's matter."""
        try:
            if self._lobby.admits(request):
                self._begin(request)
        except NotRunningError:
            pass
        except Exception:
            _log.exception("the set-up with %r failed", request.connection)
            request.connection._close(EndReason.INTERNAL_ERROR, "the server failed", linger=False)

    def _welcome(self, session: Session) -> None:
        """Hand out a session that is established, to be read on its own. Raises nothing."""
        try:
            with contextlib.suppress(ConnectionClosed, NotRunningError):  # it has ended
                Mailbox().move_here(session.connection, None)
            session._listener_look = None
            if session in self._accepted:
                self._accepted.discard(session)
                self._ready.append(session)
            elif self._on_established is not None:
                self._on_established(session)
        except Exception as error:
            session._fail_with(error)

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
        session._listener_look = self._look
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
    limits: ConnectionLimits | None = DEFAULT_LIMITS,
    session_config: SessionConfig | None = None,
    on_status_changed: StatusCallback | None = None,
) -> ListenSocket:
    """Opens a port for sessions and returns its ListenSocket, which is also a context manager.

    host, port, config, limits, on_status_changed: as in gns_py.sync.listen(). session_config: of the sessions.
    rules: whom to let in at all. Errors: as there.
    """
    settings = check_session_config(session_config)
    checked = check_rules(rules)
    native = listen_natively(host, port, config=config, limits=limits, on_status_changed=on_status_changed)
    return ListenSocket(native, settings, checked)


class Server(Uncopyable):
    """A running server: made by serve(). Each session has a thread of its own, in which its handler runs.

    As a context manager it is closed at the end, and its handlers have ended.
    """

    def __init__(
        self, handler: Callable[[Session], None], on_request: OnRequest | None, listener: ListenSocket
    ) -> None:
        self._handler = in_context("handler", handler)
        self._on_request = None if on_request is None else in_context("on_request", on_request)
        self._listener = listener
        self._is_closing = False
        self._failure: BaseException | None = None
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

    @property
    def limit_counters(self) -> LimitCounters:
        """What came of those that wanted a connection: how many its limits refused, and why. Any thread."""
        return self._listener.limit_counters

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
        say_goodbye_to_all(self.sessions, code, text)
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
        if self._failure is not None:
            raise RuntimeError("the server ended by itself") from self._failure

    def drain(self, timeout: float | None = None) -> bool:
        """Ends the server gently: lets nobody in, waits up to timeout seconds for the handlers, then closes.

        Returns whether all handlers returned by themselves. Errors: TypeError, ValueError.
        """
        deadline = Deadline(timeout)
        self._listener.drain()
        self._join_handlers(deadline)
        # A client may know that it is established before the handler of its session has begun.
        while self._listener.sessions and self.is_serving() and not deadline.is_over():
            time.sleep(_BEGINNING)
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
        try:
            while not self._is_closing or any(session._engine.end is None for session in self._listener.sessions):
                self._accept_some()
        except NotRunningError:  # stopped
            pass
        except BaseException as error:
            self._failure = error
            _log.exception("%r ends: its acceptor failed", self)
        finally:
            self._is_closing = True
            self._listener.close()

    def _accept_some(self) -> None:
        """Errors: NotRunningError. All others, a callback's SystemExit among them, are not the server's end."""
        listener = self._listener
        try:
            listener._look(Deadline(_LOOK if self._is_closing else None))
            while not self._is_closing and (request := take_open(listener._requests)) is not None:
                self._decide(request)
        except NotRunningError:
            raise
        except BaseException:
            _log.exception("%r goes on after an exception", self)
            time.sleep(_PAUSE)

    def _decide(self, request: Request) -> None:
        try:
            decide(request, self._on_request)
        except NotRunningError:
            raise
        except BaseException as error:  # SystemExit, say: it ends no thread of the server's
            reject_failed(request, error)

    def _start_handler(self, session: Session) -> None:
        name = f"gns_py handler {session.remote_address}"
        thread = threading.Thread(target=self._handle, args=(session,), name=name, daemon=True)
        self._handlers.add(thread)
        try:
            thread.start()
        except RuntimeError as error:  # the system has no more threads
            self._handlers.discard(thread)
            session._fail_with(error, "the server has no thread left for another session")

    def _handle(self, session: Session) -> None:
        try:
            with session:
                self._handler(session)
        except BaseException as error:
            report(session, error)
        finally:
            self._handlers.discard(threading.current_thread())


def serve(
    handler: Callable[[Session], None],
    host: str,
    port: int,
    *,
    on_request: OnRequest | None = None,
    rules: AdmissionRules | None = None,
    config: Config | None = None,
    limits: ConnectionLimits | None = DEFAULT_LIMITS,
    session_config: SessionConfig | None = None,
    on_status_changed: StatusCallback | None = None,
) -> Server:
    """Starts a server and returns it: it accepts in the background and runs handler(session) in a thread for each.

    on_request(request): accepts or rejects, at once or, from any thread, later; without it all are accepted. It runs in
    the thread that reads all requests, so it must be quick. When it raises, the client is rejected with INTERNAL_ERROR.
    When the handler returns, its session is closed with 1000; when it raises, with 2001, INTERNAL_ERROR, and the
    exception is logged. Other arguments and errors: as listen().
    """
    check_plain("handler", handler)
    check_plain("on_request", on_request)
    listener = listen(
        host,
        port,
        rules=rules,
        config=config,
        limits=limits,
        session_config=session_config,
        on_status_changed=on_status_changed,
    )
    return Server(handler, on_request, listener)
