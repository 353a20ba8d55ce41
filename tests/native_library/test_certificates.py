"""Certificates and policies, from Python to the core and back."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from support.certificates import TestAuthority, requested_key

import gns_py
from gns_py import Address, Config, ConfigScope, _native
from gns_py._native.certificates import policy_struct
from gns_py._native.library import ffi
from gns_py.errors import CertificateRefused, InvalidStateError


@pytest.fixture
def authority() -> Iterator[TestAuthority]:
    """Yield an authority that is trusted; afterwards GNS has been stopped, and has forgotten everything."""
    gns_py.stop(0)
    gns_py.start()
    authority = TestAuthority()
    _native.set_trust([authority.root])
    yield authority
    gns_py.stop(0)


def test_a_certificate_is_presented(authority: TestAuthority) -> None:
    assert _native.presented_certificate() is None
    issued = authority.issue("str:alice", expires=1000)
    _native.set_certificate(issued.certificate, issued.private_key)
    presented = _native.presented_certificate()
    assert presented is not None
    assert presented[:4] == ("str:alice", issued.key, issued.key_id, authority.key_id)
    assert 900 < presented.expires - time.time() <= 1000
    assert presented.created < time.time()
    assert gns_py.local_identity() == gns_py.Identity.parse("str:alice")


def test_a_certificate_is_requested(authority: TestAuthority) -> None:
    request = _native.certificate_request()
    key = requested_key(request)
    assert requested_key(_native.certificate_request()) == key
    _native.set_certificate(authority.sign(key, "str:bob"), None)
    presented = _native.presented_certificate()
    assert presented is not None
    assert presented.key == key


def test_what_is_wrong_is_said(authority: TestAuthority) -> None:
    issued = authority.issue("str:alice", expires=-10)
    with pytest.raises(CertificateRefused, match="not trusted here: Cert expired"):
        _native.set_certificate(issued.certificate, issued.private_key)
    with pytest.raises(CertificateRefused, match="certificate 1: it is not a certificate"):
        _native.set_trust([authority.root, b"nonsense"])
    with pytest.raises(CertificateRefused, match="certificate 0: it is the certificate of an identity"):
        _native.set_trust([issued.certificate])


def test_revoked_keys_are_a_list(authority: TestAuthority) -> None:
    issued = authority.issue("str:alice")
    _native.set_revoked([issued.key_id, 2**64 - 1])
    with pytest.raises(CertificateRefused, match="Revoked"):
        _native.set_certificate(issued.certificate, issued.private_key)
    _native.set_revoked([])
    _native.set_certificate(issued.certificate, issued.private_key)


@pytest.mark.usefixtures("authority")
def test_policies_are_checked() -> None:
    mailbox = _native.MailboxReader()
    bad = _native.PeerPolicy("alice")
    with pytest.raises(ValueError, match="not an identity"):
        _native.connect(mailbox.handle, Address("127.0.0.1", 1), Config(), bad)
    with pytest.raises(ValueError, match="not an identity"):
        _native.listen(mailbox.handle, Address("127.0.0.1", 1), Config(), None, bad)
    with pytest.raises(ValueError, match="not an identity"):
        _native.set_policy(ConfigScope.GLOBAL, 0, bad)
    with pytest.raises(InvalidStateError):
        _native.set_policy(ConfigScope.LISTEN_SOCKET, 1, None)
    mailbox.destroy()


@pytest.mark.parametrize("keys", [(), (bytes(32),), (bytes(32), bytes(range(32)))])
@pytest.mark.parametrize(("authenticated", "number"), [(None, -1), (False, 0), (True, 1)])
def test_policies_are_passed_on(keys: tuple[bytes, ...], authenticated: bool | None, number: int) -> None:
    native, keep = policy_struct(_native.PeerPolicy("str:é", keys, authenticated))
    assert bytes(ffi.buffer(native.identity, native.identity_size)).decode() == "str:é"
    assert bytes(ffi.buffer(native.keys, 32 * native.key_count)) == b"".join(keys)
    assert native.authenticated == number
    del keep
