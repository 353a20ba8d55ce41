"""The arguments of start() by which a process proves its identity."""

from __future__ import annotations

from typing import Any

import pytest
from support.certificates import TestAuthority

import gns_py
import gns_py.sync
from gns_py import CertificateRefused, InvalidStateError
from gns_py.certs import Certificate, Credentials

AUTHORITY = TestAuthority()


def test_the_identity_is_the_certificates() -> None:
    issued = AUTHORITY.issue("str:alice")
    credentials = Credentials(Certificate(issued.certificate), issued.private_key)
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
        gns_py.start(certificate=Credentials(Certificate(issued.certificate), issued.private_key), trust=trust)
    assert not gns_py.is_running()


def test_what_runs_goes_on_after_a_start_that_fails() -> None:
    gns_py.start(trust=[AUTHORITY.root])
    with pytest.raises(CertificateRefused):
        gns_py.start(trust=[b"nonsense"])
    assert gns_py.is_running()
    issued = AUTHORITY.issue("str:alice")
    gns_py.renew(Credentials(Certificate(issued.certificate), issued.private_key))  # it is still trusted


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
    credentials = Credentials(Certificate(issued.certificate), issued.private_key)
    gns_py.start(certificate=credentials, trust=[AUTHORITY.root], require_authentication=True)
    gns_py.set_revoked([issued.key_id])
    gns_py.stop()
    assert gns_py.presented_certificate() is None
    with gns_py.sync.listen("127.0.0.1", 0) as listener:
        gns_py.sync.connect("127.0.0.1", listener.address.port, wait=False).close()
        assert listener.poll(5.0)  # nothing is demanded
    gns_py.start(certificate=credentials, trust=[AUTHORITY.root])
