"""The frames of docs/session-protocol.md, and the bytes that they are."""

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

MAGIC = b"GNSS"
VERSION = 1
MAX_MESSAGE = 524_272
MAX_DATA = 65_536
MAX_TEXT = 1_024
MAX_TOKEN = 64
MAX_KEY = 64
MAX_ADDRESSES = 16
CODES = range(1_000, 1_900), range(2_000, 2_900)
"""The application's numbers for an end: a normal one, and a fault."""
MAX_CREDIT = 1 << 32
LAST_CREDIT = (1 << 64) - 1
"""What an ACK has for both credits that says: all up to your goodbye has come."""
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
    """What an end can besides."""

    NONE = 0
    RESUME = 1


class Frame:
    """The base of all frames."""

    __slots__ = ()

    PREFIX: ClassVar[bytes]
    """Type, and what else each frame of the kind begins with."""
    IS_OPEN: ClassVar[bool] = False
    """Whether a later version's may be longer."""

    def encode(self) -> bytes:
        """The message. Errors: FrameError."""
        return self.PREFIX + b"".join(each.metadata["part"].write(getattr(self, each.name)) for each in fields(self))  # type: ignore[arg-type]


def _part(part: FieldType[T]) -> T:
    return field(metadata={"part": part})  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Hello(Frame):
    """The client wants a session."""

    PREFIX = b"\x01" + MAGIC
    IS_OPEN = True

    min_version: int = _part(_VERSION)
    max_version: int = _part(_VERSION)
    capabilities: int = _part(_NUMBER)
    max_message: int = _part(_LENGTH)
    credit_bytes: int = _part(_CREDIT)
    credit_messages: int = _part(_CREDIT)
    resume_window_ms: int = _part(_NUMBER)
    ping_timeout_ms: int = _part(_PING_TIMEOUT)
    data: bytes = _part(_DATA)


@dataclass(frozen=True, slots=True)
class Welcome(Frame):
    """The server's application has accepted."""

    PREFIX = b"\x02"

    version: int = _part(_VERSION)
    capabilities: int = _part(VarInt(0, Capabilities.RESUME))
    session_id: bytes = _part(_ID)
    epoch: int = _part(_POSITIVE)
    token: bytes = _part(_TOKEN)
    max_message: int = _part(_LENGTH)
    credit_bytes: int = _part(_CREDIT)
    credit_messages: int = _part(_CREDIT)
    resume_window_ms: int = _part(_NUMBER)
    ping_timeout_ms: int = _part(_PING_TIMEOUT)
    data: bytes = _part(_DATA)


@dataclass(frozen=True, slots=True)
class Confirm(Frame):
    """The client knows that it was accepted."""

    PREFIX = b"\x03"

    epoch: int = _part(_POSITIVE)


@dataclass(frozen=True, slots=True)
class Ready(Frame):
    """The server knows that the client knows."""

    PREFIX = b"\x04"

    epoch: int = _part(_POSITIVE)


@dataclass(frozen=True, slots=True)
class Reject(Frame):
    """The client does not get a session."""

    PREFIX = b"\x05"

    reason: int = _part(_NUMBER)
    code: int = _part(_CODE)
    text: str = _part(_TEXT)
    data: bytes = _part(_DATA)


@dataclass(frozen=True, slots=True)
class Resume(Frame):
    """The client wants its session to go on here."""

    PREFIX = b"\x06" + MAGIC
    IS_OPEN = True

    min_version: int = _part(_VERSION)
    max_version: int = _part(_VERSION)
    capabilities: int = _part(_NUMBER)
    session_id: bytes = _part(_ID)
    epoch: int = _part(_POSITIVE)
    token: bytes = _part(_TOKEN)
    handled: Mapping[int, int] = _part(_LANES)
    credit_bytes: int = _part(_NUMBER)
    credit_messages: int = _part(_NUMBER)


