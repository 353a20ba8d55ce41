"""broadcast(), of all that has connections."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Generic

from .. import _native
from .._uncopyable import Uncopyable
from ..errors import MessageTooLarge
from .endpoint import C, check_lane

if TYPE_CHECKING:
    from typing_extensions import Buffer


class Broadcaster(Uncopyable, Generic[C]):
    """Has connections, and sends to all of them at once."""

    @property
    @abstractmethod
    def connections(self) -> list[C]:
        """Those that are connected, or being so."""

    def broadcast(self, data: Buffer, *, reliable: bool = True, nagle: bool = True, lane: int = 0) -> list[C]:
        """Sends one message to all its connections that are connected, in one native call and with one copy.

        Returns those that did not take it: their send queue is full, or was configured too small for it, or they do not
        have that lane. Errors: TypeError, MessageTooLarge, ValueError. Any thread. Native: SendMessages.
        """
        check_lane(lane)
        flags = (_native.SEND_RELIABLE if reliable else 0) | (0 if nagle else _native.SEND_NO_NAGLE)
        targets = [each for each in self.connections if each._established and each._end is None]
        with _native.readable(data) as native_data:
            size = len(native_data)
            if size > _native.MAX_MESSAGE_SIZE:
                raise MessageTooLarge(f"a message may have {_native.MAX_MESSAGE_SIZE} bytes, not {size}")
            results = _native.broadcast([each.handle for each in targets], native_data, size, flags, lane)
        return [each for each, result in zip(targets, results, strict=True) if result in _native.NOT_TAKEN]
