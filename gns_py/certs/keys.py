"""Ed25519 keys: signing and verifying, with the library cryptography, and private keys as text (PKCS8).

The library is imported when it is needed, and only signing, verifying, and keys with a password need it.
"""

from __future__ import annotations

import os
from types import ModuleType
from typing import TYPE_CHECKING

from . import pem
from .errors import MalformedCertificate, PrivateKeyError
from .format import KEY_SIZE

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PRIVATE_KEY = "PRIVATE KEY"
_ENCRYPTED = "ENCRYPTED PRIVATE KEY"
_OPENSSH = "OPENSSH PRIVATE KEY"
LABELS = (PRIVATE_KEY, _ENCRYPTED, _OPENSSH)
# PKCS8 of an Ed25519 key is these bytes, and its seed (RFC 8410).
_PKCS8 = bytes.fromhex("302e020100300506032b657004220420")


def new_seed() -> bytes:
    """Return the seed of a new private key."""
    return os.urandom(KEY_SIZE)


def public_key(seed: bytes) -> bytes:
    """Return the public key of a private one.

    Raises:
        ImportError: The library cryptography is not installed.
    """
    return _private(seed).public_key().public_bytes_raw()


def can_compute() -> bool:
    """Return whether the library cryptography is installed."""
    try:
        _library()
    except ImportError:
        return False
    return True


def sign(seed: bytes, data: bytes) -> bytes:
    """Return the signature of the data, 64 bytes.

    Raises:
        ImportError: The library cryptography is not installed.
    """
    return _private(seed).sign(data)


def is_signature(key: bytes, signature: bytes, data: bytes) -> bool:
    """Return whether a signature was made with the private key that belongs to this public one.

    Raises:
        ImportError: The library cryptography is not installed.
    """
    ed25519 = _library()
    from cryptography.exceptions import InvalidSignature

    try:
        ed25519.Ed25519PublicKey.from_public_bytes(key).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def to_pem(seed: bytes, password: str | bytes | None = None) -> str:
    """Return a private key as text, encrypted if there is a password.

    Raises:
        ImportError: There is a password, and the library cryptography is not installed.
        ValueError: The password is empty.
    """
    if password is None:
        return pem.encode(PRIVATE_KEY, _PKCS8 + seed)
    secret = _bytes(password)
    if not secret:
        raise ValueError("the password is empty; None is for no password")
    key = _private(seed)
    from cryptography.hazmat.primitives import serialization

    text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(secret),
    )
    return text.decode()


def from_pem(block: pem.Block, password: str | bytes | None = None) -> bytes:
    """Return the seed of a private key: PKCS8, or OpenSSH's form, which GNS's own tools write.

    Raises:
        PrivateKeyError: The password is missing, wrong or not needed, or the block is not an Ed25519 key.
        ImportError: The key is encrypted or in OpenSSH's form, and the library cryptography is not installed.
    """
    if block.label == PRIVATE_KEY:
        if password is not None:
            raise PrivateKeyError("the private key is not encrypted, but there is a password")
        try:
            data = block.decode()
        except MalformedCertificate as problem:
            raise PrivateKeyError(f"the private key is malformed: {problem}") from None
        if not data.startswith(_PKCS8) or len(data) != len(_PKCS8) + KEY_SIZE:
            raise PrivateKeyError("the private key is not an Ed25519 key")
        return data[len(_PKCS8) :]
    return _from_library(block, password)


def _from_library(block: pem.Block, password: str | bytes | None) -> bytes:
    ed25519 = _library()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    load = serialization.load_ssh_private_key if block.label == _OPENSSH else serialization.load_pem_private_key
    try:
        key = load(block.text.encode(), None if password is None else _bytes(password))
    except TypeError:  # for a key that is encrypted, without a password, and the other way round
        reason = (
            "is encrypted: a password is needed" if password is None else "is not encrypted, but there is a password"
        )
        raise PrivateKeyError(f"the private key {reason}") from None
    except (ValueError, UnsupportedAlgorithm):
        reason = "is malformed" if password is None else "is malformed, or the password is wrong"
        raise PrivateKeyError(f"the private key {reason}") from None
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise PrivateKeyError("the private key is not an Ed25519 key")
    seed: bytes = key.private_bytes_raw()
    return seed


def _private(seed: bytes) -> Ed25519PrivateKey:
    key: Ed25519PrivateKey = _library().Ed25519PrivateKey.from_private_bytes(seed)
    return key


def _library() -> ModuleType:
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as problem:
        raise ImportError(
            "signing, verifying, and private keys with a password need cryptography: pip install 'gns-py[certs]'"
        ) from problem
    return ed25519


def _bytes(password: str | bytes) -> bytes:
    return password.encode() if isinstance(password, str) else password
