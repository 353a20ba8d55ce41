"""Messages of STUN (RFC 8489) and TURN (RFC 8656), as far as a program needs them that asks servers: bytes only."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
import struct
import zlib
from dataclasses import dataclass, field
from enum import IntEnum

from ..address import Address

MAX_MESSAGE = 65_507
"""The largest payload of a UDP packet."""
UDP = 17
"""The number of UDP, for REQUESTED_TRANSPORT."""
_COOKIE = 0x2112A442
_HEADER = struct.Struct("!HHI12s")
_ATTRIBUTE = struct.Struct("!HH")
_INTEGRITY_SIZE, _FINGERPRINT_SIZE = 20, 4
_FINGERPRINT_XOR = 0x5354554E
_IPV4, _IPV6 = 1, 2


class Method(IntEnum):
    """The method of a message: its subject."""

    BINDING = 0x001
    ALLOCATE = 0x003
    REFRESH = 0x004
    SEND = 0x006
    DATA = 0x007
    CREATE_PERMISSION = 0x008


class Class(IntEnum):
    """The class of a message: whether it asks or answers."""

    REQUEST = 0
    INDICATION = 1
    SUCCESS = 2
    ERROR = 3


class Attribute(IntEnum):
    """The attributes that this program writes or reads."""

    MAPPED_ADDRESS = 0x0001
    USERNAME = 0x0006
    MESSAGE_INTEGRITY = 0x0008
    ERROR_CODE = 0x0009
    LIFETIME = 0x000D
    XOR_PEER_ADDRESS = 0x0012
    DATA = 0x0013
    REALM = 0x0014
    NONCE = 0x0015
    XOR_RELAYED_ADDRESS = 0x0016
    REQUESTED_TRANSPORT = 0x0019
    XOR_MAPPED_ADDRESS = 0x0020
    SOFTWARE = 0x8022
    FINGERPRINT = 0x8028


class StunError(ValueError):
    """Bytes are not a STUN message."""


@dataclass(frozen=True, slots=True)
class StunMessage:
    """A message. Of several attributes of one type, the first one counts, as the RFC has it.

    Args:
        method: Its subject; a number that Method does not have stays a number.
        kind: Whether it asks or answers.
        attributes: Pairs of a type and a value, without MESSAGE_INTEGRITY, FINGERPRINT, and everything that comes after
            the first of these.
        transaction: 12 bytes, which an answer has from its request.
    """

    method: int
    kind: Class = Class.REQUEST
    attributes: tuple[tuple[int, bytes], ...] = ()
    transaction: bytes = field(default_factory=lambda: secrets.token_bytes(12))

    def get(self, attribute: int) -> bytes | None:
        """Return the value of an attribute; None if it is not there."""
        return next((value for kind, value in self.attributes if kind == attribute), None)

    def text(self, attribute: int) -> str:
        """Return the value of an attribute as a text, empty if it is not there."""
        return (self.get(attribute) or b"").decode(errors="replace")

    def address(self, attribute: int) -> Address | None:
        """Return the value of an attribute as an address; None if it is not there, or not one."""
        value = self.get(attribute)
        if value is None or len(value) not in (8, 20):
            return None
        family, port, packed = value[1], int.from_bytes(value[2:4], "big"), value[4:]
        if (family, len(packed)) not in ((_IPV4, 4), (_IPV6, 16)):
            return None
        if attribute != Attribute.MAPPED_ADDRESS:
            port, packed = port ^ _COOKIE >> 16, _xor(packed, self.transaction)
        return Address(str(ipaddress.ip_address(packed)), port)

    @property
    def mapped_address(self) -> Address | None:
        """The address from which the server has got the request; None if it does not say so."""
        return self.address(Attribute.XOR_MAPPED_ADDRESS) or self.address(Attribute.MAPPED_ADDRESS)

    @property
    def lifetime(self) -> int | None:
        """The lifetime of an allocation in seconds; None if there is none."""
        value = self.get(Attribute.LIFETIME)
        return None if value is None or len(value) != 4 else int.from_bytes(value, "big")

    @property
    def error(self) -> tuple[int, str] | None:
        """The number of an error and the server's text; None if there is none."""
        value = self.get(Attribute.ERROR_CODE)
        if value is None or len(value) < 4:
            return None
        return (value[2] & 7) * 100 + value[3], value[4:].decode(errors="replace")

    def encode(self, key: bytes | None = None) -> bytes:
        """Return the bytes of the message.

        Args:
            key: Signs it with MESSAGE_INTEGRITY; None for a message without.
        """
        body = b"".join(_encode_attribute(*each) for each in self.attributes)
        kind = _type(self.method, self.kind)
        if key is None:
            return _HEADER.pack(kind, len(body), _COOKIE, self.transaction) + body
        size = len(body) + _ATTRIBUTE.size + _INTEGRITY_SIZE
        signed = _HEADER.pack(kind, size, _COOKIE, self.transaction) + body
        return signed + _encode_attribute(Attribute.MESSAGE_INTEGRITY, hmac.digest(key, signed, "sha1"))