@dataclass(frozen=True, slots=True)
class Resumed(Frame):
    """The session goes on."""

    PREFIX = b"\x07"

    epoch: int = _part(_POSITIVE)
    token: bytes = _part(_TOKEN)
    handled: Mapping[int, int] = _part(_LANES)
    credit_bytes: int = _part(_NUMBER)
    credit_messages: int = _part(_NUMBER)


@dataclass(frozen=True, slots=True)
class ResumeFailed(Frame):
    """The session does not go on."""

    PREFIX = b"\x08"

    reason: int = _part(_NUMBER)
    text: str = _part(_TEXT)


@dataclass(frozen=True, slots=True)
class Ack(Frame):
    """What the application has handled, and what the other end may send."""

    PREFIX = b"\x09"

    handled: Mapping[int, int] = _part(_LANES)
    credit_bytes: int = _part(_NUMBER)
    credit_messages: int = _part(_NUMBER)


@dataclass(frozen=True, slots=True)
class Ping(Frame):
    """Are you there?"""

    PREFIX = b"\x0a"

    number: int = _part(_NUMBER)


@dataclass(frozen=True, slots=True)
class Pong(Frame):
    """Yes."""

    PREFIX = b"\x0b"

    number: int = _part(_NUMBER)


@dataclass(frozen=True, slots=True)
class GoAway(Frame):
    """The server ends soon; others are there."""

    PREFIX = b"\x0c"

    reason: int = _part(_NUMBER)
    deadline_ms: int = _part(_NUMBER)
    text: str = _part(_TEXT)
    addresses: tuple[str, ...] = _part(_ADDRESSES)


@dataclass(frozen=True, slots=True)
class Bye(Frame):
    """The last of this end but for acks."""

    PREFIX = b"\x0d"

    reason: int = _part(_NUMBER)
    code: int = _part(_CODE)
    text: str = _part(_TEXT)
    last: Mapping[int, int] = _part(_LANES)
    data: bytes = _part(_DATA)


@dataclass(frozen=True, slots=True)
class ByeAck(Frame):
    """The answer."""

    PREFIX = b"\x0e"

    last: Mapping[int, int] = _part(_LANES)
    data: bytes = _part(_DATA)


@dataclass(frozen=True, slots=True)
class Data(Frame):
    """A reliable message."""

    PREFIX = b"\x10"

    sequence: int = _part(_POSITIVE)
    payload: bytes = _part(_REST)


@dataclass(frozen=True, slots=True)
class Untracked(Frame):
    """An unreliable message."""

    PREFIX = b"\x11"

    payload: bytes = _part(_REST)


@dataclass(frozen=True, slots=True)
class Keyed(Frame):
    """An unreliable message that makes earlier ones with its key worthless."""

    PREFIX = b"\x12"

    key: bytes = _part(_KEY)
    payload: bytes = _part(_REST)


FRAME_TYPES: dict[int, type[Frame]] = {
    kind.PREFIX[0]: kind
    for kind in (
        *(Hello, Welcome, Confirm, Ready, Reject, Resume, Resumed, ResumeFailed),
        *(Ack, Ping, Pong, GoAway, Bye, ByeAck, Data, Untracked, Keyed),
    )
}


def decode(message: bytes) -> Frame:
    """The frame that a message is. Errors: FrameError."""
    if not message:
        raise FrameError("an empty message is no frame")
    kind = FRAME_TYPES.get(message[0])
    if kind is None:
        raise FrameError(f"no frame has the type {message[0]:#04x}")
    if not message.startswith(kind.PREFIX):
        raise FrameError(f"{kind.__name__} without its magic")
    reader = Reader(message, len(kind.PREFIX))
    frame = kind(*(each.metadata["part"].read(reader) for each in fields(kind)))  # type: ignore[arg-type]
    if reader.left and not kind.IS_OPEN:
        raise FrameError(f"{kind.__name__} has {reader.left} bytes too many")
    if isinstance(frame, Hello | Resume) and frame.min_version > frame.max_version:
        raise FrameError("the lowest version is above the highest one")
    return frame
