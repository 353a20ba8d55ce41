"""The wire format of protobuf, as much of it as certificates need. The parser is strict where GNS's own is lenient.

GNS takes the last one of two fields that may occur once, drops the high bits of a number that is too large, and skips a
field of the wrong type. Such bytes could be read in two ways; they are refused here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import TypeAlias

from .errors import MalformedCertificate

Fields: TypeAlias = "dict[int, list[int | bytes]]"


class Kind(IntEnum):
    """How a field is written, with protobuf's own numbers."""

    VARINT = 0
    FIXED64 = 1
    BYTES = 2
    FIXED32 = 5


_SIZES = {Kind.FIXED64: 8, Kind.FIXED32: 4}


class _Reader:
    """Reads bytes from beginning to end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, size: int) -> bytes:
        if size > self.left:
            raise MalformedCertificate(f"it ends {size - self.left} bytes too early")
        self._at += size
        return self._data[self._at - size : self._at]

    def varint(self, bits: int) -> int:
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if value >> bits or shift > bits:
                raise MalformedCertificate(f"a number has more than {bits} bits")
            if byte < 0x80:
                break
            shift += 7
        if shift and byte == 0:
            raise MalformedCertificate("a number is longer than it needs to be")
        return value

    def value(self, kind: Kind) -> int | bytes:
        if kind is Kind.VARINT:
            return self.varint(64)
        if kind is Kind.BYTES:
            return self.take(self.varint(32))
        return int.from_bytes(self.take(_SIZES[kind]), "little")


def parse(data: bytes, known: Mapping[int, Kind], repeated: frozenset[int] = frozenset()) -> Fields:
    """Return the values of a message's fields by their numbers; unknown fields are skipped.

    Args:
        data: The message.
        known: The kinds of the fields, by number.
        repeated: The fields that may occur more than once, packed into one, too.

    Raises:
        MalformedCertificate: It is not a message with these fields.
    """
    found: Fields = {}
    reader = _Reader(data)
    while reader.left:
        tag = reader.varint(32)
        number = tag >> 3
        try:
            kind = Kind(tag & 7)
        except ValueError:
            raise MalformedCertificate(f"field {number} has an unknown type") from None
        if number == 0:
            raise MalformedCertificate("a field has the number 0")
        value = reader.value(kind)
        expected = known.get(number)
        if expected is None:
            continue
        if kind is expected:
            found.setdefault(number, []).append(value)
        elif number in repeated and isinstance(value, bytes):
            found.setdefault(number, []).extend(_unpacked(value, expected))
        else:
            raise MalformedCertificate(f"field {number} has the wrong type")
        if len(found[number]) > 1 and number not in repeated:
            raise MalformedCertificate(f"field {number} occurs twice")
    return found


def _unpacked(data: bytes, kind: Kind) -> Iterator[int | bytes]:
    reader = _Reader(data)
    while reader.left:
        yield reader.value(kind)


def field(number: int, kind: Kind, value: int | bytes) -> bytes:
    """Return a field as bytes."""
    tag = _varint(number << 3 | kind)
    if isinstance(value, bytes):
        return tag + _varint(len(value)) + value
    return tag + (_varint(value) if kind is Kind.VARINT else value.to_bytes(_SIZES[kind], "little"))


def _varint(value: int) -> bytes:
    return bytes((value,)) if value < 0x80 else bytes((value & 0x7F | 0x80,)) + _varint(value >> 7)
