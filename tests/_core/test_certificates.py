"""The certificate that this process presents, and those that it trusts."""

from __future__ import annotations

from typing import Any

import pytest
from support.certificates import HOUR, TestAuthority, requested_key

import gns_py
from gns_py import CertificateRefused
from gns_py.certs import Certificate, Credentials

AUTHORITY = TestAuthority()


def test_a_certificate_is_requested_and_renewed() -> None:
    gns_py.set_trust([AUTHORITY.root])
    assert gns_py.presented_certificate() is None
    key = requested_key(gns_py.request_certificate())
    gns_py.renew(AUTHORITY.sign(key, "str:alice"))
    first = gns_py.presented_certificate()
    gns_py.renew(Certificate(AUTHORITY.sign(key, "str:alice", expires=2 * HOUR)))
    second = gns_py.presented_certificate()
    assert first is not None
    assert second is not None
    assert first.key == second.key == key
    assert second.expires > first.expires


def test_another_key_takes_the_place_of_the_first() -> None:
    gns_py.set_trust([AUTHORITY.root])
    for _ in range(2):
        issued = AUTHORITY.issue("str:alice")
        gns_py.renew(Credentials(Certificate(issued.certificate), issued.private_key))
        presented = gns_py.presented_certificate()
        assert presented is not None
        assert presented.key == issued.key


def test_a_certificate_of_an_unknown_key_is_refused() -> None:
    gns_py.set_trust([AUTHORITY.root])
    issued = AUTHORITY.issue("str:alice")
    with pytest.raises(CertificateRefused, match="no private key"):
        gns_py.renew(issued.certificate)


def test_trust_is_replaced_as_a_whole() -> None:
    other = TestAuthority()
    gns_py.set_trust([AUTHORITY.root, Certificate(other.root)])
    gns_py.set_trust([other.root])
    issued = AUTHORITY.issue("str:alice")
    with pytest.raises(CertificateRefused, match="not trusted here: CA key"):
        gns_py.renew(Credentials(Certificate(issued.certificate), issued.private_key))
    with pytest.raises(CertificateRefused, match="certificate 0: it is the certificate of an identity"):
        gns_py.set_trust([issued.certificate])


@pytest.mark.parametrize(
    ("key_ids", "error"), [(["1"], TypeError), ([True], TypeError), ([-1], ValueError), ([2**64], ValueError)]
)
def test_revoked_keys_are_checked(key_ids: list[Any], error: type[Exception]) -> None:
    with pytest.raises(error, match="a key id"):
        gns_py.set_revoked(key_ids)
