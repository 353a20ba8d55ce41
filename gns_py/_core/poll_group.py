"""What the poll groups of all APIs share. Nothing in here waits."""

from __future__ import annotations

from abc import abstractmethod
from types import TracebackType
from typing import Any, TypeVar

from ..events import StatusChanged
from .broadcast import Broadcaster
from .endpoint import C

G = TypeVar("G", bound="BasePollGroup[Any]")


class BasePollGroup(Broadcaster[C]):
    """Many connections, one place to read them."""

    def __init__(self) -> None:
        self._members: dict[int, C] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__name__} {len(self.connections)} connections>"

    def __contains__(self, connection: object) -> bool:
        return getattr(connection, "_group", None) is self

    @property
    def connections(self) -> list[C]:
        """Its members that have not ended."""
        return [each for each in list(self._members.values()) if each._end is None and not each._closed_here]

    @abstractmethod
    def remove(self, connection: C) -> None:
        """From now on it is read on its own."""

    def close(self) -> None:
        """Lets its members go: each is read on its own again. They stay open."""
        for connection in self.connections:
            self.remove(connection)

    def __enter__(self: G) -> G:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _join(self, connection: C) -> None:
        self._leave(connection)
        self._members[connection.handle] = connection
        connection._group = self

    @staticmethod
    def _leave(connection: C) -> None:
        if connection._group is not None:
            connection._group._members.pop(connection.handle, None)
            connection._group = None

    def _forget_ended(self, events: list[Any]) -> None:
        """Those whose last event has been handed out are members no more."""
        for event in events:
            if isinstance(event, StatusChanged) and event.end is not None:
                self._members.pop(event.connection.handle, None)
