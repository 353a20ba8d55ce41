"""Certificates as values."""

from __future__ import annotations

import copy
import pickle
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from support.certificate_vectors import CERTIFICATES, SEEDS, VECTORS

from gns_py import Identity
from gns_py.certs import Certificate, CertificateRequest, Credentials, MalformedCertificate
from gns_py.certs.format import Signed
from gns_py.certs.wire import Kind, field

LEAF = Certificate(CERTIFICATES["leaf"])
ROOT = Certificate(CERTIFICATES["root"])


def test_what_a_certificate_says() -> None:
    key = next(each for each in VECTORS["keys"] if each["name"] == "leaf")
    assert LEAF.identity == Identity.string("vector")
    assert (LEAF.key.hex(), str(LEAF.key_id)) == (key["public"], key["key_id"])
    assert LEAF.issuer_key_id == ROOT.key_id == ROOT.issuer_key_id
    assert LEAF.created == datetime(2023, 11, 14, 22, 13, 20, tzinfo=timezone.utc)
    assert LEAF.expires == datetime(2060, 1, 1, tzinfo=timezone.utc)
    assert (LEAF.app_ids, LEAF.data_centers, LEAF.addresses) == ((0,), (), ())
    assert bytes(LEAF) == CERTIFICATES["leaf"]
    assert LEAF.signed_bytes in bytes(LEAF)
    assert LEAF.signature in bytes(LEAF)


def test_authorities() -> None:
    middle = Certificate(CERTIFICATES["intermediate"])
    assert [(each.is_authority, each.is_root) for each in (LEAF, middle, ROOT)] == [
        (False, False),
        (True, False),
        (True, True),
    ]
    assert ROOT.identity is None


def test_they_are_values() -> None:
    same = Certificate.parse(LEAF.pem())
    assert same == LEAF
    assert hash(same) == hash(LEAF)
    assert LEAF != ROOT
    assert bytes(LEAF) != LEAF
    assert pickle.loads(pickle.dumps(LEAF)) == copy.deepcopy(LEAF) == LEAF


def test_a_private_key_is_left_out_and_shown_nowhere() -> None:
    seed = SEEDS["leaf"]
    found = Certificate(field(1, Kind.BYTES, seed) + CERTIFICATES["leaf"])
    assert found == LEAF
    for shown in (bytes(found), pickle.dumps(found), repr(found).encode(), found.pem().encode()):
        assert seed not in shown
    assert repr(seed) not in repr(Signed.parse(field(1, Kind.BYTES, seed) + CERTIFICATES["leaf"]))


def test_repr_cannot_forge_lines() -> None:
    contents = Signed.parse(CERTIFICATES["leaf"]).contents.replace(b"str:vector", b"str:ve\nt\x1br")
    found = Certificate(Signed(contents, 1, bytes(64)).encode())
    assert "\n" not in repr(found)
    assert "\x1b" not in repr(found)
    assert repr(ROOT) == f"<Certificate of root, key {ROOT.key_id}, until 2060-01-01 00:00:00 UTC>"


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "trust"
    LEAF.save(path)
    assert Certificate.load(path) == LEAF
    path.write_text(f"the root:\n{ROOT.pem()}and more\n{LEAF.pem()}")
    assert Certificate.load_all(path) == (ROOT, LEAF)
    assert Certificate.load(path) == Certificate.parse(path.read_text()) == ROOT


def test_a_text_may_be_read_as_bytes() -> None:
    assert Certificate.parse(LEAF.pem().encode()) == Certificate.parse(b"\n" + LEAF.pem().encode()) == LEAF
    assert Certificate.parse(bytes(LEAF)) == LEAF
    with pytest.raises(MalformedCertificate, match="not UTF-8"):
        Certificate.parse(b"-----BEGIN \xff")


def test_other_types_are_errors_of_the_program() -> None:
    wrong: Any
    for wrong in (5, None, [1], bytearray(bytes(LEAF))):
        for function in (Certificate, Certificate.parse, CertificateRequest.parse, Credentials.parse):
            with pytest.raises(TypeError, match=type(wrong).__name__):
                function(wrong)


@pytest.mark.parametrize("text", ["", "no block", "-----BEGIN X-----\nAAAA\n-----END X-----"])
def test_a_text_without_a_certificate(text: str) -> None:
    with pytest.raises(MalformedCertificate, match="has no 'STEAMDATAGRAM CERT' block"):
        Certificate.parse(text)
