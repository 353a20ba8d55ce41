"""The part that the listen sockets of all APIs share. Nothing in here waits."""

from __future__ import annotations

from .. import _native
from .._generated.enums import ConfigScope, ConfigValue, EndReason
from ..address import Address
from ..config import Config, OptionValue
from ..limits import LimitCounters
from .broadcast import Broadcaster
from .listener import Listener
from .sending import C


class ListenerView(Broadcaster[C]):
    """The application's view of a listener: what listen sockets and servers share."""

    def __init__(self, listener: Listener[C]) -> None:
        self._listener = listener
        self.address: Address = listener.address
        """The address it listens at: (host, port), with the port that was found if 0 was requested."""

    @property
    def connections(self) -> list[C]:
        """The connections that are established or still connecting, however they were accepted."""
        return self._listener.connections

    @property
    def limit_counters(self) -> LimitCounters:
        """How many connections the limits refused, and why. Any thread."""
        return self._listener.limit_counters


class BaseListenSocket(ListenerView[C]):
    """The part of the ListenSockets of all APIs that does not wait."""

    def __repr__(self) -> str:
        state = "closed" if self._listener.is_closed else "open"
        return f"<{type(self).__module__}.{type(self).__name__} {self.address} {state}>"

    def set_config(self, config: Config) -> None:
        """Set options for its connections that have no value of their own. Any thread.

        ``recv_queue_bytes``, ``recv_queue_messages`` and ``max_unacked_segments`` affect only later connections.

        Raises:
            ConfigError: An option cannot be set on a listen socket.
            ValueError: A value is out of range.

        Note:
            Native function: ``SetConfigValue``.
        """
        _native.set_options(ConfigScope.LISTEN_SOCKET, self._listener.handle, config)

    def get_config(self, option: ConfigValue) -> OptionValue:
        """Return the value of an option for its new connections.

        Raises:
            ConfigError: A listen socket does not have the option.

        Note:
            Native function: ``GetConfigValue``.
        """
        return _native.get_option(ConfigScope.LISTEN_SOCKET, self._listener.handle, option)

    def reset_config(self, option: ConfigValue, *options: ConfigValue) -> None:
        """Restore the process's value of these options.

        Raises:
            ConfigError: A listen socket does not have an option.

        Note:
            Native function: ``SetConfigValue``.
        """
        for each in (option, *options):
            _native.reset_option(ConfigScope.LISTEN_SOCKET, self._listener.handle, each)

    def close(self, code: int = EndReason.GOING_AWAY, text: str = "", *, linger: bool = True) -> None:
        """Close the port and each of its connections. Closing it again does nothing. Any thread.

        When this returns the port is free, unless a connection lingers: then it is free once its data is delivered.

        Args:
            code: See Connection.close().
            text: See Connection.close().
            linger: See Connection.close().

        Raises:
            TypeError: See Connection.close().
            ValueError: See Connection.close().

        Note:
            Native functions: ``CloseConnection``, ``CloseListenSocket``.
        """
        self._listener.close(code, text, linger=linger)
