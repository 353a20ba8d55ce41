"""The messages of docs/signalling-protocol.md, to and from bytes."""

# ruff: noqa: RUF009 - _field() is dataclass's field()

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import IntFlag
from typing import ClassVar, TypeVar

from ...identity import Identity
from .fields import (
    FieldType,
    FixedBytes,
    IdentityText,
    ListOf,
    PrintableText,
    Reader,
    RemainingBytes,
    SizedBytes,
    Text,
    Unsigned,
    WireError,
)
from .ice_offer import IceOffer, IceOfferField
from .signalling import MAX_SIGNAL

T = TypeVar("T")

VERSION = 1
NONCE_SIZE = 32
SIGNATURE_SIZE = 64
MAX_TOKEN = 8192
MAX_CERTIFICATE = 8192
MAX_SERVER_NAME = 255
MAX_ROOM_NAME = 64
MAX_CAPACITY = 256
MAX_TEXT = 255
MAX_FROM_CLIENT = 16_384
"""The longest message of a client in bytes."""
MAX_FROM_SERVER = 65_536
"""The longest message of a server in bytes."""
ANY = 0
"""The request number of an ERROR that ends the connection, the capacity of a JOIN that creates no room."""

_PROOF_PREFIX = b"gns_py signalling v1"

_REQUEST = Unsigned(4, 1)
_IDENTITY = IdentityText()
_ROOM = PrintableText(1, MAX_ROOM_NAME)
_OPTIONAL_ROOM = PrintableText(0, MAX_ROOM_NAME)
_CAPACITY = Unsigned(2, 1, MAX_CAPACITY)
_OPTIONAL_CAPACITY = Unsigned(2, 0, MAX_CAPACITY)
_SIGNAL = RemainingBytes(1, MAX_SIGNAL)
_NUMBER = Unsigned(4)
_ICE = IceOfferField()


class Methods(IntFlag):
    """The ways of logging in that a server takes."""

    TOKEN = 1
    CERTIFICATE = 2


class _MethodsField:
    """The type of the field with at least one method."""

    _number = Unsigned(1, 1, 3)

    def read(self, reader: Reader) -> Methods:
        """See FieldType."""
        return Methods(self._number.read(reader))

    def write(self, value: Methods) -> bytes:
        """See FieldType."""
        return self._number.write(int(value))


class Message:
    """The base of all messages."""

    __slots__ = ()

    KIND: ClassVar[int]
    """The second byte; the first one is the version. Those of servers have the highest bit."""

    def encode(self) -> bytes:
        """Return the message as bytes.

        Raises:
            WireError: A value is beyond its limits.
        """
        parts = (each.metadata["type"].write(getattr(self, each.name)) for each in fields(self))  # type: ignore[arg-type]
        return bytes((VERSION, self.KIND)) + b"".join(parts)


def _field(field_type: FieldType[T], *, repr: bool = True) -> T:  # noqa: A002 - dataclass's name
    return field(metadata={"type": field_type}, repr=repr)  # type: ignore[no-any-return]


# ---- of clients ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HelloToken(Message):
    """The client logs in with a token of the application."""

    KIND = 0x01

    token: str = _field(Text(1, MAX_TOKEN), repr=False)


@dataclass(frozen=True, slots=True)
class HelloCertificate(Message):
    """The client logs in with its certificate, and proves that it has the key."""

    KIND = 0x02

    certificate: bytes = _field(SizedBytes(1, MAX_CERTIFICATE))
    signature: bytes = _field(FixedBytes(SIGNATURE_SIZE))


@dataclass(frozen=True, slots=True)
class Send(Message):
    """A signal for another client."""

    KIND = 0x03

    to: Identity = _field(_IDENTITY)
    data: bytes = _field(_SIGNAL)


@dataclass(frozen=True, slots=True)
class Create(Message):
    """The client asks for a new room: with a name of its choice, or with a code if the name is empty."""

    KIND = 0x04

    request: int = _field(_REQUEST)
    room: str = _field(_OPTIONAL_ROOM)
    capacity: int = _field(_CAPACITY)


@dataclass(frozen=True, slots=True)
class Join(Message):
    """The client asks to join a room, which is created with that capacity if there is none; with ANY it is not."""

    KIND = 0x05

    request: int = _field(_REQUEST)
    room: str = _field(_ROOM)
    capacity: int = _field(_OPTIONAL_CAPACITY)


@dataclass(frozen=True, slots=True)
class Leave(Message):
    """The client leaves a room."""

    KIND = 0x06

    room: str = _field(_ROOM)


@dataclass(frozen=True, slots=True)
class GetIceServers(Message):
    """The client asks for ICE servers with new credentials."""

    KIND = 0x07


@dataclass(frozen=True, slots=True)
class Ping(Message):
    """Are you there?"""

    KIND = 0x08

    number: int = _field(_NUMBER)


@dataclass(frozen=True, slots=True)
class HelloRelay(Message):
    """The client asks the relay of a server that knows it already for WELCOME."""

    KIND = 0x09


