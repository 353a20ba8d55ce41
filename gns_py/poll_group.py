"""What the poll groups of all APIs share. Nothing in here waits."""

from __future__ import annotations

from abc import abstractmethod
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .endpoint import C, broadcast
from .events import StatusChanged

if TYPE_CHECKING:
    from typing_extensions import Buffer

G = TypeVar("G", bound="BasePollGroup[Any]")


class BasePollGroup(Generic[C]):
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

    def broadcast(self, data: Buffer, *, reliable: bool = True, nagle: bool = True, lane: int = 0) -> list[C]:
        """Sends one message to all its members that are connected, in one native call and with one copy.

        Returns those that did not take it: their send queue is full, or was configured too small for it, or they do not
        have that lane. Errors: TypeError, MessageTooLarge, ValueError. Any thread. Native: SendMessages.
        """
        return broadcast(self.connections, data, reliable=reliable, nagle=nagle, lane=lane)

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
