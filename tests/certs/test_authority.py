"""The certificate authority."""

from __future__ import annotations

import copy
import pickle
import stat
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from support.certificate_vectors import CERTIFICATES

from gns_py import Address, Identity
from gns_py.certs import (
    Authority,
    Certificate,
    CertificateError,
    CertificateRequest,
    Check,
    Credentials,
    MalformedCertificate,
    PrivateKeyError,
    key_id,
    verify,
)
from gns_py.certs.authority import MAX_LIFETIME

pytest.importorskip("cryptography")

REQUEST = CertificateRequest(Certificate(CERTIFICATES["leaf"]).key, Identity.string("mallory"))
HOUR = timedelta(hours=1)


def test_a_root(authority: Authority) -> None:
    assert authority.certificate == authority.root
    assert authority.trust == (authority.root,)
    assert authority.root.is_root
    assert authority.root.app_ids == ()
    assert authority.root.expires - authority.root.created == timedelta(days=3650)
    assert Authority.create().root.key != authority.root.key


def test_issuing(authority: Authority) -> None:
    before = datetime.now(timezone.utc) - timedelta(seconds=1)
    one, two = authority.issue("str:alice"), authority.issue(Identity.string("alice"), lifetime=2 * HOUR)
    assert one.private_key != two.private_key
    assert one.certificate.app_ids == (0,)
    assert before <= one.certificate.created <= datetime.now(timezone.utc)
    assert one.certificate.expires - one.certificate.created == HOUR
    for each in (one, two):
        assert verify(each.certificate, trust=[authority.root], identity="str:alice").chain == (authority.root,)
    assert [(each.key_id, str(each.identity)) for each in authority.issued()] == [
        (each.certificate.key_id, "str:alice") for each in (one, two)
    ]


@pytest.mark.parametrize("request_", [REQUEST, REQUEST.encode()])
def test_a_request_gets_the_identity_that_the_service_knows(
    authority: Authority, request_: CertificateRequest | bytes
) -> None:
    certificate = authority.sign_request(request_, identity="str:alice")
    assert certificate.key == REQUEST.key
    assert verify(certificate, trust=[authority.root]).identity == Identity.string("alice")


def test_a_request_for_a_key_that_was_revoked(authority: Authority) -> None:
    authority.revoke(REQUEST.key_id)
    with pytest.raises(CertificateError) as caught:
        authority.sign_request(REQUEST, identity="str:alice")
    assert caught.value.check is Check.REVOKED
    with pytest.raises(MalformedCertificate):
        authority.sign_request(b"nonsense", identity="str:alice")


@pytest.fixture(params=["memory", "folder"])
def kept(request: pytest.FixtureRequest, authority: Authority, tmp_path: Path) -> Authority:
    """Return an authority that keeps its lists in memory, or in a folder."""
    if request.param == "folder":
        authority.save(tmp_path / "ca")
    return authority


def test_a_request_for_the_key_of_another(kept: Authority) -> None:
    """Anyone can copy a public key: it is in every handshake."""
    server = kept.issue("str:eu-1").certificate
    middle = kept.intermediate()
    kept.sign_request(REQUEST, identity="str:alice")
    for key in (REQUEST.key, server.key, middle.certificate.key, kept.root.key):
        with pytest.raises(CertificateError, match=rf"the key of the request, {key_id(key)}, has .* another") as caught:
            kept.sign_request(CertificateRequest(key), identity="str:mallory")
        assert caught.value.check is Check.IDENTITY
        with pytest.raises(ValueError, match="no certificate of str:mallory"):
            kept.revoke(Identity.string("mallory"))
    with pytest.raises(CertificateError):
        middle.sign_request(CertificateRequest(kept.root.key), identity="str:mallory")
    assert kept.revoked == set()
    assert kept.sign_request(REQUEST, identity="str:alice").key == REQUEST.key  # renewed
    assert kept.sign_request(CertificateRequest(server.key), identity="str:eu-1").key == server.key


def test_a_key_is_free_when_its_certificates_have_expired(kept: Authority) -> None:
    now = datetime.now(timezone.utc)
    old = kept.issue("str:alice", created=now - 2 * HOUR).certificate
    assert kept.sign_request(CertificateRequest(old.key), identity="str:bob").key == old.key


def test_another_process_has_signed_for_the_key(authority: Authority, tmp_path: Path) -> None:
    authority.save(tmp_path / "ca")
    other = Authority.load(tmp_path / "ca")
    authority.sign_request(REQUEST, identity="str:alice")
    with pytest.raises(CertificateError, match="another"):
        other.sign_request(REQUEST, identity="str:mallory")
    with pytest.raises(CertificateError, match="another"):
        Authority.load(tmp_path / "ca").sign_request(REQUEST, identity="str:mallory")


def test_one_of_several_threads_gets_a_key(kept: Authority) -> None:
    barrier = threading.Barrier(8)

    def ask(number: int) -> bool:
        barrier.wait()
        try:
            return bool(kept.sign_request(REQUEST, identity=f"str:player-{number}"))
        except CertificateError:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(8))) == 1


def test_revoking(authority: Authority) -> None:
    one, two, other = (authority.issue(name).certificate for name in ("str:alice", "str:alice", "str:bob"))
    authority.revoke(one)
    assert authority.revoked == {one.key_id}
    authority.revoke(Identity.string("alice"))
    assert authority.revoked == {one.key_id, two.key_id}
    assert [each.key_id for each in authority.revocations()] == [one.key_id, two.key_id]
    assert verify(other, trust=authority.trust, revoked=authority.revoked)
    with pytest.raises(CertificateError, match="was revoked"):
        verify(two, trust=authority.trust, revoked=authority.revoked)


