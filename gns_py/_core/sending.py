"""Connections that send messages as they are. Any thread; nothing in here waits."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

from .. import _native
from .._generated.enums import EndReason
from ..end import ConnectionEnd
from .checks import check_lane
from .connection import BaseConnection
from .endpoint import Endpoint

if TYPE_CHECKING:
    from typing_extensions import Buffer

# Close at hand, for each message.
_send: Callable[..., int] = _native.send
_MAX_SIZE = _native.MAX_MESSAGE_SIZE
_RELIABLE, _NO_NAGLE, _NO_DELAY = _native.SEND_RELIABLE, _native.SEND_NO_NAGLE, _native.SEND_NO_DELAY


class SendingConnection(BaseConnection):
    """The part of the Connections of all APIs that does not wait."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        endpoint.belong_to(self)

    def __del__(self, _warn: Callable[..., None] = warnings.warn) -> None:
        endpoint = getattr(self, "_endpoint", None)  # missing if the constructor failed
        if endpoint is None or endpoint.is_closed_here or endpoint.sink is not None:  # a session closes it
            return
        text = f"unclosed connection {self!r}"
        is_unclosed = endpoint.end is None and not _native.is_forked()  # in a fork it is the parent's
        endpoint.abandon(EndReason.APP_GENERIC, b"")  # first: the warning may be an exception
        if is_unclosed:  # a loop in another thread may have read its end meanwhile
            _warn(text, ResourceWarning, source=self)

    @property
    def end(self) -> ConnectionEnd | None:
        """Which end closed the connection and why, as soon as that is known; None while it lives.

        Raises:
            ForkedError: This process is a fork of the one that has the connection.
        """
        return self._endpoint.current_end()

    def send(
        self, data: Buffer, *, reliable: bool = True, nagle: bool = True, lane: int = 0, no_delay: bool = False
    ) -> int:
        """Queue a message. Never blocks. Any thread.

        Before the connection is established, a message waits and is delivered afterwards. A message over 16,500 bytes
        is always reliable.

        Args:
            data: Bytes or any contiguous buffer, up to 512 KiB; copied.
            reliable: Whether to send it again until it has arrived, in order with the lane's other reliable messages.
            nagle: Whether it may wait up to ``nagle_time`` for others to share its packet.
            lane: A lane that configure_lanes() has set up.
            no_delay: Whether to drop it rather than wait for the connection to be established.

        Returns:
            The message's number on its lane, from 1.

        Raises:
            SendQueueFull: The peer is not receiving fast enough; drain() waits until there is room.
            MessageTooLarge: The message can never be sent.
            MessageDropped: ``no_delay`` was set, and the message would have had to wait.
            ConnectionClosed: The connection has ended.
            TypeError: ``data`` is not a contiguous buffer, or ``lane`` is not an int.
            ValueError: The lane is not set up.

        Note:
            Native function: ``SendMessages``, called by the thread that serves GNS.
        """
        flags = (_RELIABLE if reliable else 0) | (0 if nagle else _NO_NAGLE) | (_NO_DELAY if no_delay else 0)
        if type(data) is bytes and not lane and len(data) <= _MAX_SIZE:  # most messages
            number = _send(self._handle, data, len(data), flags, 0)
            if number < 0:
                self._endpoint.raise_error(number, size=len(data))
            return number
        native_data = data if type(data) is bytes else _native.readable(data)
        try:
            size = len(native_data)
            if lane:
                check_lane(lane)
            if size > _MAX_SIZE:  # before it can overflow the native argument
                self._endpoint.raise_too_large(size)
            number = _send(self._handle, native_data, size, flags, lane)
        finally:
            if native_data is not data:
                _native.release(native_data)
        if number < 0:
            self._endpoint.raise_error(number, size=size, lane=lane)
        return number

    def send_many(
        self,
        messages: Iterable[Buffer] | Buffer,
        *,
        offsets: Sequence[int] | None = None,
        reliable: bool = True,
        nagle: bool = True,
        lane: int = 0,
    ) -> list[int]:
        """Queue several messages in one native call. Never blocks. Any thread.

        If a message is refused, those before it have been queued: ``sent`` of SendQueueFull and of MessageTooLarge is
        their count.

        Args:
            messages: Buffers, each a message; or, with ``offsets``, one buffer that holds all messages.
            offsets: Where each message begins in the buffer, in bytes. A message ends where the next begins, and the
                last one at the end of the buffer.
            reliable: See send().
            nagle: See send().
            lane: See send().

        Returns:
            The messages' numbers.

        Raises:
            SendQueueFull: See send().
            MessageTooLarge: See send().
            ConnectionClosed: The connection has ended.
            TypeError: A message is not a contiguous buffer, or an offset is not an int.
            ValueError: The lane is not set up, or the offsets do not rise within the buffer.

        Note:
            Native function: ``SendMessages``, called by the thread that serves GNS.
        """
        check_lane(lane)
        flags = (_native.SEND_RELIABLE if reliable else 0) | (0 if nagle else _native.SEND_NO_NAGLE)
        if offsets is None:
            batch, sizes = join_buffers(messages)
            taken, first, failed = _native.send_many(self._handle, batch, sizes, flags, lane)
        else:
            with _native.readable(messages) as data:
                begin, sizes = split_sizes(len(data), offsets)
                taken, first, failed = _native.send_many(self._handle, data + begin, sizes, flags, lane)
        self._endpoint.check(taken)
        if failed:
            self._endpoint.raise_error(failed, size=sizes[taken], lane=lane, sent=taken)
        return list(range(first, first + taken))


C = TypeVar("C", bound=SendingConnection)


def join_buffers(messages: Iterable[Buffer] | Buffer) -> tuple[bytes, list[int]]:
    """Return messages one after another in one buffer, and their sizes.

    Raises:
        TypeError: One of them is not a contiguous buffer.
    """
    batch: list[Any] = list(cast("Iterable[Buffer]", messages))
    for message in batch:
        if type(message) is not bytes:
            _native.readable(message)
    return b"".join(batch), [memoryview(message).nbytes for message in batch]


def split_sizes(size: int, offsets: Sequence[int]) -> tuple[int, list[int]]:
    """Return where the first message begins in a buffer of this size, and the sizes of all messages.

    Raises:
        TypeError: An offset is not an int.
        ValueError: The offsets do not rise within the buffer.
    """
    ends = [*offsets[1:], size] if offsets else []
    for begin, end in zip(offsets, ends, strict=True):
        if not isinstance(begin, int) or isinstance(begin, bool):
            raise TypeError(f"an offset must be an int, not {type(begin).__name__}")
        if not 0 <= begin <= end:
            raise ValueError(
                f"offset {begin} is not between 0 and {end}, where the next message begins or the last ends"
            )
    return (offsets[0] if offsets else 0), [end - begin for begin, end in zip(offsets, ends, strict=True)]
