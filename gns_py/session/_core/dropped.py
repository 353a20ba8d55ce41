"""The sessions of a server that wait for another connection: their number is bounded."""

from __future__ import annotations

from collections import OrderedDict

from ..protocol.state import Phase
from .admission import AdmissionRules
from .resumable import ResumableEndpoint


class DroppedSessions:
    """Knows which sessions wait, and which one has to give way. Not thread-safe."""

    def __init__(self, rules: AdmissionRules) -> None:
        self._rules = rules
        # Each in the order in which they lost their connections.
        self._all: OrderedDict[ResumableEndpoint, str] = OrderedDict()
        self._of_host: dict[str, OrderedDict[ResumableEndpoint, None]] = {}

    def note(self, endpoint: ResumableEndpoint, host: str) -> ResumableEndpoint | None:
        """Note a change of a session's phase.

        Args:
            endpoint: The session.
            host: The key of the address that it counts for.

        Returns:
            The one that has to end because there are too many now: the one that has waited the longest, of this host
            if it has too many.
        """
        if endpoint.engine.phase is not Phase.DROPPED:
            self.forget(endpoint)
            return None
        if endpoint in self._all:
            return None
        of_host = self._of_host.setdefault(host, OrderedDict())
        self._all[endpoint] = host
        of_host[endpoint] = None
        excess = None
        if _exceeds(self._rules.max_dropped_per_address, len(of_host)):
            excess = next(iter(of_host))
        elif _exceeds(self._rules.max_dropped, len(self._all)):
            excess = next(iter(self._all))
        if excess is not None:
            self.forget(excess)
        return excess

    def forget(self, endpoint: ResumableEndpoint) -> None:
        """Note that a session does not wait."""
        host = self._all.pop(endpoint, None)
        if host is not None:
            del self._of_host[host][endpoint]
            if not self._of_host[host]:
                del self._of_host[host]


def _exceeds(limit: int | None, count: int) -> bool:
    return limit is not None and count > limit
