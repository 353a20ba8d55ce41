"""The frames of docs/session-protocol.md, to and from bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import IntFlag
from typing import ClassVar, TypeVar

from .fields import (
    FieldType,
    FixedBytes,
    FrameError,
    IntegerIn,
    LaneNumbers,
    ListOf,
    Reader,
    RemainingBytes,
    SizedBytes,
    Text,
    VarInt,
)

T = TypeVar("T")
F = TypeVar("F", bound="Frame")

MAGIC = b"GNSS"
VERSION = 1
FIRST_EPOCH = 1
MAX_MESSAGE = 524_272
MAX_DATA = 65_536
MAX_TEXT = 1_024
MAX_TOKEN = 64
MAX_KEY = 64
MAX_ADDRESSES = 16
CODES = range(1_000, 1_900), range(2_000, 2_900)
"""The application's codes for an end: normal ones, and faults."""
MAX_CREDIT = 1 << 32
LAST_CREDIT = (1 << 64) - 1
"""Both credits of the ACK that confirms a goodbye: everything up to it has arrived."""
MIN_PING_TIMEOUT_MS, MAX_PING_TIMEOUT_MS = 100, 600_000

_NUMBER = VarInt()
_VERSION = VarInt(1, 0xFFFF)
_POSITIVE = VarInt(1)
_LENGTH = VarInt(1, MAX_MESSAGE)
_PING_TIMEOUT = IntegerIn(range(1), range(MIN_PING_TIMEOUT_MS, MAX_PING_TIMEOUT_MS + 1))
_CREDIT = VarInt(1, MAX_CREDIT)
_CODE = IntegerIn(*CODES)
_ID = FixedBytes(16)
_TOKEN = SizedBytes(MAX_TOKEN)
_KEY = SizedBytes(MAX_KEY, 1)
_DATA = SizedBytes(MAX_DATA)
_TEXT = Text(MAX_TEXT)
_ADDRESSES = ListOf(Text(255), MAX_ADDRESSES)
_LANES = LaneNumbers()
_REST = RemainingBytes()


class Capabilities(IntFlag):
    """The optional abilities of an end."""

    NONE = 0
    RESUME = 1
    DURABLE = 2


class Frame:
    """The base of all frames."""

    __slots__ = ()

    PREFIX: ClassVar[bytes]
    """The first bytes: the type and, for some, the magic."""
    IS_OPEN: ClassVar[bool] = False
    """True if frames of later versions may be longer."""

    def encode(self) -> bytes:
        """Return the frame as a message.

        Raises:
            FrameError: A value is beyond its limits.
        """
        return self.PREFIX + b"".join(each.metadata["type"].write(getattr(self, each.name)) for each in fields(self))  # type: ignore[arg-type]


def _field(field_type: FieldType[T]) -> T:
    return field(metadata={"type": field_type})  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Hello(Frame):
    """The client asks for a session."""

    PREFIX = b"\x01" + MAGIC
    IS_OPEN = True

    min_version: int = _field(_VERSION)
    max_version: int = _field(_VERSION)
    capabilities: int = _field(_NUMBER)
    max_message: int = _field(_LENGTH)
    credit_bytes: int = _field(_CREDIT)
    credit_messages: int = _field(_CREDIT)
    resume_window_ms: int = _field(_NUMBER)
    ping_timeout_ms: int = _field(_PING_TIMEOUT)
    data: bytes = _field(_DATA)


@dataclass(frozen=True, slots=True)
class Welcome(Frame):
    """The server's application has accepted."""

    PREFIX = b"\x02"

    version: int = _field(_VERSION)
    capabilities: int = _field(VarInt(0, Capabilities.RESUME | Capabilities.DURABLE))
    session_id: bytes = _field(_ID)
    epoch: int = _field(_POSITIVE)
    token: bytes = _field(_TOKEN)
    max_message: int = _field(_LENGTH)
    credit_bytes: int = _field(_CREDIT)
    credit_messages: int = _field(_CREDIT)
    resume_window_ms: int = _field(_NUMBER)
    ping_timeout_ms: int = _field(_PING_TIMEOUT)
    data: bytes = _field(_DATA)


@dataclass(frozen=True, slots=True)
class Confirm(Frame):
    """The client knows that it was accepted."""

    PREFIX = b"\x03"

    epoch: int = _field(_POSITIVE)


@dataclass(frozen=True, slots=True)
class Ready(Frame):
    """The server knows that the client knows it."""

    PREFIX = b"\x04"

    epoch: int = _field(_POSITIVE)


@dataclass(frozen=True, slots=True)
class Reject(Frame):
    """The client does not get a session."""

    PREFIX = b"\x05"

    reason: int = _field(_NUMBER)
    code: int = _field(_CODE)
    text: str = _field(_TEXT)
    data: bytes = _field(_DATA)


