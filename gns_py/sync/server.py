"""listen() and serve()."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType

from .._core.callbacks import check_plain, in_context
from .._core.deadline import Deadline
from .._core.endpoint import StatusCallback, check_options
from .._core.failures import report
from .._core.listener import BaseServer, Listener, host_to_listen
from .._core.runtime import Mailbox, take_wanted
from .._generated.enums import EndReason
from ..address import resolve
from ..config import Config
from ..errors import ForkedError, InvalidStateError, NotRunningError
from ..events import ConnectionRequest
from ..limits import DEFAULT_LIMITS, ConnectionLimits, check_limits
from ..stats import ConnectionInfo
from .connection import Connection, Event, poll

_log = logging.getLogger("gns_py")
# What a handler may take to begin.
_BEGINNING = 0.002
# Before an acceptor goes on after something unexpected.
_PAUSE = 0.05


class ListenSocket(Listener[Connection]):
    """An open port. Made by listen(). One thread reads it: with poll(), or with accept().

    As a context manager it is closed at the end. Connections accepted from poll() live in its events; those from
    accept() are read on their own.
    """

    def poll(self, timeout: float | None = 0.0) -> list[Event]:
        """What has happened since the last poll(), after waiting up to timeout seconds (None: no limit) for something.

        ConnectionRequest, MessageReceived, StatusChanged (also of what this side closes), in order for each connection.
        Sleeps natively and wakes at the first event; in the main thread, Ctrl-C ends it within 0.1 s. The last
        StatusChanged of a connection has an ``end``.
        Errors: ConcurrencyError, TypeError, ValueError.
        """
        return poll(self._mailbox, timeout, lambda: self._closed)

    def accept(self, timeout: float | None = None) -> Connection:
        """Waits for the next connection, accepts it and returns it, to be read on its own, by any one thread.

        Errors: TimeoutError, InvalidStateError (the socket is closed), ConcurrencyError. Native: AcceptConnection.
        """
        deadline = Deadline(timeout)
        for request in self._requests(deadline):
            connection = self._take(request, Mailbox())
            if connection is not None:
                return connection
        if self._closed:
            raise InvalidStateError("the listen socket is closed")
        raise TimeoutError(f"nobody connected within {timeout} s")

    def __iter__(self) -> Iterator[ConnectionRequest[Connection]]:
        """Requests as they come, until the socket is closed, each to be accepted or rejected."""
        return self._requests(Deadline(None))

    def _requests(self, deadline: Deadline) -> Iterator[ConnectionRequest[Connection]]:
        while True:
            for request in take_wanted(self._mailbox.events, lambda event: isinstance(event, ConnectionRequest), 1):
                request.connection._collect(None)  # nobody polls for what happens to it
                yield request
                del request  # the generator may wait long for the next one
                break
            else:
                if self._closed or (not self._mailbox.receive(deadline.remaining()) and deadline.is_over()):
                    return

    def __enter__(self) -> ListenSocket:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _make_inbound(self, handle: int, info: ConnectionInfo) -> Connection:
        connection = Connection(self._mailbox, handle, info, self._on_inbound_status)
        connection._collect(self._mailbox.events)
        return connection

    def _on_request(self, request: ConnectionRequest[Connection]) -> None:
        self._mailbox.events.append(request)

    def _on_closed(self) -> None:
        self._mailbox.wake()


def listen(
    host: str,
    port: int,
    *,
    config: Config | None = None,
    limits: ConnectionLimits | None = DEFAULT_LIMITS,
    on_status_changed: StatusCallback | None = None,
) -> ListenSocket:
    """Opens a port and returns its ListenSocket, which is also a context manager.

    host: an address or name of this machine; "0.0.0.0" all IPv4, "::" all IPv4 and IPv6, "" the same, or all IPv4 where
    the system has no IPv6; each peer is answered from the address that it called. port: 0 finds a free one, which
    ``address`` tells. config: options of the connections that come in. limits: how many of them, of each address and in
    all, may be open, half open, and come at once; None: no limits. on_status_changed: called with each StatusChanged of
    theirs, from NONE -> CONNECTING on, in the context (contextvars) of listen(), by the thread that reads them.
    Errors: ListenError (an OSError: the port is taken, the address not this machine's), OSError (the name cannot be
    resolved), TypeError, ValueError. Native: CreateListenSocketIP.
    """
    options = check_options(config, on_status_changed)
    check_limits(limits)
    where = resolve(host_to_listen(host), port)[0]
    return ListenSocket(Mailbox(), where, options, limits, on_status_changed)


class Server(BaseServer[Connection]):
    """A running server: made by serve(). Each connection has a thread of its own, in which its handler runs.

    As a context manager it is closed at the end, and its handlers have ended.
    """

    def __init__(self, handler: Callable[[Connection], None], listener: ListenSocket) -> None:
        super().__init__(listener)
        self._handler = in_context("handler", handler)
        self._handlers: set[threading.Thread] = set()
        self._failure: BaseException | None = None
        # Daemons, so that an interpreter that exits with the server open does not wait for its clients.
        self._acceptor = threading.Thread(
            target=self._accept_all, args=(listener,), name=f"gns_py serve {self.address}", daemon=True
        )
        self._acceptor.start()

    def wait_closed(self, timeout: float | None = None) -> None:
        """Waits until the server is closed and all handlers have returned. Errors: TimeoutError."""
        deadline = Deadline(timeout)
        self._join(self._acceptor, deadline)  # first: it may just be starting a handler
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

    def is_serving(self) -> bool:
        """Whether it is open, and accepts."""
        return super().is_serving() and self._acceptor.is_alive()

    def drain(self, timeout: float | None = None) -> bool:
        """Ends the server gently: sends newcomers away, waits up to timeout seconds for the handlers, then closes.

        Returns whether all handlers returned by themselves; the connections of the others are closed with GOING_AWAY,
        which ends those that read. Errors: TypeError, ValueError.
        """
        deadline = Deadline(timeout)
        self._draining = True
        self._join_handlers(deadline)
        # A client may know that it is connected before the handler of its connection has begun.
        while self.connections and self.is_serving() and not deadline.is_over():
            time.sleep(_BEGINNING)
            self._join_handlers(deadline)
        finished = not self._handlers
        self.close()
        return finished

    def _join_handlers(self, deadline: Deadline) -> None:
        for thread in list(self._handlers):
            self._join(thread, deadline)

    @staticmethod
    def _join(thread: threading.Thread, deadline: Deadline) -> None:
        # In slices: on some platforms a join without a limit does not hear of Ctrl-C.
        while thread.is_alive() and not deadline.is_over():
            thread.join(0.1)

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
        self.wait_closed()

    def _accept_all(self, listener: ListenSocket) -> None:
        try:
            while not listener._closed:
                self._accept_some(listener)
        except (NotRunningError, ForkedError):  # stopped
            pass
        except BaseException as error:
            self._failure = error
            _log.exception("%r ends: its acceptor failed", self)

    def _accept_some(self, listener: ListenSocket) -> None:
        """Errors: NotRunningError, ForkedError. All others, a callback's SystemExit too, are not the server's end."""
        try:
            for request in listener:
                self._begin(request)
                del request  # while this waits for the next one it keeps nothing of this one
        except (NotRunningError, ForkedError):
            raise
        except BaseException:
            _log.exception("%r goes on after an exception", self)
            time.sleep(_PAUSE)  # it may come again at once

    def _begin(self, request: ConnectionRequest[Connection]) -> None:
        if self._refuses(request):
            return
        connection = self._listener._take(request, Mailbox())
        if connection is None:
            return
        name = f"gns_py handler {connection.remote_address}"
        thread = threading.Thread(target=self._handle, args=(connection,), name=name, daemon=True)
        self._handlers.add(thread)
        try:
            thread.start()
        except RuntimeError:  # the system has no more threads
            self._handlers.discard(thread)
            _log.exception("%r is closed: there is no thread left for its handler", connection)
            connection.close(EndReason.INTERNAL_ERROR, "the server has no thread left for another connection")

    def _handle(self, connection: Connection) -> None:
        try:
            with connection:
                self._handler(connection)
        except BaseException as error:
            report(connection, error)
        finally:
            self._handlers.discard(threading.current_thread())


def serve(
    handler: Callable[[Connection], None],
    host: str,
    port: int,
    *,
    config: Config | None = None,
    limits: ConnectionLimits | None = DEFAULT_LIMITS,
    on_status_changed: StatusCallback | None = None,
) -> Server:
    """Starts a server and returns it: it accepts in the background and runs handler(connection) in a thread for each.

    A thread each, because a handler that waits in recv() then hurts nobody else, and reads like the protocol it speaks.
    A connection and its thread take some 50 KiB: for thousands of them use listen() and poll().
    When the handler returns, its connection is closed with 1000; when it raises, with 2001 INTERNAL_ERROR, and the
    exception is logged; a ConnectionClosed of its own connection just ends it.
    Errors and arguments: as listen(). on_status_changed is called in the thread that reads the connection.
    """
    check_plain("handler", handler)
    return Server(handler, listen(host, port, config=config, limits=limits, on_status_changed=on_status_changed))