def xor_address(address: Address, transaction: bytes) -> bytes:
    """Return the value of an attribute such as XOR_PEER_ADDRESS."""
    packed = address.ip.packed
    family = _IPV4 if len(packed) == 4 else _IPV6
    return struct.pack("!BBH", 0, family, address.port ^ _COOKIE >> 16) + _xor(packed, transaction)


def decode(data: bytes) -> StunMessage:
    """Return the message that a packet holds. It is not checked who has sent it: see is_signed().

    Raises:
        StunError: The packet is not exactly one message, or its FINGERPRINT is wrong.
    """
    if len(data) < _HEADER.size:
        raise StunError(f"a message has at least {_HEADER.size} bytes, not {len(data)}")
    kind, size, cookie, transaction = _HEADER.unpack_from(data)
    if kind & 0xC000 or cookie != _COOKIE:
        raise StunError("this is another protocol, or an older STUN")
    if size % 4 or size != len(data) - _HEADER.size:
        raise StunError(f"the message says that {size} bytes follow, and {len(data) - _HEADER.size} do")
    attributes: list[tuple[int, bytes]] = []
    is_complete = False
    for attribute, start, value in _attributes(data):
        if attribute == Attribute.FINGERPRINT:
            if value != _fingerprint(data[:start]):
                raise StunError("the fingerprint is wrong")
            break
        if attribute == Attribute.MESSAGE_INTEGRITY:
            is_complete = True
        elif not is_complete:  # whatever follows is not covered by the signature
            attributes.append((attribute, value))
    return StunMessage(_method(kind), Class((kind >> 7 & 2) | (kind >> 4 & 1)), tuple(attributes), transaction)


def is_signed(data: bytes, key: bytes) -> bool:
    """Return whether a message that decode() accepts has a MESSAGE_INTEGRITY that was made with this key."""
    for attribute, start, value in _attributes(data):
        if attribute == Attribute.MESSAGE_INTEGRITY:
            size = start + _ATTRIBUTE.size + _INTEGRITY_SIZE - _HEADER.size
            signed = data[:2] + size.to_bytes(2, "big") + data[4:start]
            return hmac.compare_digest(value, hmac.digest(key, signed, "sha1"))
    return False


def long_term_key(username: str, realm: str, password: str) -> bytes:
    """Return the key of long-term credentials, which sign requests to a TURN server."""
    return hashlib.md5(f"{username}:{realm}:{password}".encode(), usedforsecurity=False).digest()


def _attributes(data: bytes) -> list[tuple[int, int, bytes]]:
    """Return type, place and value of each attribute."""
    found, start = [], _HEADER.size
    while start < len(data):
        kind, size = _ATTRIBUTE.unpack_from(data, start)
        end = start + _ATTRIBUTE.size + size
        if end > len(data):
            raise StunError(f"attribute {kind:#06x} is longer than the message")
        found.append((kind, start, data[start + _ATTRIBUTE.size : end]))
        start = end + -size % 4
    return found


def _encode_attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(kind, len(value)) + value + bytes(-len(value) % 4)


def _type(method: int, kind: Class) -> int:
    """Return the 14 bits in which those of the class lie between those of the method."""
    return (method & 0xF80) << 2 | (method & 0x70) << 1 | method & 0xF | (kind & 2) << 7 | (kind & 1) << 4


def _method(kind: int) -> int:
    return kind >> 2 & 0xF80 | kind >> 1 & 0x70 | kind & 0xF


def _fingerprint(before: bytes) -> bytes:
    return (zlib.crc32(before) ^ _FINGERPRINT_XOR).to_bytes(_FINGERPRINT_SIZE, "big")


def _xor(packed: bytes, transaction: bytes) -> bytes:
    pad = _COOKIE.to_bytes(4, "big") + transaction
    return bytes(a ^ b for a, b in zip(packed, pad, strict=False))
