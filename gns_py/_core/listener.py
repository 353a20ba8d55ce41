"""What the listen sockets and servers of all APIs share. Nothing in here waits."""

from __future__ import annotations

import errno
import logging
import socket
import warnings
from abc import abstractmethod
from collections.abc import Callable, MutableMapping
from typing import Any

from .. import _native
from .._generated.enums import ConfigScope, ConfigValue, ConnectionState, EndReason
from ..address import Address
from ..config import Config, OptionValue
from ..errors import ForkedError, GNSError, ListenError, NotRunningError
from ..events import ConnectionRequest, StatusChanged
from ..limits import NOTHING_COUNTED, ConnectionLimits, LimitCounters
from ..stats import ConnectionInfo
from .broadcast import Broadcaster
from .callbacks import in_context
from .endpoint import C, StatusCallback, check_goodbye
from .runtime import Mailbox

_log = logging.getLogger("gns_py")
# Between asking the system for a free port and taking it somebody else may have taken it.
_PORT_TRIES = 20
# Without IPv6 in the kernel; with IPv6 there, but switched off; on Windows.
_NO_FAMILY = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, getattr(errno, "WSAEAFNOSUPPORT", errno.EAFNOSUPPORT))


class Listener(Broadcaster[C]):
    """An open port."""

    def __init__(
        self,
        mailbox: Mailbox,
        where: Address,
        options: Config,
        limits: ConnectionLimits | None,
        on_status_changed: StatusCallback | None,
    ) -> None:
        """Opens it: port 0 finds a free one."""
        self._closed = True  # until it is open
        self._mailbox = mailbox
        self._counted = NOTHING_COUNTED  # once it is closed
        self._handle, self.address = _open(mailbox, where, options, limits)
        """Where it listens: (host, port), the port found if 0 was asked for."""
        self._closed = False
        self._on_status_changed = None
        if on_status_changed is not None:
            self._on_status_changed = in_context("on_status_changed", on_status_changed)
        self._connections: MutableMapping[int, C] = {}
        mailbox.add_listener(self._handle, self)

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__name__} {self.address} {'closed' if self._closed else 'open'}>"

    @property
    def connections(self) -> list[C]:
        """Those that are connected, or being so, and not closed; accepted by whatever means."""
        return [connection for connection in list(self._connections.values()) if not connection._closed_here]

    @property
    def limit_counters(self) -> LimitCounters:
        """What came of those that wanted a connection: how many its limits refused, and why. Any thread."""
        counters = _native.listen_counters(self._handle)
        return counters if isinstance(counters, LimitCounters) else self._counted

    def set_config(self, config: Config) -> None:
        """Sets options for its connections that have no value of their own.

        recv_queue_bytes, recv_queue_messages and max_unacked_segments: for those that come from now on.
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
        for connection in self.connections:
            connection._say(code, text)
        self._counted = self.limit_counters
        result = _native.listen_close(self._handle, code, goodbye, linger)
        self._mailbox.receive_if_idle()
        for connection in self.connections:
            connection._mailbox.receive_if_idle()
        self._mailbox.remove_listener(self._handle)
        if result >= 0:
            self._on_closed()

    def __del__(self, _warn: Callable[..., None] = warnings.warn) -> None:
        if getattr(self, "_closed", True) or _native.is_forked():  # missing if the constructor failed
            return
        _native.listen_close(self._handle, EndReason.GOING_AWAY, b"", True)  # first: the warning may be an exception
        self._mailbox.forget_listener(self._handle)
        _warn(f"unclosed listen socket {self!r}", ResourceWarning, source=self)

    @staticmethod
    def _take(request: ConnectionRequest[C], mailbox: Mailbox | None) -> C | None:
        """Accepts it, into another mailbox if one is given; None if it has given up, or speaks something else."""
        connection = request.connection
        try:
            connection._accept(mailbox)
        except (NotRunningError, ForkedError):
            raise
        except GNSError as error:
            _log.info("%r was not accepted: %s", connection, error)
            connection._close()
            return None
        return connection

    @abstractmethod
    def _make_inbound(self, handle: int, info: ConnectionInfo) -> C:
        """The API's connection, its status changes going to _on_inbound_status."""

    @abstractmethod
    def _on_request(self, request: ConnectionRequest[C]) -> None:
        """Somebody wants to connect."""

    @abstractmethod
    def _on_closed(self) -> None:
        """Tells whoever waits there."""

    def _add_inbound(self, handle: int, info: ConnectionInfo, time_us: int) -> C:
        connection = self._make_inbound(handle, info)
        self._mailbox.add(connection)
        self._connections[handle] = connection
        change = StatusChanged(connection, ConnectionState.NONE, ConnectionState.CONNECTING, info, time_us)
        self._mailbox.changes.append((connection, change))
        self._on_request(ConnectionRequest(connection))
        return connection

    def _on_inbound_status(self, event: StatusChanged[Any]) -> None:
        if event.end is not None:
            self._connections.pop(event.connection.handle, None)
        if self._on_status_changed is not None:
            self._on_status_changed(event)


