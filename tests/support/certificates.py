"""A certificate authority of the tests' own, written from the format alone: also certificates that are wrong."""

from __future__ import annotations

import hashlib
import struct
import time
from typing import NamedTuple

import pytest

pytest.importorskip("cryptography", reason="pip install 'gns-py[certs]'")

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

HOUR = 3600


class Issued(NamedTuple):
    """A certificate and its key."""

    certificate: bytes
    private_key: bytes
    key: bytes
    """The public key."""

    @property
    def key_id(self) -> int:
        """The id of the key."""
        return key_id(self.key)


class TestAuthority:
    """A certificate authority."""

    __test__ = False

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()
        self.key = _public(self._key)
        self.root = _signed(_content(self.key, None, -HOUR, 24 * HOUR, ()), self._key)

    @property
    def key_id(self) -> int:
        """The id of its key."""
        return key_id(self.key)

    def issue(
        self,
        identity: str | None,
        *,
        private_key: bytes | None = None,
        created: int = -HOUR,
        expires: int = HOUR,
        app_ids: tuple[int, ...] = (0,),
    ) -> Issued:
        """Sign a certificate; times are seconds from now."""
        key = Ed25519PrivateKey.from_private_bytes(private_key) if private_key else Ed25519PrivateKey.generate()
        certificate = self.sign(_public(key), identity, created=created, expires=expires, app_ids=app_ids)
        return Issued(certificate, _private(key), _public(key))

    def sign(
        self,
        key: bytes,
        identity: str | None,
        *,
        created: int = -HOUR,
        expires: int = HOUR,
        app_ids: tuple[int, ...] = (0,),
    ) -> bytes:
        """Sign a certificate of a public key."""
        return _signed(_content(key, identity, created, expires, app_ids), self._key)


def key_id(key: bytes) -> int:
    """Return the id of a public key."""
    return int(struct.unpack("<Q", hashlib.sha256(key).digest()[:8])[0])


def requested_key(request: bytes) -> bytes:
    """Return the public key in a request for a certificate."""
    start = request.index(b"\x08\x01\x12\x20") + 4
    return request[start : start + 32]


def _content(key: bytes, identity: str | None, created: int, expires: int, app_ids: tuple[int, ...]) -> bytes:
    now = int(time.time())
    parts = [b"\x08\x01\x12\x20" + key, struct.pack("<BIBI", 0x45, now + created, 0x4D, now + expires)]
    parts += [bytes((0x50, app_id)) for app_id in app_ids]
    if identity is not None:
        text = identity.encode()
        parts.append(bytes((0x62, len(text))) + text)
    return b"".join(parts)


def _signed(content: bytes, authority: Ed25519PrivateKey) -> bytes:
    issuer = struct.pack("<BQ", 0x29, key_id(_public(authority)))
    return b"\x22" + _varint(len(content)) + content + issuer + b"\x32\x40" + authority.sign(content)


def _varint(number: int) -> bytes:
    return bytes((number,)) if number < 128 else bytes((number & 127 | 128, number >> 7))


def _public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def _private(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption())
