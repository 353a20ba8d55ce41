"""The arguments of start() by which a process proves its identity."""

from __future__ import annotations

from typing import Any

import pytest
from support import PATIENCE, echo
from support.certificates import Issued, TestAuthority

import gns_py
import gns_py.sync
from gns_py import CertificateRefused, ConnectFailed, InvalidStateError
from gns_py.certs import Certificate, Credentials

AUTHORITY = TestAuthority()


def credentials_of(issued: Issued) -> Credentials:
    return Credentials(Certificate(issued.certificate), issued.private_key)


def test_the_identity_is_the_certificates() -> None:
    issued = AUTHORITY.issue("str:alice")
    credentials = credentials_of(issued)
    gns_py.start(certificate=credentials, trust=[Certificate(AUTHORITY.root)])
    assert str(gns_py.local_identity()) == "str:alice"
    gns_py.start("str:alice")
    with pytest.raises(InvalidStateError):
        gns_py.start("str:bob")
    presented = gns_py.presented_certificate()
    assert presented is not None
    assert presented.key == issued.key


def test_an_identity_may_be_given_as_well() -> None:
    issued = AUTHORITY.issue("str:alice")
    with pytest.raises(CertificateRefused, match="it is for str:alice, and this process is str:bob"):
        gns_py.start("str:bob", certificate=issued.certificate, trust=[AUTHORITY.root])
    gns_py.start("str:alice", trust=[AUTHORITY.root])
    with pytest.raises(CertificateRefused, match="no private key"):
        gns_py.start("str:alice", certificate=issued.certificate)


@pytest.mark.parametrize("trust", [None, [], [TestAuthority().root]])
def test_a_start_that_fails_leaves_nothing_running(trust: Any) -> None:
    issued = AUTHORITY.issue("str:alice")
    with pytest.raises(CertificateRefused, match="not trusted here"):
        gns_py.start(certificate=credentials_of(issued), trust=trust)
    assert not gns_py.is_running()


def test_what_runs_goes_on_after_a_start_that_fails() -> None:
    gns_py.start(trust=[AUTHORITY.root])
    with pytest.raises(CertificateRefused):
        gns_py.start(trust=[b"nonsense"])
    assert gns_py.is_running()
    issued = AUTHORITY.issue("str:alice")
    gns_py.renew(credentials_of(issued))  # it is still trusted


def test_a_start_takes_effect_also_while_gns_runs() -> None:
    """Under a given identity, and under that of the certificate."""
    gns_py.start("str:alice")
    with gns_py.sync.serve(echo, "127.0.0.1", 0) as server, gns_py.sync.connect(*server.address) as before:
        for issued in (AUTHORITY.issue("str:alice"), AUTHORITY.issue("str:alice")):
            gns_py.start(certificate=credentials_of(issued), trust=[AUTHORITY.root], require_authentication=True)
            gns_py.start(require_authentication=True)
            gns_py.start(trust=[AUTHORITY.root])
            gns_py.start()
            with gns_py.sync.connect(*server.address) as later:
                assert later.authenticated
                assert later.remote_key == issued.key
        before.send(b"still here")
        assert bytes(before.recv(timeout=PATIENCE)) == b"still here"
        assert not before.authenticated


def test_a_certificate_gives_gns_an_identity_while_it_runs() -> None:
    gns_py.start()
    with pytest.raises(InvalidStateError, match="GNS already runs without an identity: stop it before it starts as"):
        gns_py.start("str:alice", trust=[AUTHORITY.root])
    issued = AUTHORITY.issue("str:alice")
    gns_py.start(certificate=credentials_of(issued), trust=[AUTHORITY.root])
    assert str(gns_py.local_identity()) == "str:alice"
    with pytest.raises(CertificateRefused, match="it is for str:bob, and this process is str:alice"):
        gns_py.start(certificate=credentials_of(AUTHORITY.issue("str:bob")))


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"identity": "str:bob"}, InvalidStateError),
        ({"certificate": TestAuthority().issue("str:alice").certificate}, CertificateRefused),
        ({"certificate": AUTHORITY.issue("str:bob").certificate}, CertificateRefused),
        ({"trust": [AUTHORITY.root, b"nonsense"]}, CertificateRefused),
    ],
)
def test_a_start_that_fails_changes_nothing(arguments: dict[str, Any], error: type[Exception]) -> None:
    issued, unknown = AUTHORITY.issue("str:alice"), TestAuthority()
    gns_py.start(certificate=credentials_of(issued), trust=[AUTHORITY.root], require_authentication=True)
    with pytest.raises(error):
        gns_py.start(**{"trust": [unknown.root], "require_authentication": False, **arguments})
    presented = gns_py.presented_certificate()
    assert presented is not None
    assert presented.key == issued.key
    gns_py.renew(credentials_of(AUTHORITY.issue("str:alice")))  # its authority is still trusted
    with gns_py.sync.listen("127.0.0.1", 0) as listener:
        with gns_py.sync.connect(*listener.address, wait=False), listener.accept(timeout=PATIENCE) as connection:
            assert connection.authenticated
        gns_py.set_trust([unknown.root])
        with pytest.raises(ConnectFailed, match="authentication required"):  # as before
            gns_py.sync.connect(*listener.address)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"certificate": "str:alice"}, "must be Credentials, a Certificate or bytes, not str"),
        ({"trust": AUTHORITY.root}, "put a single one into a list"),
        ({"trust": [AUTHORITY.root, "root"]}, "must be a Certificate or bytes, not str"),
        ({"require_authentication": 1}, "must be a bool, not int"),
    ],
)
def test_arguments_are_checked_before_anything_starts(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(TypeError, match=text):
        gns_py.start(**arguments)
    assert not gns_py.is_running()


def test_stop_forgets_all_of_it() -> None:
    issued = AUTHORITY.issue("str:alice")
    credentials = credentials_of(issued)
    gns_py.start(certificate=credentials, trust=[AUTHORITY.root], require_authentication=True)
    gns_py.set_revoked([issued.key_id])
    gns_py.stop()
    assert gns_py.presented_certificate() is None
    with gns_py.sync.listen("127.0.0.1", 0) as listener, gns_py.sync.connect(*listener.address, wait=False):
        assert listener.poll(PATIENCE)  # nothing is demanded
    gns_py.start(certificate=credentials, trust=[AUTHORITY.root])
