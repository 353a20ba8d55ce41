"""Certificates and requests as bytes: the test vectors, protobuf's own reading of them, and any other bytes."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.certificate_vectors import CERTIFICATES, VECTORS, assert_agrees_with_protobuf, protobuf_class

from gns_py import Identity
from gns_py.certs import CertificateRequest, MalformedCertificate
from gns_py.certs.format import Contents, Signed, key_id

PARSERS = {"certificate": Signed.parse, "request": CertificateRequest.parse}
identities = st.one_of(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=7).map(
        Identity.string
    ),
    st.binary(min_size=2, max_size=32).map(Identity.bytes),
)
contents = st.builds(
    Contents,
    key=st.binary(min_size=32, max_size=32),
    identity=st.none() | identities,
    created=st.integers(0, 2**32 - 1),
    expires=st.integers(1, 2**32 - 1),
    app_ids=st.lists(st.integers(0, 2**32 - 1), max_size=4).map(tuple),
    data_centers=st.lists(st.integers(0, 2**32 - 1), max_size=4).map(tuple),
    addresses=st.lists(st.text("0123456789abcdef:.", max_size=20), max_size=4).map(tuple),
)


def fields_of(found: Contents) -> dict[str, Any]:
    return {
        "key": found.key.hex(),
        "identity": None if found.identity is None else str(found.identity),
        "created": found.created,
        "expires": found.expires,
        "app_ids": list(found.app_ids),
        "data_centers": list(found.data_centers),
        "addresses": list(found.addresses),
    }


@pytest.mark.parametrize("vector", VECTORS["certificates"], ids=lambda vector: vector["name"])
def test_certificates_of_the_vectors_are_read_and_written(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["bytes"])
    signed = Signed.parse(data)
    found = Contents.parse(signed.contents)
    assert fields_of(found) == vector["fields"]
    assert str(signed.issuer_key_id) == vector["issuer_key_id"]
    assert signed.encode() == data
    if "packed" not in vector["name"] and "unknown" not in vector["name"]:
        assert found.encode() == signed.contents


@pytest.mark.parametrize("vector", VECTORS["requests"], ids=lambda vector: vector["name"])
def test_requests_of_the_vectors_are_read(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["bytes"])
    request = CertificateRequest.parse(data)
    assert (request.key.hex(), vector["identity"]) == (
        vector["key"],
        None if request.identity is None else str(request.identity),
    )
    if "GNS" not in vector["name"]:
        assert request.encode() == data


@pytest.mark.parametrize("vector", VECTORS["malformed"], ids=lambda vector: f"{vector['of']}: {vector['name']}")
def test_malformed_vectors_are_refused(vector: dict[str, Any]) -> None:
    def parse() -> None:
        found = PARSERS[vector["of"]](bytes.fromhex(vector["bytes"]))
        if isinstance(found, Signed):
            Contents.parse(found.contents)

    with pytest.raises(MalformedCertificate):
        parse()


@pytest.mark.parametrize("key", VECTORS["keys"], ids=lambda key: key["name"])
def test_the_number_of_a_key(key: dict[str, str]) -> None:
    assert str(key_id(bytes.fromhex(key["public"]))) == key["key_id"]


@settings(deadline=None)  # the first call imports protobuf
@given(contents)
def test_contents_are_read_as_they_were_written(written: Contents) -> None:
    assert Contents.parse(written.encode()) == written
    theirs = protobuf_class("Certificate").FromString(written.encode())
    assert theirs.key_data == written.key
    assert (theirs.time_created, theirs.time_expiry) == (written.created, written.expires)
    assert tuple(theirs.app_ids) == written.app_ids
    assert tuple(theirs.gameserver_datacenter_ids) == written.data_centers
    assert tuple(theirs.ip_addresses) == written.addresses
    assert theirs.identity_string == ("" if written.identity is None else str(written.identity))
    assert theirs.SerializeToString() == written.encode()


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(0, 2**64 - 1), st.binary(min_size=64, max_size=64), st.none() | st.binary())
def test_signed_certificates_agree_with_protobuf(
    data: bytes, issuer: int, signature: bytes, private_key: bytes | None
) -> None:
    theirs = protobuf_class("CertificateSigned")(cert=data, ca_key_id=issuer, ca_signature=signature)
    if private_key is not None:
        theirs.private_key_data = private_key
    try:
        signed = Signed.parse(theirs.SerializeToString())
    except MalformedCertificate:
        assert not data or len(private_key or bytes(32)) != 32
        return
    assert signed == Signed(data, issuer, signature, private_key or None)
    without = protobuf_class("CertificateSigned").FromString(signed.encode())
    assert (without.cert, without.ca_key_id, without.ca_signature) == (data, issuer, signature)
    assert not without.HasField("private_key_data")
    assert repr(private_key) not in repr(signed) or not private_key


@settings(deadline=None)
@given(st.binary(max_size=300))
@example(b"")
def test_any_bytes_are_a_value_or_malformed(data: bytes) -> None:
    for parse in PARSERS.values():
        with contextlib.suppress(MalformedCertificate):
            parse(data)
    assert_agrees_with_protobuf(data)


@settings(deadline=None)
@given(st.sampled_from(sorted(CERTIFICATES)), st.data())
def test_a_damaged_certificate_is_read_as_protobuf_reads_it_or_malformed(name: str, draw: st.DataObject) -> None:
    data = bytearray(Signed.parse(CERTIFICATES[name]).contents)
    for _ in range(draw.draw(st.integers(1, 4))):
        at = draw.draw(st.integers(0, len(data) - 1))
        if draw.draw(st.booleans()):
            data[at] = draw.draw(st.integers(0, 255))
        else:
            data[at:at] = draw.draw(st.binary(max_size=4))
    assert_agrees_with_protobuf(bytes(data))
