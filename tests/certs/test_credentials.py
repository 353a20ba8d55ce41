"""Certificates with their private keys."""

from __future__ import annotations

import copy
import pickle
import stat
import sys
from pathlib import Path

import pytest
from support.certificate_vectors import CERTIFICATES, SEEDS

from gns_py.certs import Authority, Certificate, Credentials, PrivateKeyError, keys, pem
from gns_py.certs.wire import Kind, field

LEAF = Certificate(CERTIFICATES["leaf"])
SEED = SEEDS["leaf"]


def test_what_they_are() -> None:
    credentials = Credentials(LEAF, SEED)
    assert credentials.certificate is LEAF
    assert credentials.identity == LEAF.identity
    assert credentials.private_key == SEED


def test_they_do_not_show_the_key() -> None:
    credentials = Credentials(LEAF, SEED)
    for text in (repr(credentials), str(credentials), f"{credentials}"):
        assert "str:vector" in text
        for form in (repr(SEED), SEED.hex(), repr(SEED)[2:-1]):
            assert form not in text
    for function in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="private key"):
            function(credentials)


def test_they_must_belong_together() -> None:
    pytest.importorskip("cryptography")
    with pytest.raises(PrivateKeyError, match="does not belong"):
        Credentials(LEAF, SEEDS["root"])
    with pytest.raises(PrivateKeyError, match="32 bytes, not 31"):
        Credentials(LEAF, SEED[1:])
    with pytest.raises(TypeError, match="bytes"):
        Credentials(LEAF, "secret")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="Certificate"):
        Credentials(bytes(LEAF), SEED)  # type: ignore[arg-type]


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "alice.gns"
    Credentials(LEAF, SEED).save(path)
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    loaded = Credentials.load(path)
    assert (loaded.certificate, loaded.private_key) == (LEAF, SEED)
    assert Certificate.load(path) == LEAF  # for those who need no more
    with pytest.raises(FileExistsError):
        loaded.save(path)
    loaded.save(path, replace=True)


def test_a_file_with_a_password(tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    path = tmp_path / "alice.gns"
    Credentials(LEAF, SEED).save(path, "secret")
    assert Credentials.load(path, "secret").private_key == SEED
    assert SEED not in b"".join(each.decode() for each in pem.blocks(path.read_text()))
    for password in (None, "wrong"):
        with pytest.raises(PrivateKeyError):
            Credentials.load(path, password)


def test_the_key_may_come_first_or_inside_the_certificate() -> None:
    text = keys.to_pem(SEED) + LEAF.pem()
    assert Credentials.parse(text).private_key == Credentials.parse(text.encode()).private_key == SEED
    inside = field(1, Kind.BYTES, SEED) + bytes(LEAF)
    assert Credentials.parse(inside).private_key == SEED
    assert Credentials.parse(pem.encode(pem.CERTIFICATE, inside)).private_key == SEED
    assert SEED not in bytes(Credentials.parse(inside).certificate)


def test_a_certificate_alone() -> None:
    for data in (bytes(LEAF), LEAF.pem()):
        with pytest.raises(PrivateKeyError, match="no private key"):
            Credentials.parse(data)


def test_renewed(authority: Authority) -> None:
    old = authority.issue("str:alice")
    new = authority.sign_request(b"".join((b"\x0a\x24\x08\x01\x12\x20", old.certificate.key)), identity="str:alice")
    assert old.renewed(new).private_key == old.private_key
    assert old.renewed(new).certificate == new
    with pytest.raises(PrivateKeyError, match="another key"):
        old.renewed(LEAF)
