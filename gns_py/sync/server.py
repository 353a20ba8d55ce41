"""listen() and serve()."""

from __future__ import annotations

import logging
import socket
import threading
import warnings
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING

from .. import _native
from ..address import Address, resolve
from ..config import Config, OptionValue
from ..endpoint import StatusCallback, check_goodbye, check_lane, check_options
from ..enums import ConfigScope, ConfigValue, ConnectionState, EndReason
from ..errors import (
    ConnectionClosed,
    ForkedError,
    GNSError,
    InvalidStateError,
    ListenError,
    MessageTooLarge,
    NotRunningError,
)
from ..events import ClosedBy, ConnectionRequest, StatusChanged
from ..runtime import Mailbox
from ..stats import ConnectionInfo
from .connection import Connection, Event, poll
from .deadline import Deadline

if TYPE_CHECKING:
    from typing_extensions import Buffer

_log = logging.getLogger("gns_py")
# Between asking the system for a free port and taking it somebody else may have taken it.
_PORT_TRIES = 20


class ListenSocket:
    """An open port. Made by listen(). One thread reads it: with poll(), or with accept().

    As a context manager it is closed at the end. Connections accepted from poll() live in its events; those from
    accept() are read on their own.
    """

    def __init__(
        self, mailbox: Mailbox, handle: int, address: Address, on_status_changed: StatusCallback | None
    ) -> None:
        self.address = address
        """Where it listens: (host, port), the port found if 0 was asked for."""
        self._mailbox = mailbox
        self._handle = handle
        self._on_status_changed = on_status_changed
        self._connections: dict[int, Connection] = {}
        self._closed = False

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__name__} {self.address} {'closed' if self._closed else 'open'}>"

    @property
    def connections(self) -> list[Connection]:
        """Those that are connected, or being so, and not closed; accepted by whatever means."""
        return [connection for connection in list(self._connections.values()) if not connection._closed_here]

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
            connection = request.connection
            connection._set_polled(False)
            try:
                connection._accept(Mailbox())
            except (NotRunningError, ForkedError):
                raise
            except GNSError as error:  # it has given up meanwhile, or speaks something else: the next one, then
                _log.info("%r was not accepted: %s", connection, error)
                connection.close()
            else:
                return connection
        if self._closed:
            raise InvalidStateError("the listen socket is closed")
        raise TimeoutError(f"nobody connected within {timeout} s")

    def __iter__(self) -> Iterator[ConnectionRequest[Connection]]:
        """Requests as they come, until the socket is closed, each to be accepted or rejected."""
        return self._requests(Deadline(None))

    def _requests(self, deadline: Deadline) -> Iterator[ConnectionRequest[Connection]]:
        while True:
            for request in self._mailbox.take_events(lambda event: isinstance(event, ConnectionRequest), 1):
                yield request
                if request.connection._closed_here:  # refused: nobody polls for the event that says so
                    request.connection._set_polled(False)
                break
            else:
                if self._closed or (not self._mailbox.receive(deadline.remaining()) and deadline.is_over()):
                    return

    def broadcast(self, data: Buffer, *, reliable: bool = True, nagle: bool = True, lane: int = 0) -> list[Connection]:
        """Sends one message to all its connections that are connected, in one native call and with one copy.

        Returns those that did not take it: their send queue is full, or was configured too small for it, or they do not
        have that lane. Errors: TypeError, MessageTooLarge, ValueError. Any thread. Native: SendMessages.
        """
        targets = [each for each in self.connections if each._established and each._end is None]
        return broadcast(targets, data, reliable=reliable, nagle=nagle, lane=lane)

    def set_config(self, config: Config) -> None:
        """Sets options for its connections that have no value of their own.

        Errors: ConfigError. Native: SetConfigValue.
        """
        _native.check(_native.set_options(ConfigScope.LISTEN_SOCKET, self._handle, config))

    def get_config(self, option: ConfigValue) -> OptionValue:
        """The value of an option for its new connections. Errors: ConfigError. Native: GetConfigValue."""
        result, value = _native.get_option(ConfigScope.LISTEN_SOCKET, self._handle, option)
        _native.check(result)
        return value

    def reset_config(self, option: ConfigValue, *options: ConfigValue) -> None:
        """Back to what the process has, for each of these options.

        Errors: ConfigError. Native: SetConfigValue.
        """
        for each in (option, *options):
            _native.check(_native.reset_option(ConfigScope.LISTEN_SOCKET, self._handle, each))

    def close(self, code: int = EndReason.GOING_AWAY, text: str = "", *, linger: bool = True) -> None:
        """Closes the port and each of its connections, as Connection.close() does. Closing again does nothing.

        The port is free when this returns, unless a connection lingers: then when that is delivered.
        Errors: TypeError, ValueError. Any thread. Native: CloseConnection, CloseListenSocket.
        """
        goodbye = check_goodbye(code, text)
        if self._closed:
            return
        self._closed = True
        result = _native.listen_close(self._handle, code, goodbye, linger)
        self._mailbox.receive_if_idle()
        for connection in self.connections:
            connection._mailbox.receive_if_idle()
        if result >= 0:
            self._mailbox.wake()  # whoever waits there

    def __del__(self, _warn: Callable[..., None] = warnings.warn) -> None:
        if getattr(self, "_closed", True) or _native.is_forked():  # missing if the constructor failed
            return
        _native.listen_close(self._handle, EndReason.GOING_AWAY, b"", True)  # first: the warning may be an exception
        _warn(f"unclosed listen socket {self!r}", ResourceWarning, source=self)

    def __enter__(self) -> ListenSocket:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _make_inbound(self, mailbox: Mailbox, handle: int, info: ConnectionInfo, time_us: int) -> Connection:
        connection = Connection(mailbox, handle, info, self._on_inbound_status)
        connection._polled = True
        mailbox.add(connection)
        self._connections[handle] = connection
        connection._notify(StatusChanged(connection, ConnectionState.NONE, ConnectionState.CONNECTING, info, time_us))
        mailbox.events.append(ConnectionRequest(connection))
        return connection

    def _on_inbound_status(self, event: StatusChanged[Connection]) -> None:
        if event.end is not None:
            self._connections.pop(event.connection.handle, None)
        if self._on_status_changed is not None:
            self._on_status_changed(event)


