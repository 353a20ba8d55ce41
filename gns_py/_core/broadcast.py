"""broadcast() for listen sockets, servers and poll groups."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Generic

from .. import _native
from .._uncopyable import Uncopyable
from ..errors import MessageTooLarge
from .checks import check_lane
from .connection import BaseConnection
from .sending import C

if TYPE_CHECKING:
    from typing_extensions import Buffer


class Broadcaster(Uncopyable, Generic[C]):
    """A base for everything that has connections, to send to all of them at once."""

    @property
    @abstractmethod
    def connections(self) -> list[C]:
        """The connections that are established or still connecting."""

    def broadcast(self, data: Buffer, *, reliable: bool = True, nagle: bool = True, lane: int = 0) -> list[C]:
        """Send one message to all established connections, in one native call and with one copy. Any thread.

        Args:
            data: See Connection.send().
            reliable: See Connection.send().
            nagle: See Connection.send().
            lane: See Connection.send().

        Returns:
            The connections that did not take the message: their send queue is full or too small for it, or they do not
            have the lane.

        Raises:
            TypeError: ``data`` is not a contiguous buffer, or ``lane`` is not an int.
            MessageTooLarge: The message is over 512 KiB.
            ValueError: No connection has this many lanes.

        Note:
            Native function: ``SendMessages``.
        """
        check_lane(lane)
        flags = (_native.SEND_RELIABLE if reliable else 0) | (0 if nagle else _native.SEND_NO_NAGLE)
        connections: list[C] = []
        for each in self.connections:
            endpoint = BaseConnection.endpoint_of(each)
            if endpoint.is_established and endpoint.end is None:
                connections.append(each)
        with _native.readable(data) as native_data:
            size = len(native_data)
            if size > _native.MAX_MESSAGE_SIZE:
                raise MessageTooLarge(f"a message may have {_native.MAX_MESSAGE_SIZE} bytes, not {size}")
            results = _native.broadcast([each.handle for each in connections], native_data, size, flags, lane)
        return [each for each, result in zip(connections, results, strict=True) if result in _native.NOT_TAKEN]
