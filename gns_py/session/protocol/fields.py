"""The types of the fields in frames. Each checks its limits when it is written and when it is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")

_BITS = 64
_LARGEST = (1 << _BITS) - 1
MAX_LANE = 254


class FrameError(ValueError):
    """A frame is malformed, or a value does not fit into one."""


class Reader:
    """Reads one message from beginning to end."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes, at: int = 0) -> None:
        self._data = data
        self._at = at

    @property
    def left(self) -> int:
        """The number of bytes left."""
        return len(self._data) - self._at

    def take(self, size: int) -> bytes:
        """Read ``size`` bytes.

        Raises:
            FrameError: There are fewer.
        """
        if size > self.left:
            raise FrameError(f"the frame ends {size - self.left} bytes too early")
        self._at += size
        return self._data[self._at - size : self._at]

    def varint(self) -> int:
        """Read a number.

        Raises:
            FrameError: It is malformed.
        """
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift > _BITS:
                raise FrameError("a number has more than ten bytes")
        if value > _LARGEST:
            raise FrameError("a number has more than 64 bits")
        if shift and byte == 0:
            raise FrameError("a number is longer than it needs to be")
        return value


def varint(value: int) -> bytes:
    """Return a number below 2^64 as bytes."""
    return bytes((value,)) if value < 0x80 else bytes((value & 0x7F | 0x80,)) + varint(value >> 7)


class FieldType(Protocol[T]):
    """How a value is written in a frame. Both methods raise FrameError for values beyond its limits."""

    def read(self, reader: Reader) -> T:
        """Read a value."""

    def write(self, value: T) -> bytes:
        """Return a value as bytes."""


class VarInt:
    """A varint between two limits."""

    def __init__(self, minimum: int = 0, maximum: int = _LARGEST) -> None:
        self._minimum = minimum
        self._maximum = maximum

    def read(self, reader: Reader) -> int:
        """See FieldType."""
        return self._checked(reader.varint())

    def write(self, value: int) -> bytes:
        """See FieldType."""
        return varint(self._checked(value))

    def _checked(self, value: int) -> int:
        if not self._minimum <= value <= self._maximum:
            raise FrameError(f"{value} is not from {self._minimum} to {self._maximum}")
        return value


class IntegerIn:
    """A varint in one of several ranges."""

    def __init__(self, *ranges: range) -> None:
        self._ranges = ranges

    def read(self, reader: Reader) -> int:
        """See FieldType."""
        return self._checked(reader.varint())

    def write(self, value: int) -> bytes:
        """See FieldType."""
        return varint(self._checked(value))

    def _checked(self, value: int) -> int:
        if not any(value in each for each in self._ranges):
            allowed = ", ".join(f"from {each.start} to {each.stop - 1}" for each in self._ranges)
            raise FrameError(f"{value} is not {allowed}")
        return value


class SizedBytes:
    """Bytes, after their length."""

    def __init__(self, maximum: int, minimum: int = 0) -> None:
        self._size = VarInt(minimum, maximum)

    def read(self, reader: Reader) -> bytes:
        """See FieldType."""
        return reader.take(self._size.read(reader))

    def write(self, value: bytes) -> bytes:
        """See FieldType."""
        return self._size.write(len(value)) + value


class Text:
    """UTF-8 without NUL, after its length in bytes."""

    def __init__(self, maximum: int) -> None:
        self._bytes = SizedBytes(maximum)

    def read(self, reader: Reader) -> str:
        """See FieldType."""
        try:
            text = self._bytes.read(reader).decode()
        except UnicodeDecodeError as error:
            raise FrameError(f"a text is not UTF-8: {error}") from None
        return self._checked(text)

    def write(self, value: str) -> bytes:
        """See FieldType."""
        try:
            return self._bytes.write(self._checked(value).encode())
        except UnicodeEncodeError as error:
            raise FrameError(f"a text cannot be UTF-8: {error}") from None

    @staticmethod
    def _checked(text: str) -> str:
        if "\0" in text:
            raise FrameError("a text has a NUL")
        return text


class FixedBytes:
    """A fixed number of bytes."""

    def __init__(self, size: int) -> None:
        self._size = size

    def read(self, reader: Reader) -> bytes:
        """See FieldType."""
        return reader.take(self._size)

    def write(self, value: bytes) -> bytes:
        """See FieldType."""
        if len(value) != self._size:
            raise FrameError(f"{len(value)} bytes instead of {self._size}")
        return bytes(value)


class RemainingBytes:
    """The bytes that are left of the message."""

    def read(self, reader: Reader) -> bytes:
        """See FieldType."""
        return reader.take(reader.left)

    def write(self, value: bytes) -> bytes:
        """See FieldType."""
        return value


class LaneNumbers:
    """A sequence number for each lane that has one."""

    _count = VarInt(0, MAX_LANE + 1)
    _lane = VarInt(0, MAX_LANE)
    _sequence = VarInt(1)

    def read(self, reader: Reader) -> Mapping[int, int]:
        """See FieldType."""
        lanes: dict[int, int] = {}
        last = -1
        for _ in range(self._count.read(reader)):
            lane = self._lane.read(reader)
            if lane <= last:
                raise FrameError(f"lane {lane} follows lane {last}")
            last = lane
            lanes[lane] = self._sequence.read(reader)
        return lanes

    def write(self, value: Mapping[int, int]) -> bytes:
        """See FieldType."""
        lanes = sorted((lane, sequence) for lane, sequence in value.items() if sequence)
        return self._count.write(len(lanes)) + b"".join(
            self._lane.write(lane) + self._sequence.write(sequence) for lane, sequence in lanes
        )


class ListOf(Generic[T]):
    """Several values of one type, after their number."""

    def __init__(self, item: FieldType[T], maximum: int) -> None:
        self._item = item
        self._count = VarInt(0, maximum)

    def read(self, reader: Reader) -> tuple[T, ...]:
        """See FieldType."""
        return tuple(self._item.read(reader) for _ in range(self._count.read(reader)))

    def write(self, value: tuple[T, ...]) -> bytes:
        """See FieldType."""
        return self._count.write(len(value)) + b"".join(map(self._item.write, value))