def broadcast(
    connections: list[Connection], data: Buffer, *, reliable: bool = True, nagle: bool = True, lane: int = 0
) -> list[Connection]:
    """Sends one message to several connections; see ListenSocket.broadcast()."""
    native_data, size = _native.readable(data)
    check_lane(lane)
    if size > _native.MAX_MESSAGE_SIZE:
        raise MessageTooLarge(f"a message may have {_native.MAX_MESSAGE_SIZE} bytes, not {size}")
    flags = (_native.SEND_RELIABLE if reliable else 0) | (0 if nagle else _native.SEND_NO_NAGLE)
    results = _native.broadcast([each.handle for each in connections], native_data, size, flags, lane)
    return [each for each, result in zip(connections, results, strict=True) if result in _native.NOT_TAKEN]


def listen(
    host: str, port: int, *, config: Config | None = None, on_status_changed: StatusCallback | None = None
) -> ListenSocket:
    """Opens a port and returns its ListenSocket, which is also a context manager.

    host: an address or name of this machine; "0.0.0.0" all IPv4, "::" or "" all IPv4 and IPv6. port: 0 finds a free
    one, which ``address`` tells. config: options of the connections that come in. on_status_changed: called with each
    StatusChanged of theirs, from NONE -> CONNECTING on, by the thread that reads them.
    Errors: ListenError (an OSError: the port is taken, the address not this machine's), OSError (the name cannot be
    resolved), TypeError, ValueError. Native: CreateListenSocketIP.
    """
    options = check_options(config, on_status_changed)
    where = resolve("::" if host == "" else host, port)[0]
    owner: list[ListenSocket] = []

    def make_inbound(mailbox: Mailbox, handle: int, info: ConnectionInfo, time_us: int) -> Connection:
        return owner[0]._make_inbound(mailbox, handle, info, time_us)

    mailbox = Mailbox(make_inbound)
    for attempt in range(_PORT_TRIES):
        address = _free_address(where)
        try:
            handle = _native.listen(mailbox.handle, address, options)
        except GNSError as error:
            if isinstance(error, ValueError | RuntimeError):  # not about the port
                raise
            if attempt == _PORT_TRIES - 1 or not _is_taken(address):
                raise ListenError(f"cannot listen on {address}: {error}") from None
        else:
            break
    listener = ListenSocket(mailbox, handle, address, on_status_changed)
    owner.append(listener)
    return listener


