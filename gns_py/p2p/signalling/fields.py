"""The types of the fields in messages. Each checks its limits when it is written and when it is read."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

from ..._generated.enums import IdentityType
from ...identity import Identity

T = TypeVar("T")

MAX_IDENTITY = 127
"""The longest text of an identity in bytes."""


class WireError(ValueError):
    """A message is malformed, or a value does not fit into one."""


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
            WireError: There are fewer.
        """
        if size > self.left:
            raise WireError(f"the message ends {size - self.left} bytes too early")
        self._at += size
        return self._data[self._at - size : self._at]


class FieldType(Protocol[T]):
    """How a value is written in a message. Both methods raise WireError for values beyond its limits."""

    def read(self, reader: Reader) -> T:
        """Read a value."""

    def write(self, value: T) -> bytes:
        """Return a value as bytes."""


class Unsigned:
    """A number of a fixed size, the most significant byte first, between two limits."""

    def __init__(self, size: int, minimum: int = 0, maximum: int | None = None) -> None:
        self._size = size
        self._minimum = minimum
        self._maximum = (1 << 8 * size) - 1 if maximum is None else maximum

    def read(self, reader: Reader) -> int:
        """See FieldType."""
        return self._checked(int.from_bytes(reader.take(self._size), "big"))

    def write(self, value: int) -> bytes:
        """See FieldType."""
        return self._checked(value).to_bytes(self._size, "big")

    def _checked(self, value: int) -> int:
        if not self._minimum <= value <= self._maximum:
            raise WireError(f"{value} is not from {self._minimum} to {self._maximum}")
        return value


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
            raise WireError(f"{len(value)} bytes instead of {self._size}")
        return bytes(value)


class SizedBytes:
    """Bytes, after their length."""

    def __init__(self, minimum: int, maximum: int) -> None:
        self._size = Unsigned(2, minimum, maximum)

    def read(self, reader: Reader) -> bytes:
        """See FieldType."""
        return reader.take(self._size.read(reader))

    def write(self, value: bytes) -> bytes:
        """See FieldType."""
        return self._size.write(len(value)) + value


class RemainingBytes:
    """The bytes that are left of the message, between two limits."""

    def __init__(self, minimum: int, maximum: int) -> None:
        self._minimum = minimum
        self._maximum = maximum

    def read(self, reader: Reader) -> bytes:
        """See FieldType."""
        return self._checked(reader.take(reader.left))

    def write(self, value: bytes) -> bytes:
        """See FieldType."""
        return self._checked(bytes(value))

    def _checked(self, value: bytes) -> bytes:
        if not self._minimum <= len(value) <= self._maximum:
            raise WireError(f"{len(value)} bytes instead of {self._minimum} to {self._maximum}")
        return value


class Text:
    """UTF-8 without NUL, after its length in bytes."""

    def __init__(self, minimum: int, maximum: int) -> None:
        self._bytes = SizedBytes(minimum, maximum)

    def read(self, reader: Reader) -> str:
        """See FieldType."""
        try:
            text = self._bytes.read(reader).decode()
        except UnicodeDecodeError as error:
            raise WireError(f"a text is not UTF-8: {error}") from None
        return self._checked(text)

    def write(self, value: str) -> bytes:
        """See FieldType."""
        try:
            return self._bytes.write(self._checked(value).encode())
        except UnicodeEncodeError as error:
            raise WireError(f"a text cannot be UTF-8: {error}") from None

    @staticmethod
    def _checked(text: str) -> str:
        if "\0" in text:
            raise WireError("a text has a NUL")
        return text


class PrintableText(Text):
    """A text without control characters and the like."""

    @staticmethod
    def _checked(text: str) -> str:
        if not text.isprintable():
            raise WireError("a text has an unprintable character")
        return text


class IdentityText:
    """GNS's text of an identity, in the one spelling that GNS writes."""

    _text = Text(1, MAX_IDENTITY)

    def read(self, reader: Reader) -> Identity:
        """See FieldType."""
        text = self._text.read(reader)
        try:
            identity = Identity.parse(text)
        except ValueError as error:
            raise WireError(str(error)) from None
        if identity.type is IdentityType.INVALID or str(identity) != text:
            raise WireError(f"{text!r} is not an identity in GNS's own spelling")
        return identity

    def write(self, value: Identity) -> bytes:
        """See FieldType."""
        if value.type is IdentityType.INVALID:
            raise WireError("the invalid identity is not an identity")
        return self._text.write(str(value))


class ListOf(Generic[T]):
    """Several values of one type, after their number."""

    def __init__(self, item: FieldType[T], minimum: int, maximum: int) -> None:
        self._item = item
        self._count = Unsigned(2, minimum, maximum)

    def read(self, reader: Reader) -> tuple[T, ...]:
        """See FieldType."""
        return tuple(self._item.read(reader) for _ in range(self._count.read(reader)))

    def write(self, value: tuple[T, ...]) -> bytes:
        """See FieldType."""
        return self._count.write(len(value)) + b"".join(map(self._item.write, value))
