"""The part that the listen sockets of all APIs share. Nothing in here waits."""

from __future__ import annotations

from typing import Generic

from ... import _native
from ..._generated.enums import ConfigScope, EndReason
from ..._uncopyable import Uncopyable
from ...address import Address
from ...config import Config
from ...limits import LimitCounters
from .admission import AdmissionCounters
from .listener import SessionListener
from .request import S


class ListenerView(Uncopyable, Generic[S]):
    """The application's view of a listener: what listen sockets and servers share."""

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


class BaseListenSocket(ListenerView[S]):
    """The part of the ListenSockets of all APIs that does not wait."""

    def set_config(self, config: Config) -> None:
        """Set options for its connections. See gns_py.sync.ListenSocket.set_config()."""
        _native.set_options(ConfigScope.LISTEN_SOCKET, self._listener.listener.handle, config)

    def drain(self) -> None:
        """Let no one in from now on; sessions that exist stay, and can be resumed."""
        self._listener.registry.drain()

    def close(self, code: int = EndReason.GOING_AWAY, text: str = "") -> None:
        """Close the port and everything that is open there, without goodbyes. Closing it again does nothing.

        Args:
            code: See gns_py.sync.ListenSocket.close().
            text: See gns_py.sync.ListenSocket.close().
        """
        self._listener.close(code, text)
