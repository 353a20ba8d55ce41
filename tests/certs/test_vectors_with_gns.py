"""GNS itself judges the certificates of the test vectors as verify() does, and both read what the other writes."""

from __future__ import annotations

from typing import Any

import pytest
from support.certificate_vectors import CERTIFICATES, SEEDS, VECTORS

import gns_py
from gns_py.certs import Authority, Certificate, CertificateRequest, Credentials, verify

SEED_OF = {bytes.fromhex(each["public"]): SEEDS[each["name"]] for each in VECTORS["keys"]}
# GNS has the system's clock and the application 0, and presents any identity; the vectors' usual time is in 2027.
JUDGED = [
    each
    for each in VECTORS["verification"]
    if each["now"] == 1_800_000_000 and each["app_id"] == 0 and each["identity"] is None
]


@pytest.mark.native_errors(".*")
@pytest.mark.parametrize("vector", JUDGED, ids=lambda vector: f"{vector['result']}: {vector['name']}")
def test_gns_agrees(vector: dict[str, Any]) -> None:
    pytest.importorskip("cryptography")
    certificate = Certificate(CERTIFICATES[vector["certificate"]])
    credentials = Credentials(certificate, SEED_OF[certificate.key])
    gns_py.set_revoked(int(each) for each in vector["revoked"])

    def present() -> None:
        gns_py.set_trust([Certificate(CERTIFICATES[name]) for name in vector["trust"]])
        gns_py.renew(credentials)

    if vector["result"] == "valid":
        present()
        presented = gns_py.presented_certificate()
        assert presented is not None
        assert (presented.key, presented.key_id) == (certificate.key, certificate.key_id)
    else:
        with pytest.raises(ValueError, match=r".+"):
            present()


def test_a_request_of_gns_is_signed() -> None:
    pytest.importorskip("cryptography")
    authority = Authority.create()
    gns_py.start("str:alice", trust=[authority.root])
    data = gns_py.request_certificate()
    request = CertificateRequest.parse(data)
    assert str(request.identity) == "str:alice"
    gns_py.renew(authority.sign_request(data, identity="str:alice"))
    presented = gns_py.presented_certificate()
    assert presented is not None
    assert presented.key == request.key
    assert verify(authority.sign_request(data, identity="str:alice"), trust=authority.trust)