# ---- of servers ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Challenge(Message):
    """The first message: how to log in, and the bytes to sign."""

    KIND = 0x81

    methods: Methods = _field(_MethodsField())
    server: str = _field(PrintableText(0, MAX_SERVER_NAME))
    nonce: bytes = _field(FixedBytes(NONCE_SIZE))


@dataclass(frozen=True, slots=True)
class Welcome(Message):
    """The client is logged in."""

    KIND = 0x82

    identity: Identity = _field(_IDENTITY)
    max_signal: int = _field(Unsigned(2, 1, MAX_SIGNAL))
    ice: IceOffer | None = _field(_ICE)


@dataclass(frozen=True, slots=True)
class Received(Message):
    """A signal of another client."""

    KIND = 0x83

    sender: Identity = _field(_IDENTITY)
    data: bytes = _field(_SIGNAL)


@dataclass(frozen=True, slots=True)
class Members(Message):
    """The answer to CREATE and JOIN: the client is a member. All are listed in the order in which they have joined."""

    KIND = 0x84

    request: int = _field(_REQUEST)
    room: str = _field(_ROOM)
    capacity: int = _field(_CAPACITY)
    host: Identity = _field(_IDENTITY)
    members: tuple[Identity, ...] = _field(ListOf(_IDENTITY, 1, MAX_CAPACITY))


@dataclass(frozen=True, slots=True)
class Joined(Message):
    """Another client is a member now."""

    KIND = 0x85

    room: str = _field(_ROOM)
    member: Identity = _field(_IDENTITY)


@dataclass(frozen=True, slots=True)
class Left(Message):
    """Another member has left the room, or is no longer connected."""

    KIND = 0x86

    room: str = _field(_ROOM)
    member: Identity = _field(_IDENTITY)


@dataclass(frozen=True, slots=True)
class Host(Message):
    """Another member is the host now."""

    KIND = 0x87

    room: str = _field(_ROOM)
    member: Identity = _field(_IDENTITY)


@dataclass(frozen=True, slots=True)
class IceServersMessage(Message):
    """The answer to GetIceServers."""

    KIND = 0x88

    ice: IceOffer | None = _field(_ICE)


@dataclass(frozen=True, slots=True)
class Pong(Message):
    """Yes."""

    KIND = 0x89

    number: int = _field(_NUMBER)


@dataclass(frozen=True, slots=True)
class Error(Message):
    """A request is refused; with the number ANY the client is, and the connection is closed."""

    KIND = 0x8A

    request: int = _field(_NUMBER)
    reason: int = _field(Unsigned(2))
    text: str = _field(Text(0, MAX_TEXT))


FROM_CLIENT: dict[int, type[Message]] = {
    kind.KIND: kind
    for kind in (HelloToken, HelloCertificate, Send, Create, Join, Leave, GetIceServers, Ping, HelloRelay)
}
FROM_SERVER: dict[int, type[Message]] = {
    kind.KIND: kind
    for kind in (Challenge, Welcome, Received, Members, Joined, Left, Host, IceServersMessage, Pong, Error)
}
_ALL = FROM_CLIENT | FROM_SERVER


class VersionError(WireError):
    """The message is of another version of the protocol."""


def decode(data: bytes) -> Message:
    """Return the message of these bytes.

    Raises:
        VersionError: It is of another version, and not an ERROR, which is the same in all versions.
        WireError: It is malformed.
    """
    if len(data) < 2:
        raise WireError("a message has at least two bytes")
    if data[0] != VERSION and data[1] != Error.KIND:
        raise VersionError(f"version {data[0]} of the protocol is not spoken here: version {VERSION} is")
    kind = _ALL.get(data[1])
    if kind is None:
        raise WireError(f"no message has the kind {data[1]:#04x}")
    if len(data) > (MAX_FROM_CLIENT if data[1] < 0x80 else MAX_FROM_SERVER):
        raise WireError(f"a message of {len(data)} bytes is too long")
    reader = Reader(data, 2)
    message = kind(*(each.metadata["type"].read(reader) for each in fields(kind)))  # type: ignore[arg-type]
    if reader.left:
        raise WireError(f"{reader.left} bytes follow the message")
    if isinstance(message, Members):
        _check_members(message)
    return message


def _check_members(message: Members) -> None:
    if len(set(message.members)) != len(message.members):
        raise WireError("a member is listed twice")
    if message.host not in message.members:
        raise WireError("the host is not a member")
    if len(message.members) > message.capacity:
        raise WireError("there are more members than the room may have")


def proof(server: str, nonce: bytes) -> bytes:
    """Return the bytes that a client signs with its certificate's key, to log in.

    Args:
        server: The name of the server for which the proof is meant.
        nonce: The random bytes of its challenge.
    """
    name = server.encode()
    return b"%s\0%s\0%s" % (_PROOF_PREFIX, name, nonce)
