"""The part that the poll groups of all APIs share. Nothing in here waits."""

from __future__ import annotations

from abc import abstractmethod
from types import TracebackType
from typing import Any, TypeVar

from ..events import StatusChanged
from .broadcast import Broadcaster
from .connection import BaseConnection
from .endpoint import Endpoint
from .sending import C

G = TypeVar("G", bound="BasePollGroup[Any]")


class BasePollGroup(Broadcaster[C]):
    """Many connections that are read in one place."""

    def __init__(self) -> None:
        self._members: dict[int, C] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__name__} {len(self.connections)} connections>"

    def __contains__(self, connection: object) -> bool:
        return isinstance(connection, BaseConnection) and BaseConnection.endpoint_of(connection).group is self

    @property
    def connections(self) -> list[C]:
        """The members that have not ended."""
        return [each for each in list(self._members.values()) if BaseConnection.endpoint_of(each).is_alive]

    @abstractmethod
    def remove(self, connection: C) -> None:
        """Read a connection on its own again."""

    def close(self) -> None:
        """Remove all members: each is read on its own again. They stay open."""
        for connection in self.connections:
            self.remove(connection)

    def __enter__(self: G) -> G:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def discard(self, endpoint: Endpoint) -> None:
        """See Group. Not part of the API."""
        self._members.pop(endpoint.handle, None)
        endpoint.group = None

    def _join(self, connection: C) -> None:
        endpoint = BaseConnection.endpoint_of(connection)
        if endpoint.group is not None:
            endpoint.group.discard(endpoint)
        self._members[endpoint.handle] = connection
        endpoint.group = self

    def _endpoint_of_member(self, connection: C) -> Endpoint:
        """Return a member's endpoint.

        Raises:
            ValueError: The connection is not in this group.
        """
        if connection not in self:
            raise ValueError(f"{connection!r} is not in this group")
        return BaseConnection.endpoint_of(connection)

    def _forget_ended(self, events: list[Any]) -> None:
        """Forget the members whose last event has been returned."""
        for event in events:
            if isinstance(event, StatusChanged) and event.end is not None:
                self._members.pop(event.connection.handle, None)
