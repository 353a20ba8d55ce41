"""The bytes of certificates and of requests: GNS's own protobuf messages. docs/certificate-format.md specifies them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TypeVar

from .._generated.enums import IdentityType
from ..identity import Identity
from . import wire
from .errors import MalformedCertificate
from .wire import Fields, Kind

MAX_SIZE = 8 * 1024
"""The most bytes of a signed certificate or of a request; GNS's own must fit into a packet."""
KEY_SIZE = 32
SIGNATURE_SIZE = 64
_ED25519 = 1
_T = TypeVar("_T", int, bytes)

_KEY_TYPE, _KEY, _STEAM_ID, _DATA_CENTERS, _CREATED, _EXPIRES, _APP_IDS, _OLD_IDENTITY, _IDENTITY, _ADDRESSES = (
    1,
    2,
    4,
    5,
    8,
    9,
    10,
    11,
    12,
    13,
)  # fmt: skip
_CONTENTS = {
    _KEY_TYPE: Kind.VARINT,
    _KEY: Kind.BYTES,
    _STEAM_ID: Kind.FIXED64,
    _DATA_CENTERS: Kind.FIXED32,
    _CREATED: Kind.FIXED32,
    _EXPIRES: Kind.FIXED32,
    _APP_IDS: Kind.VARINT,
    _OLD_IDENTITY: Kind.BYTES,
    _IDENTITY: Kind.BYTES,
    _ADDRESSES: Kind.BYTES,
}
_REPEATED = frozenset({_DATA_CENTERS, _APP_IDS, _ADDRESSES})

_PRIVATE_KEY, _CERTIFICATE, _ISSUER, _SIGNATURE = 1, 4, 5, 6
_SIGNED = {_PRIVATE_KEY: Kind.BYTES, _CERTIFICATE: Kind.BYTES, _ISSUER: Kind.FIXED64, _SIGNATURE: Kind.BYTES}

_REQUESTED = 1


def key_id(key: bytes) -> int:
    """Return the number by which GNS names a public key: the first 8 bytes of its SHA-256, the lowest one first."""
    return int.from_bytes(hashlib.sha256(key).digest()[:8], "little")


@dataclass(frozen=True, slots=True)
class Contents:
    """The part of a certificate that the authority signs: GNS's ``CMsgSteamDatagramCertificate``.

    Times are seconds since 1970. An authority's certificate has no identity.
    """

    key: bytes
    identity: Identity | None
    created: int
    expires: int
    app_ids: tuple[int, ...] = ()
    data_centers: tuple[int, ...] = ()
    addresses: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """Return the bytes to sign."""
        parts = [_encode_key(self.key)]
        parts += [wire.field(_DATA_CENTERS, Kind.FIXED32, each) for each in self.data_centers]
        parts += [wire.field(_CREATED, Kind.FIXED32, self.created), wire.field(_EXPIRES, Kind.FIXED32, self.expires)]
        parts += [wire.field(_APP_IDS, Kind.VARINT, each) for each in self.app_ids]
        if self.identity is not None:
            parts.append(wire.field(_IDENTITY, Kind.BYTES, str(self.identity).encode()))
        parts += [wire.field(_ADDRESSES, Kind.BYTES, each.encode()) for each in self.addresses]
        return b"".join(parts)

    @classmethod
    def parse(cls, data: bytes) -> Contents:
        """Return the contents of these bytes.

        Raises:
            MalformedCertificate: They are not the contents of a certificate.
        """
        found = _parse(data, _CONTENTS, _REPEATED)
        identity = _identity(found)
        if identity is None and (_STEAM_ID in found or _OLD_IDENTITY in found):
            # GNS would read it: a certificate of a person must not be taken for that of an authority.
            raise MalformedCertificate("its identity is in a form that GNS no longer writes")
        expires = _one(found, _EXPIRES, int, 0)
        if expires == 0:
            raise MalformedCertificate("it does not say when it expires")
        app_ids = _all(found, _APP_IDS, int)
        if any(each >> 32 for each in app_ids):
            raise MalformedCertificate("an app id has more than 32 bits")
        return cls(
            key=_key(found),
            identity=identity,
            created=_one(found, _CREATED, int, 0),
            expires=expires,
            app_ids=app_ids,
            data_centers=_all(found, _DATA_CENTERS, int),
            addresses=tuple(_text(each, "an address") for each in _all(found, _ADDRESSES, bytes)),
        )