class BaseServer(Broadcaster[C]):
    """A listen socket whose connections each have a handler."""

    def __init__(self, listener: Listener[C]) -> None:
        self.address = listener.address
        """Where it listens: (host, port), the port found if 0 was asked for."""
        self._listener = listener
        self._draining = False

    def __repr__(self) -> str:
        state = "draining" if self._draining and self.is_serving() else "serving" if self.is_serving() else "closed"
        return f"<{type(self).__module__}.{type(self).__name__} {self.address} {state}>"

    @property
    def connections(self) -> list[C]:
        """Those that are connected or being so."""
        return self._listener.connections

    @property
    def limit_counters(self) -> LimitCounters:
        """What came of those that wanted a connection: how many its limits refused, and why. Any thread."""
        return self._listener.limit_counters

    def is_serving(self) -> bool:
        """Whether it is open."""
        return not self._listener._closed

    def close(self, code: int = EndReason.GOING_AWAY, text: str = "", *, linger: bool = True) -> None:
        """Closes the port and each connection, as ListenSocket.close() does; handlers that wait are ended by it.

        At once: wait_closed() waits for the handlers. Errors: TypeError, ValueError. Any thread.
        """
        self._listener.close(code, text, linger=linger)

    def _refuses(self, request: ConnectionRequest[C]) -> bool:
        """Sends newcomers away while the server drains."""
        if self._draining:
            request.reject(EndReason.GOING_AWAY, "the server is closing")
        return self._draining


def host_to_listen(host: str) -> str:
    """The host; where it is empty, all addresses: of both families, or where the system has no IPv6, of IPv4."""
    if host != "":
        return host
    try:
        _free_address(Address("::", 0))
    except ListenError as error:
        if error.errno in _NO_FAMILY:
            return "0.0.0.0"
    return "::"


def _open(mailbox: Mailbox, where: Address, options: Config, limits: ConnectionLimits | None) -> tuple[int, Address]:
    for attempt in range(_PORT_TRIES):
        address = _free_address(where)
        try:
            return _native.listen(mailbox.handle, address, options, limits), address
        except GNSError as error:
            if isinstance(error, ValueError | RuntimeError):  # not about the port
                raise
            if attempt == _PORT_TRIES - 1 or not _is_taken(address):
                raise _listen_error(address, error) from None
    raise AssertionError("unreachable")


def _free_address(where: Address) -> Address:
    """The address, with a port that is free now if it has 0; ListenError, with the system's own reason, if it is not.

    GNS cannot let the system choose a port, and tells of a failure no more than a number in its log.
    """
    family = socket.AF_INET6 if where.ip.version == 6 else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            if family == socket.AF_INET6:
                # As GNS does: "::" is for both families.
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            probe.bind(where)
            return Address(where.host, probe.getsockname()[1])
    except OSError as error:
        raise _listen_error(where, error) from None


def _listen_error(where: Address, error: Exception) -> ListenError:
    if isinstance(error, OSError) and error.errno is not None:
        return ListenError(error.errno, f"cannot listen on {where}: {error.strerror}")
    return ListenError(f"cannot listen on {where}: {error}")


def _is_taken(address: Address) -> bool:
    try:
        _free_address(address)
    except ListenError:
        return True
    return False
