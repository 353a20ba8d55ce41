"""The test vectors of certificates, and protobuf's own reading of GNS's messages, as it would generate it for GNS."""

from __future__ import annotations

import importlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from gns_py import Identity
from gns_py.certs import MalformedCertificate
from gns_py.certs.format import Contents

VECTORS = json.loads(Path(__file__).parents[1].joinpath("vectors", "certificates-1.json").read_text("utf-8"))
CERTIFICATES = {each["name"]: bytes.fromhex(each["bytes"]) for each in VECTORS["certificates"]}
SEEDS = {each["name"]: bytes.fromhex(each["seed"]) for each in VECTORS["keys"]}

# Name, number, type and label of each field, with the numbers of google.protobuf.FieldDescriptorProto.
_FIXED64, _FIXED32, _STRING, _MESSAGE, _BYTES, _UINT32 = 6, 7, 9, 11, 12, 13
_OPTIONAL, _REPEATED = 1, 3
_MESSAGES: dict[str, list[tuple[str, int, int, int]]] = {
    "Certificate": [
        ("key_type", 1, _UINT32, _OPTIONAL),
        ("key_data", 2, _BYTES, _OPTIONAL),
        ("legacy_steam_id", 4, _FIXED64, _OPTIONAL),
        ("gameserver_datacenter_ids", 5, _FIXED32, _REPEATED),
        ("time_created", 8, _FIXED32, _OPTIONAL),
        ("time_expiry", 9, _FIXED32, _OPTIONAL),
        ("app_ids", 10, _UINT32, _REPEATED),
        ("legacy_identity_binary", 11, _BYTES, _OPTIONAL),
        ("identity_string", 12, _STRING, _OPTIONAL),
        ("ip_addresses", 13, _STRING, _REPEATED),
    ],
    "CertificateSigned": [
        ("private_key_data", 1, _BYTES, _OPTIONAL),
        ("cert", 4, _BYTES, _OPTIONAL),
        ("ca_key_id", 5, _FIXED64, _OPTIONAL),
        ("ca_signature", 6, _BYTES, _OPTIONAL),
    ],
    "CertificateRequest": [("cert", 1, _MESSAGE, _OPTIONAL)],
}


@cache
def protobuf_class(name: str) -> Any:
    """Return protobuf's own class of one of GNS's messages; skip the test if protobuf is not installed."""
    descriptor_pb2: Any = pytest.importorskip("google.protobuf.descriptor_pb2")
    pool = importlib.import_module("google.protobuf.descriptor_pool").DescriptorPool()
    file = descriptor_pb2.FileDescriptorProto(name="certificates.proto", package="test", syntax="proto2")
    for message, fields in _MESSAGES.items():
        made = file.message_type.add(name=message)
        for field, number, kind, label in fields:
            type_name = ".test.Certificate" if kind == _MESSAGE else None
            made.field.add(name=field, number=number, type=kind, label=label, type_name=type_name)
    pool.Add(file)
    factory = importlib.import_module("google.protobuf.message_factory")
    return factory.GetMessageClass(pool.FindMessageTypeByName(f"test.{name}"))


def assert_agrees_with_protobuf(data: bytes) -> None:
    """Check that the contents are malformed for us, or the same for protobuf, which is more lenient."""
    try:
        found = Contents.parse(data)
    except MalformedCertificate:
        return
    theirs = protobuf_class("Certificate").FromString(data)
    assert (theirs.key_type, theirs.key_data) == (1, found.key)
    assert (theirs.time_created, theirs.time_expiry) == (found.created, found.expires)
    assert theirs.HasField("identity_string") == (found.identity is not None)
    if found.identity is not None:
        assert Identity.parse(theirs.identity_string) == found.identity
    assert tuple(theirs.app_ids) == found.app_ids