@dataclass(frozen=True, slots=True, repr=False)
class Signed:
    """A certificate as it is sent and stored: GNS's ``CMsgSteamDatagramCertificateSigned``."""

    contents: bytes
    issuer_key_id: int
    signature: bytes
    private_key: bytes | None = None
    """The seed of the key, which must never be sent. GNS knows such certificates, gns_py does not write them."""

    def encode(self) -> bytes:
        """Return the certificate as bytes, without the private key."""
        return (
            wire.field(_CERTIFICATE, Kind.BYTES, self.contents)
            + wire.field(_ISSUER, Kind.FIXED64, self.issuer_key_id)
            + wire.field(_SIGNATURE, Kind.BYTES, self.signature)
        )

    @classmethod
    def parse(cls, data: bytes) -> Signed:
        """Return the certificate of these bytes; its contents may still be malformed.

        Raises:
            MalformedCertificate: They are not a signed certificate.
        """
        found = _parse(data, _SIGNED)
        contents = _one(found, _CERTIFICATE, bytes, b"")
        signature = _one(found, _SIGNATURE, bytes, b"")
        private_key = _one(found, _PRIVATE_KEY, bytes, b"")
        if not contents:
            raise MalformedCertificate("it has no contents")
        if _ISSUER not in found or not signature:
            raise MalformedCertificate("it is not signed")
        _check_size("its signature", signature, SIGNATURE_SIZE)
        if private_key:
            _check_size("its private key", private_key, KEY_SIZE)
        return cls(contents, _one(found, _ISSUER, int, 0), signature, private_key or None)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.contents!r}, {self.issuer_key_id}, {self.signature!r})"


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """A request of a client for a certificate, GNS's ``CMsgSteamDatagramCertificateRequest``.

    Attributes:
        key: The public key, 32 bytes.
        identity: The identity that the client says it is, or None. It is a claim, not a proof.
    """

    key: bytes
    identity: Identity | None = None

    @property
    def key_id(self) -> int:
        """The number by which GNS names the key."""
        return key_id(self.key)

    def encode(self) -> bytes:
        """Return the request as bytes."""
        contents = _encode_key(self.key)
        if self.identity is not None:
            contents += wire.field(_IDENTITY, Kind.BYTES, str(self.identity).encode())
        return wire.field(_REQUESTED, Kind.BYTES, contents)

    @classmethod
    def parse(cls, data: bytes) -> CertificateRequest:
        """Return the request of these bytes, which a client has sent.

        Args:
            data: The request, as GNS and ``encode()`` write it.

        Raises:
            MalformedCertificate: They are not a request.
        """
        contents = _one(_parse(data, {_REQUESTED: Kind.BYTES}), _REQUESTED, bytes, b"")
        found = _parse(contents, _CONTENTS, _REPEATED)
        return cls(_key(found), _identity(found))


def _parse(data: bytes, known: dict[int, Kind], repeated: frozenset[int] = frozenset()) -> Fields:
    if not isinstance(data, bytes):
        raise TypeError(f"certificates and requests are bytes, not {type(data).__name__}")
    if len(data) > MAX_SIZE:
        raise MalformedCertificate(f"it has {len(data)} bytes, more than {MAX_SIZE}")
    return wire.parse(data, known, repeated)


def _one(found: Fields, number: int, kind: type[_T], default: _T) -> _T:
    return next(iter(_all(found, number, kind)), default)


def _all(found: Fields, number: int, kind: type[_T]) -> tuple[_T, ...]:
    return tuple(each for each in found.get(number, ()) if isinstance(each, kind))


def _key(found: Fields) -> bytes:
    if _one(found, _KEY_TYPE, int, 0) != _ED25519:
        raise MalformedCertificate("it is not of an Ed25519 key")
    key = _one(found, _KEY, bytes, b"")
    _check_size("its key", key, KEY_SIZE)
    return key


def _identity(found: Fields) -> Identity | None:
    if _IDENTITY not in found:
        return None
    try:
        identity = Identity.parse(_text(_one(found, _IDENTITY, bytes, b""), "its identity"))
    except MalformedCertificate:
        raise
    except ValueError as problem:
        raise MalformedCertificate(f"its identity is invalid: {problem}") from None
    if identity.type is IdentityType.INVALID:
        raise MalformedCertificate("its identity is empty")
    return identity


def _text(data: bytes, what: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise MalformedCertificate(f"{what} is not UTF-8") from None


def _encode_key(key: bytes) -> bytes:
    return wire.field(_KEY_TYPE, Kind.VARINT, _ED25519) + wire.field(_KEY, Kind.BYTES, key)


def _check_size(what: str, data: bytes, size: int) -> None:
    if len(data) != size:
        raise MalformedCertificate(f"{what} has {len(data)} bytes instead of {size}")
