"""The part that connections and sessions share: state, measures, options, lanes. Any thread; nothing in here waits."""

from __future__ import annotations

from collections.abc import Sequence

from .. import _native
from .._generated.enums import ConfigScope, ConfigValue, ConnectionState
from .._printable import printable
from .._uncopyable import Uncopyable
from ..address import Address
from ..config import Config, OptionValue
from ..errors import ForkedError
from ..identity import Identity
from ..route import Route
from ..stats import ConnectionInfo, ConnectionStatus, LaneStatus, Sample, SendQueue
from .checks import check_int, check_text
from .diversion import Divertible
from .endpoint import Endpoint

_LONGEST_HISTORY = 1_000_000


class BaseConnection(Uncopyable):
    """The part of a Connection that a Session has, too."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._handle = endpoint.handle
        self._history_size = 0

    def __repr__(self) -> str:
        try:
            state: object = self._endpoint.end or self.state.name
        except ForkedError:
            state = "of the process that this one is a fork of"
        return f"<{type(self).__module__}.{type(self).__name__} {self._endpoint.peer} {state}>"

    def go_on_with(self, endpoint: Endpoint) -> None:
        """Have another connection from now on. Not part of the API."""
        self._endpoint = endpoint
        self._handle = endpoint.handle

    @staticmethod
    def endpoint_of(connection: BaseConnection) -> Endpoint:
        """Return the internal end of a connection. Not part of the API."""
        return connection._endpoint

    def divertible(self) -> Divertible:
        """Return the internal end, some of whose messages can go elsewhere. Not part of the API."""
        return self._endpoint

    # ---- state ----

    @property
    def handle(self) -> int:
        """The core's handle of the connection."""
        return self._handle

    @property
    def state(self) -> ConnectionState:
        """The state now, which may be ahead of the events and messages that have been read.

        NONE once this end has closed the connection.

        Raises:
            ForkedError: This process is a fork of the one that has the connection.

        Note:
            Native function: ``GetConnectionInfo``.
        """
        return self._endpoint.state

    def info(self) -> ConnectionInfo:
        """Return what is known about the connection and its peer; once it is closed, what was last known.

        Raises:
            ConnectionClosed: It has ended, and nothing was known about it before.

        Note:
            Native function: ``GetConnectionInfo``.
        """
        return self._endpoint.info()

    @property
    def remote_address(self) -> Address | None:
        """The peer's address; None for a pair in memory, and for a peer without a direct route."""
        return self.info().remote_address

    @property
    def route(self) -> Route:
        """How packets go to a peer and back: see gns_py.p2p. UNKNOWN for connections to a host and port.

        Note:
            Native function: ``GetConnectionInfo``.
        """
        return self._endpoint.route

    @property
    def remote_identity(self) -> Identity:
        """The identity that the peer claims, proved if ``authenticated``. Of type INVALID if it cannot be parsed."""
        try:
            return Identity.parse(self.info().identity)
        except ValueError:
            return Identity.parse("invalid")

    @property
    def authenticated(self) -> bool:
        """True if a certificate proved ``remote_identity`` in the handshake; later revocation does not change it.

        A handshake that was recorded can be replayed, so the peer is there for certain once a message of it has
        arrived.
        """
        return self.info().authenticated

    @property
    def remote_key(self) -> bytes | None:
        """The peer's public key: 32 bytes. None before the handshake, and for pairs.

        A peer without a certificate has a new one for each connection.
        """
        return self.info().remote_key

    @property
    def description(self) -> str:
        """GNS's own description, for logs. Unprintable characters, which a peer's identity may have, are escaped."""
        return printable(self.info().description)

    @property
    def name(self) -> str:
        """The name in GNS's log lines: at most 31 bytes, without NUL.

        Raises:
            TypeError: The new name is not a str.
            ValueError: It is too long or cannot be encoded.
            ConnectionClosed: The connection has ended.

        Note:
            Native functions: ``GetConnectionName``, ``SetConnectionName``.
        """
        return self._endpoint.ask(_native.get_name, self._handle)

    @name.setter
    def name(self, name: str) -> None:
        data = check_text("name", name, _native.MAX_NAME)
        self._endpoint.ask(_native.set_name, self._handle, data)

    @property
    def user_data(self) -> int:
        """A signed 64-bit number of the application's; -1 until set.

        Raises:
            TypeError: The new number is not an int.
            ValueError: It does not fit into 64 bits.
            ConnectionClosed: The connection has ended.

        Note:
            Native function: ``SetConnectionUserData``.
        """
        return self.info().user_data

    @user_data.setter
    def user_data(self, user_data: int) -> None:
        check_int("user_data", user_data, -(2**63), 2**63 - 1)
        self._endpoint.ask(_native.set_user_data, self._handle, user_data)

    # ---- measures ----

    def stats(self) -> ConnectionStatus:
        """Return ping, quality, rates and queues: now, or as last measured if the peer or a problem ended it.

        Raises:
            ConnectionClosed: This end has closed the connection.

        Note:
            Native function: ``GetConnectionRealTimeStatus``.
        """
        return self._endpoint.ask(_native.get_status, self._handle, 0)[0]

    def lane_stats(self) -> list[LaneStatus]:
        """Return how much waits on each outgoing lane, in the order of the lanes.

        Raises:
            ConnectionClosed: This end has closed the connection.

        Note:
            Native function: ``GetConnectionRealTimeStatus``.
        """
        return self._endpoint.ask(_native.get_status, self._handle, self._endpoint.lanes)[1]

    def send_queue(self) -> SendQueue:
        """Return how much is queued or unacknowledged, and the limits at which send() raises SendQueueFull.

        Raises:
            ConnectionClosed: The connection has ended.
        """
        return self._endpoint.send_queue()

    def start_history(self, interval: float = 1.0, size: int = 60) -> None:
        """Record the figures of stats() at intervals from now on.

        They are recorded natively, however busy Python is. ``max_jitter_us`` counts from the last record or call of
        stats().

        Args:
            interval: Seconds between two records, at least 0.001.
            size: How many records to keep, at most 1,000,000 of 72 bytes each; 0 stops recording.

        Raises:
            TypeError: An argument is not a number.
            ValueError: An argument is out of range.
            ConnectionClosed: The connection has ended.

        Note:
            Native function: ``GetConnectionRealTimeStatus``.
        """
        if not isinstance(interval, int | float) or isinstance(interval, bool):
            raise TypeError(f"interval must be seconds, not {type(interval).__name__}")
        if not 0.001 <= interval <= 86400:
            raise ValueError(f"interval is {interval}: it must be 0.001 to 86400 seconds")
        check_int("size", size, 0, _LONGEST_HISTORY)
        self._endpoint.ask(_native.start_history, self._handle, int(interval * 1e6), size)
        self._history_size = size

    def history(self) -> list[Sample]:
        """Return the records since start_history(), oldest first.

        They stay available when the peer or a problem ends the connection.

        Raises:
            ConnectionClosed: This end has closed the connection.
        """
        return self._endpoint.ask(_native.history, self._handle, self._history_size)

    def details(self) -> str:
        """Return GNS's own report of some dozen lines, for people. Unprintable characters are escaped.

        Raises:
            ConnectionClosed: The connection has ended.

        Note:
            Native function: ``GetDetailedConnectionStatus``.
        """
        report = self._endpoint.ask(_native.details, self._handle)
        info = self.info()
        for theirs in (info.identity, info.end_text):  # first: they may have line breaks of their own
            report = report.replace(theirs, printable(theirs))
        return "\n".join(map(printable, report.split("\n")))

    # ---- lanes and options ----

    def configure_lanes(self, priorities: Sequence[int], weights: Sequence[int] | None = None) -> None:
        """Set up this end's outgoing lanes. Order is kept within a lane, not across lanes.

        Args:
            priorities: One for each lane; a lower number goes first. There cannot be fewer lanes than before.
            weights: Shares among lanes of one priority, 1 to 65535; None makes them equal.

        Raises:
            TypeError: A priority or weight is not an int.
            ValueError: A number is out of range, or the counts do not match.
            ConnectionClosed: The connection has ended.

        Note:
            Native function: ``ConfigureConnectionLanes``.
        """
        endpoint = self._endpoint
        shares = [1] * len(priorities) if weights is None else list(weights)
        if not 1 <= len(priorities) <= _native.MAX_LANES:
            raise ValueError(f"a connection has 1 to {_native.MAX_LANES} lanes, not {len(priorities)}")
        if len(shares) != len(priorities):
            raise ValueError(f"{len(priorities)} priorities, but {len(shares)} weights")
        if len(priorities) < endpoint.lanes:
            raise ValueError(f"the connection has {endpoint.lanes} lanes already; they cannot become fewer")
        for priority, weight in zip(priorities, shares, strict=True):
            check_int("a lane's priority", priority, -(2**31), 2**31 - 1)
            check_int("a lane's weight", weight, 1, 65535)
        endpoint.ask(_native.configure_lanes, self._handle, list(priorities), shares)
        endpoint.lanes = len(priorities)

    def set_config(self, config: Config) -> None:
        """Set options of this connection, in Config's order.

        If one is refused, those before it have been set.

        Raises:
            ConfigError: An option cannot be set on a connection.
            ValueError: A value is out of range.
            ConnectionClosed: The connection has ended.

        Note:
            Native function: ``SetConfigValue``.
        """
        self._endpoint.ask(_native.set_options, ConfigScope.CONNECTION, self._handle, config)

    def get_config(self, option: ConfigValue) -> OptionValue:
        """Return the value of an option for this connection, its own or inherited.

        Raises:
            ConfigError: A connection does not have the option.
            ConnectionClosed: The connection has ended.

        Note:
            Native function: ``GetConfigValue``.
        """
        return self._endpoint.ask(_native.get_option, ConfigScope.CONNECTION, self._handle, option)

    def reset_config(self, option: ConfigValue, *options: ConfigValue) -> None:
        """Restore the inherited value of these options: the listen socket's, or the process's.

        Raises:
            ConfigError: A connection does not have an option.
            ConnectionClosed: The connection has ended.

        Note:
            Native function: ``SetConfigValue``.
        """
        for each in (option, *options):
            self._endpoint.ask(_native.reset_option, ConfigScope.CONNECTION, self._handle, each)

    def flush(self) -> None:
        """Send the messages that wait for Nagle's timer now.

        Raises:
            ConnectionClosed: The connection has ended.

        Note:
            Native function: ``FlushMessagesOnConnection``.
        """
        self._endpoint.ask(_native.flush, self._handle)
