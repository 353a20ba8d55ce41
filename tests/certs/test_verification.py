"""Verifying: every check, by the test vectors and by an authority."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from support.certificate_vectors import CERTIFICATES, VECTORS

from gns_py import Identity
from gns_py.certs import Authority, Certificate, CertificateError, Check, verify, verify_authority

pytest.importorskip("cryptography")


@pytest.mark.parametrize("vector", VECTORS["verification"], ids=lambda vector: f"{vector['result']}: {vector['name']}")
def test_vectors(vector: dict[str, Any]) -> None:
    def check() -> Identity:
        return verify(
            CERTIFICATES[vector["certificate"]],
            trust=[Certificate(CERTIFICATES[name]) for name in vector["trust"]],
            revoked={int(each) for each in vector["revoked"]},
            identity=vector["identity"],
            app_id=vector["app_id"],
            now=datetime.fromtimestamp(vector["now"], timezone.utc),
        ).identity

    if vector["result"] == "valid":
        assert check() == Identity.string("vector")
    else:
        with pytest.raises(CertificateError) as caught:
            check()
        assert caught.value.check.value == vector["result"]


def test_every_check_has_a_vector() -> None:
    assert {each["result"] for each in VECTORS["verification"]} == {each.value for each in Check} - {"format"} | {
        "valid"
    }


def test_the_result(authority: Authority) -> None:
    middle = authority.intermediate(lifetime=timedelta(days=2))
    last = middle.intermediate(lifetime=timedelta(days=1))
    certificate = last.issue("str:alice").certificate
    found = verify(certificate.pem(), trust=last.trust, identity=Identity.string("alice"))
    assert found == (certificate, Identity.string("alice"), last.trust)
    assert verify_authority(last.certificate, trust=last.trust) == (middle.certificate, authority.certificate)
    assert verify_authority(authority.certificate, trust=[authority.root]) == ()


def test_malformed_certificates_fail_the_first_check() -> None:
    for data in (b"", "", b"\xff" * 100):
        with pytest.raises(CertificateError) as caught:
            verify(data, trust=[])
        assert caught.value.check is Check.FORMAT


def test_authorities_are_checked_too(authority: Authority) -> None:
    middle = authority.intermediate()
    for certificate, trust, revoked, check in (
        (middle.certificate, [], (), Check.ISSUER),
        (middle.certificate, [authority.root], {middle.certificate.key_id}, Check.REVOKED),
        (authority.issue("str:alice").certificate, [authority.root], (), Check.IDENTITY),
        (Authority.create().root, [authority.root], (), Check.ISSUER),
    ):
        with pytest.raises(CertificateError) as caught:
            verify_authority(certificate, trust=trust, revoked=revoked)
        assert caught.value.check is check


def test_the_newest_certificate_of_an_authority_counts(authority: Authority) -> None:
    """As in GNS, even if an older one would be valid for longer."""
    middle = authority.intermediate()
    leaf = middle.issue("str:alice", lifetime=timedelta(days=1)).certificate
    assert verify(leaf, trust=[*middle.trust, Certificate(CERTIFICATES["root"])]).identity == Identity.string("alice")
    wrong = Certificate(bytes(middle.certificate)[:-1] + bytes([bytes(middle.certificate)[-1] ^ 1]))
    assert verify(leaf, trust=[wrong, *middle.trust]).chain == middle.trust
    with pytest.raises(CertificateError, match="wrong signature") as caught:
        verify(leaf, trust=[wrong, authority.root])
    assert caught.value.check is Check.CHAIN


def test_applications_that_exclude_each_other() -> None:
    root = Authority.create(app_ids=[7, 8])
    middle = root.intermediate(app_ids=[8])
    leaf = middle.issue("str:alice", app_ids=[8]).certificate
    assert verify(leaf, trust=middle.trust, app_id=8).chain == middle.trust
    with pytest.raises(CertificateError, match="not for 7"):
        verify(leaf, trust=middle.trust, app_id=7)
    for wrong in ({"app_ids": [0]}, {"app_ids": [7, 0]}):
        with pytest.raises(ValueError, match="only for the applications 7, 8"):
            root.issue("str:alice", **wrong)  # type: ignore[arg-type]


def test_the_time_needs_a_time_zone(authority: Authority) -> None:
    with pytest.raises(ValueError, match="time zone"):
        verify(authority.issue("str:alice").certificate, trust=[authority.root], now=datetime(2026, 1, 1))


def test_a_certificate_is_valid_until_the_end_of_its_last_second(authority: Authority) -> None:
    certificate = authority.issue("str:alice").certificate
    last = certificate.expires.astimezone(timezone(timedelta(hours=-7))) + timedelta(microseconds=999_999)
    assert verify(certificate, trust=[authority.root], now=last)
    with pytest.raises(CertificateError, match="expired"):
        verify(certificate, trust=[authority.root], now=last + timedelta(microseconds=1))


def test_many_authorities_take_linear_time(authority: Authority) -> None:
    """A chain of 50, of which each has ten certificates, would have 10^50 ways to the root."""
    trust = [authority.root]
    chain = authority
    for number in range(50):
        chain = chain.intermediate(lifetime=timedelta(days=100 - number))
        trust += [chain.certificate] * 10
    assert len(verify(chain.issue("str:alice").certificate, trust=trust).chain) == 51