@dataclass(frozen=True, slots=True)
class Resume(Frame):
    """The client asks to resume its session on this connection."""

    PREFIX = b"\x06" + MAGIC
    IS_OPEN = True

    min_version: int = _field(_VERSION)
    max_version: int = _field(_VERSION)
    capabilities: int = _field(_NUMBER)
    session_id: bytes = _field(_ID)
    epoch: int = _field(_POSITIVE)
    token: bytes = _field(_TOKEN)
    handled: Mapping[int, int] = _field(_LANES)
    credit_bytes: int = _field(_NUMBER)
    credit_messages: int = _field(_NUMBER)


@dataclass(frozen=True, slots=True)
class Resumed(Frame):
    """The session is resumed."""

    PREFIX = b"\x07"

    epoch: int = _field(_POSITIVE)
    token: bytes = _field(_TOKEN)
    handled: Mapping[int, int] = _field(_LANES)
    credit_bytes: int = _field(_NUMBER)
    credit_messages: int = _field(_NUMBER)


@dataclass(frozen=True, slots=True)
class ResumeFailed(Frame):
    """The session cannot be resumed."""

    PREFIX = b"\x08"

    reason: int = _field(_NUMBER)
    text: str = _field(_TEXT)


@dataclass(frozen=True, slots=True)
class Ack(Frame):
    """The messages that the application has handled, and the credit of the other end."""

    PREFIX = b"\x09"

    handled: Mapping[int, int] = _field(_LANES)
    credit_bytes: int = _field(_NUMBER)
    credit_messages: int = _field(_NUMBER)


@dataclass(frozen=True, slots=True)
class Ping(Frame):
    """Are you there?"""

    PREFIX = b"\x0a"

    number: int = _field(_NUMBER)


@dataclass(frozen=True, slots=True)
class Pong(Frame):
    """Yes."""

    PREFIX = b"\x0b"

    number: int = _field(_NUMBER)


@dataclass(frozen=True, slots=True)
class GoAway(Frame):
    """The server will shut down; here are others."""

    PREFIX = b"\x0c"

    reason: int = _field(_NUMBER)
    deadline_ms: int = _field(_NUMBER)
    text: str = _field(_TEXT)
    addresses: tuple[str, ...] = _field(_ADDRESSES)


@dataclass(frozen=True, slots=True)
class Bye(Frame):
    """An end's goodbye: only acks follow."""

    PREFIX = b"\x0d"

    reason: int = _field(_NUMBER)
    code: int = _field(_CODE)
    text: str = _field(_TEXT)
    last: Mapping[int, int] = _field(_LANES)
    data: bytes = _field(_DATA)


@dataclass(frozen=True, slots=True)
class ByeAck(Frame):
    """The answer to a goodbye."""

    PREFIX = b"\x0e"

    last: Mapping[int, int] = _field(_LANES)
    data: bytes = _field(_DATA)


@dataclass(frozen=True, slots=True)
class Data(Frame):
    """A reliable message."""

    PREFIX = b"\x10"

    sequence: int = _field(_POSITIVE)
    payload: bytes = _field(_REST)


@dataclass(frozen=True, slots=True)
class Untracked(Frame):
    """An unreliable message."""

    PREFIX = b"\x11"

    payload: bytes = _field(_REST)


@dataclass(frozen=True, slots=True)
class Keyed(Frame):
    """An unreliable message that replaces earlier ones with its key."""

    PREFIX = b"\x12"

    key: bytes = _field(_KEY)
    payload: bytes = _field(_REST)


FRAME_TYPES: dict[int, type[Frame]] = {
    kind.PREFIX[0]: kind
    for kind in (
        *(Hello, Welcome, Confirm, Ready, Reject, Resume, Resumed, ResumeFailed),
        *(Ack, Ping, Pong, GoAway, Bye, ByeAck, Data, Untracked, Keyed),
    )
}


def decode(message: bytes) -> Frame:
    """Return the frame in a message.

    Raises:
        FrameError: The message is malformed.
    """
    if not message:
        raise FrameError("an empty message is not a frame")
    kind = FRAME_TYPES.get(message[0])
    if kind is None:
        raise FrameError(f"no frame has the type {message[0]:#04x}")
    if not message.startswith(kind.PREFIX):
        raise FrameError(f"{kind.__name__} lacks its magic")
    frame = parse(kind, message)
    if isinstance(frame, Hello | Resume) and frame.min_version > frame.max_version:
        raise FrameError("the lowest version is above the highest one")
    return frame


def parse(kind: type[F], message: bytes) -> F:
    """Return a frame of which the kind is known.

    Raises:
        FrameError: The message is malformed.
    """
    reader = Reader(message, len(kind.PREFIX))
    frame = kind(*(each.metadata["type"].read(reader) for each in fields(kind)))  # type: ignore[arg-type]
    if reader.left and not kind.IS_OPEN:
        raise FrameError(f"{reader.left} bytes follow the end of {kind.__name__}")
    return frame
