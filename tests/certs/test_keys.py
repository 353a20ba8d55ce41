"""Private keys: signatures, and keys as text, compared with the library's own."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import pytest
from support.certificate_vectors import SEEDS, VECTORS

from gns_py.certs import PrivateKeyError, keys, pem

SEED = SEEDS["leaf"]


@pytest.fixture
def library() -> Any:
    pytest.importorskip("cryptography")
    return importlib.import_module("cryptography.hazmat.primitives.serialization")


@pytest.fixture
def no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the library not be installed."""
    for name in [each for each in sys.modules if each.split(".")[0] == "cryptography"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)


def key_of(seed: bytes) -> Any:
    ed25519 = importlib.import_module("cryptography.hazmat.primitives.asymmetric.ed25519")
    return ed25519.Ed25519PrivateKey.from_private_bytes(seed)


def test_public_keys_of_the_vectors(library: object) -> None:  # noqa: ARG001
    for each in VECTORS["keys"]:
        assert keys.public_key(bytes.fromhex(each["seed"])).hex() == each["public"]


def test_signatures(library: object) -> None:  # noqa: ARG001
    key = keys.public_key(SEED)
    signature = keys.sign(SEED, b"data")
    assert keys.is_signature(key, signature, b"data")
    assert not keys.is_signature(key, signature, b"other data")
    assert not keys.is_signature(key, signature[:-1], b"data")
    assert not keys.is_signature(bytes([255]) * 32, signature, b"data")
    assert not keys.is_signature(key[:-1], signature, b"data")


def test_a_key_as_text_is_the_librarys_own(library: Any) -> None:
    text = keys.to_pem(SEED)
    assert text == VECTORS["private_keys"][0]["pem"]
    theirs = key_of(SEED).private_bytes(library.Encoding.PEM, library.PrivateFormat.PKCS8, library.NoEncryption())
    assert theirs.decode() == text
    assert keys.from_pem(pem.blocks(text)[0]) == SEED


@pytest.mark.parametrize("password", ["secret", b"\xff\x00", "pässword"])
def test_a_key_with_a_password(library: object, password: str | bytes) -> None:  # noqa: ARG001
    text = keys.to_pem(SEED, password)
    (block,) = pem.blocks(text)
    assert block.label == "ENCRYPTED PRIVATE KEY"
    assert keys.from_pem(block, password) == SEED
    with pytest.raises(PrivateKeyError, match="wrong"):
        keys.from_pem(block, "another")
    with pytest.raises(PrivateKeyError, match="a password is needed"):
        keys.from_pem(block)


def test_a_password_must_be_needed_and_not_empty(library: object) -> None:  # noqa: ARG001
    with pytest.raises(PrivateKeyError, match="not encrypted"):
        keys.from_pem(pem.blocks(keys.to_pem(SEED))[0], "secret")
    with pytest.raises(ValueError, match="empty"):
        keys.to_pem(SEED, "")


def test_a_key_in_the_form_of_gnss_own_tools(library: Any) -> None:
    text = key_of(SEED).private_bytes(library.Encoding.PEM, library.PrivateFormat.OpenSSH, library.NoEncryption())
    assert keys.from_pem(pem.blocks(text.decode())[0]) == SEED


def test_other_keys_are_refused(library: Any) -> None:
    x25519 = importlib.import_module("cryptography.hazmat.primitives.asymmetric.x25519")
    arguments = library.Encoding.PEM, library.PrivateFormat.PKCS8
    other = x25519.X25519PrivateKey.from_private_bytes(SEED)
    text = other.private_bytes(*arguments, library.NoEncryption()).decode()
    with pytest.raises(PrivateKeyError, match="not an Ed25519 key"):
        keys.from_pem(pem.blocks(text)[0])
    text = other.private_bytes(*arguments, library.BestAvailableEncryption(b"x")).decode()
    with pytest.raises(PrivateKeyError, match="not an Ed25519 key"):
        keys.from_pem(pem.blocks(text)[0], "x")


@pytest.mark.parametrize("label", keys.LABELS)
def test_malformed_keys_are_refused(library: object, label: str) -> None:  # noqa: ARG001
    for body in ("AAAA", "!", ""):
        with pytest.raises(PrivateKeyError):
            keys.from_pem(pem.Block(label, f"-----BEGIN {label}-----\n{body}\n-----END {label}-----\n"))


@pytest.mark.usefixtures("no_library")
def test_without_the_library() -> None:
    assert not keys.can_compute()
    for function in (keys.public_key, lambda seed: keys.sign(seed, b""), lambda seed: keys.to_pem(seed, "secret")):
        with pytest.raises(ImportError, match=r"pip install 'gns-py\[certs\]'"):
            function(SEED)
    assert keys.from_pem(pem.blocks(keys.to_pem(SEED))[0]) == SEED