def _free_address(where: Address) -> Address:
    """The address, with a port that is free now if it has 0; ListenError, with the system's own reason, if it is not.

    GNS cannot let the system choose a port, and tells of a failure no more than a number in its log.
    """
    family = socket.AF_INET6 if where.ip.version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        if family == socket.AF_INET6:
            # As GNS does: "::" is for both families.
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        try:
            probe.bind(where)
        except OSError as error:
            refused = ListenError(f"cannot listen on {where}: {error.strerror or error}")
            refused.errno = error.errno
            raise refused from None
        return Address(where.host, probe.getsockname()[1])


def _is_taken(address: Address) -> bool:
    try:
        _free_address(address)
    except ListenError:
        return True
    return False


class Server:
    """A running server: made by serve(). Each connection has a thread of its own, in which its handler runs.

    As a context manager it is closed at the end, and its handlers have ended.
    """

    def __init__(self, handler: Callable[[Connection], object], listener: ListenSocket) -> None:
        self.address = listener.address
        """Where it listens: (host, port), the port found if 0 was asked for."""
        self._handler = handler
        self._listener = listener
        self._handlers: set[threading.Thread] = set()
        # Daemons, so that an interpreter that exits with the server open does not wait for its clients.
        self._acceptor = threading.Thread(target=self._accept_all, name=f"gns_py serve {self.address}", daemon=True)
        self._acceptor.start()

    @property
    def connections(self) -> list[Connection]:
        """Those that are connected or being so."""
        return self._listener.connections

    def broadcast(self, data: Buffer, *, reliable: bool = True, nagle: bool = True, lane: int = 0) -> list[Connection]:
        """As ListenSocket.broadcast()."""
        return self._listener.broadcast(data, reliable=reliable, nagle=nagle, lane=lane)

    def close(self, code: int = EndReason.GOING_AWAY, text: str = "", *, linger: bool = True) -> None:
        """Closes the port and each connection, as ListenSocket.close() does; handlers that wait are ended by it.

        At once: wait_closed() waits for the handlers. Errors: TypeError, ValueError. Any thread.
        """
        self._listener.close(code, text, linger=linger)

    def wait_closed(self, timeout: float | None = None) -> None:
        """Waits until the server is closed and all handlers have returned. Errors: TimeoutError."""
        deadline = Deadline(timeout)
        self._join(self._acceptor, deadline)  # first: it may just be starting a handler
        for thread in list(self._handlers):
            self._join(thread, deadline)
        if self._acceptor.is_alive() or self._handlers:
            raise TimeoutError(f"the handlers did not end within {timeout} s")

    def serve_forever(self) -> None:
        """Waits until the server is closed; Ctrl-C closes it and goes on as KeyboardInterrupt."""
        try:
            self.wait_closed()
        finally:
            self.close()

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

    def _accept_all(self) -> None:
        while True:
            try:
                connection = self._listener.accept()
            except (InvalidStateError, NotRunningError):  # closed
                return
            thread = threading.Thread(
                target=self._handle, args=(connection,), name=f"gns_py handler {connection.remote_address}", daemon=True
            )
            self._handlers.add(thread)
            thread.start()

    def _handle(self, connection: Connection) -> None:
        try:
            with connection:
                self._handler(connection)
        except ConnectionClosed as error:
            stopped = error.end.closed_by is ClosedBy.LOCAL and error.code == EndReason.SHUTDOWN
            if error.end != connection.end and not stopped:
                _log.exception("the handler of %r failed", connection)
        except Exception:
            _log.exception("the handler of %r failed", connection)
        finally:
            self._handlers.discard(threading.current_thread())


def serve(
    handler: Callable[[Connection], object],
    host: str,
    port: int,
    *,
    config: Config | None = None,
    on_status_changed: StatusCallback | None = None,
) -> Server:
    """Starts a server and returns it: it accepts in the background and runs handler(connection) in a thread for each.

    A thread each, because a handler that waits in recv() then hurts nobody else, and reads like the protocol it speaks.
    A connection and its thread take some 50 KiB: for thousands of them use listen() and poll().
    When the handler returns, its connection is closed with 1000; when it raises, with 2001 INTERNAL_ERROR, and the
    exception is logged; a ConnectionClosed of its own connection just ends it.
    Errors and arguments: as listen(). on_status_changed is called in the thread that reads the connection.
    """
    if not callable(handler):
        raise TypeError(f"handler must be callable, not {type(handler).__name__}")
    return Server(handler, listen(host, port, config=config, on_status_changed=on_status_changed))