def test_an_intermediate(authority: Authority) -> None:
    middle = authority.intermediate()
    assert middle.root == authority.root
    assert middle.trust == (middle.certificate, authority.root)
    assert not middle.certificate.is_root
    assert verify(middle.issue("str:alice").certificate, trust=middle.trust).chain == middle.trust
    assert authority.issued()[0].identity is None
    assert middle.issued()[0].identity == Identity.string("alice")


@pytest.mark.parametrize("password", [None, "secret"])
def test_saving_and_loading(authority: Authority, tmp_path: Path, password: str | None) -> None:
    middle = authority.intermediate()
    alice = middle.issue("str:alice").certificate
    middle.revoke(77)
    folder = tmp_path / "new" / "ca"
    middle.save(folder, password)
    middle.revoke(78)
    loaded = Authority.load(folder, password)
    assert loaded.trust == middle.trust
    assert [each.key_id for each in loaded.issued()] == [alice.key_id]
    assert loaded.revoked == {77, 78}
    loaded.issue("str:bob")
    assert len(middle.issued()) == 2  # it has the same folder now
    if sys.platform != "win32":
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        for path in folder.rglob("*"):
            assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    with pytest.raises(PrivateKeyError):
        Authority.load(folder, "wrong")


def test_a_folder_is_not_overwritten(authority: Authority, tmp_path: Path) -> None:
    authority.save(tmp_path / "ca")
    before = (tmp_path / "ca" / "ca.key").read_text()
    with pytest.raises(FileExistsError):
        Authority.create().save(tmp_path / "ca")
    assert (tmp_path / "ca" / "ca.key").read_text() == before


def test_a_folder_that_is_damaged(authority: Authority, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Authority.load(tmp_path)
    authority.save(tmp_path / "ca")
    key = tmp_path / "ca" / "ca.key"
    other = tmp_path / "other"
    Authority.create().save(other)
    key.write_text((other / "ca.key").read_text())
    with pytest.raises(PrivateKeyError, match="does not belong"):
        Authority.load(tmp_path / "ca")
    key.write_text("")
    with pytest.raises(PrivateKeyError, match="no private key"):
        Authority.load(tmp_path / "ca")


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda ca: ca.issue("alice"), ValueError, "alice"),
        (lambda ca: ca.issue("invalid"), ValueError, "cannot be proved"),
        (lambda ca: ca.issue(Identity.localhost()), ValueError, "cannot be proved"),
        (lambda ca: ca.issue(Identity.ip(Address("1.2.3.4", 5))), ValueError, "cannot be proved"),
        (lambda ca: ca.issue(b"alice"), TypeError, "bytes"),
        (lambda ca: ca.issue("str:a", lifetime=timedelta(0)), ValueError, "from a second"),
        (lambda ca: ca.issue("str:a", lifetime=MAX_LIFETIME + timedelta(seconds=1)), ValueError, "60 years"),
        (lambda ca: ca.issue("str:a", lifetime=timedelta(days=3651)), ValueError, "outlive"),
        (lambda ca: ca.issue("str:a", app_ids=()), ValueError, "0 outside of Steam"),
        (lambda ca: ca.issue("str:a", app_ids=(-1,)), ValueError, "ids of applications"),
        (lambda ca: ca.issue("str:a", app_ids=(2**32,)), ValueError, "ids of applications"),
        (lambda ca: ca.issue("str:a", created=datetime(2026, 1, 1)), ValueError, "time zone"),
        (lambda ca: ca.issue("str:a", created=datetime(1969, 1, 1, tzinfo=timezone.utc)), ValueError, "1970"),
        (lambda ca: ca.intermediate(lifetime=timedelta(days=3651)), ValueError, "outlive"),
        (lambda ca: ca.intermediate(lifetime=HOUR).issue("str:a", lifetime=2 * HOUR), ValueError, "outlive"),
        (lambda _: Authority.create(lifetime=timedelta(days=30_000)), ValueError, "60 years"),
    ],
)
def test_what_cannot_be_issued(
    authority: Authority, call: Callable[[Any], object], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        call(authority)


def test_the_longest_lifetime() -> None:
    ca = Authority.create(lifetime=MAX_LIFETIME)
    leaf = ca.issue("str:alice", lifetime=MAX_LIFETIME - timedelta(minutes=1)).certificate
    assert verify(leaf, trust=[ca.root]).identity == Identity.string("alice")


def test_certificates_of_another_time(authority: Authority) -> None:
    now = datetime.now(timezone.utc)
    for created, lifetime, check in (
        (now - 2 * HOUR, HOUR, Check.EXPIRED),
        (now + HOUR, HOUR, Check.NOT_YET_VALID),
    ):
        certificate = authority.issue("str:alice", created=created, lifetime=lifetime).certificate
        with pytest.raises(CertificateError) as caught:
            verify(certificate, trust=[authority.root])
        assert caught.value.check is check
    soon = authority.issue("str:alice", created=now + timedelta(minutes=4)).certificate
    assert verify(soon, trust=[authority.root])


def test_it_does_not_show_its_key(authority: Authority) -> None:
    assert repr(authority) == f"<Authority: {authority.certificate!r}>"
    for function in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="private key"):
            function(authority)


def test_several_threads_issue_at_the_same_time(authority: Authority, tmp_path: Path) -> None:
    authority.save(tmp_path / "ca")
    with ThreadPoolExecutor(4) as pool:
        made: list[Credentials] = list(pool.map(authority.issue, [f"str:player-{number}" for number in range(100)]))
    assert {each.key_id for each in authority.issued()} == {each.certificate.key_id for each in made}
