"""Certificates in the course of time: trust that changes, revocation, renewal, and clocks that differ."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import support
from support import Api, echo
from support.certificates import HOUR, TestAuthority, requested_key
from support.certified import Other, start, told
from support.clocks import CLOCKS, build_clock, other_at_another_time

import gns_py
from gns_py import CertificateRefused, ConnectFailed, EndReason
from gns_py.certs import Certificate

# ---- in the course of time -------------------------------------------------------------------------------------------


def test_a_root_that_is_added_lets_a_refused_client_in(
    api: Api, other: Other, authority: TestAuthority, unknown: TestAuthority
) -> None:
    start(authority.issue("str:server"), authority.root)
    other("start", **told(unknown.issue("str:alice"), unknown.root))
    with api.serve(echo, "127.0.0.1", 0, require_authentication=True) as server:
        assert other("connect", port=server.address.port)["code"] == 4003
        gns_py.set_trust([authority.root, Certificate(unknown.root)])
        assert other("connect", port=server.address.port)["echo"] == "hello"
        gns_py.set_trust([authority.root])
        assert other("again") == "again"
        assert other("connect", port=server.address.port)["code"] == 4003


def test_revoked_and_renewed_while_connected(api: Api, other: Other, authority: TestAuthority) -> None:
    start(authority.issue("str:server"), authority.root, require_authentication=True)
    first, second = authority.issue("str:alice"), authority.issue("str:alice")
    other("start", **told(first, authority.root))
    with api.serve(echo, "127.0.0.1", 0) as server:
        port = server.address.port
        assert other("connect", port=port)["echo"] == "hello"
        gns_py.set_revoked([first.key_id])
        assert other("again") == "again"  # it is for the application to close what is open
        assert [connection.remote_key for connection in server.connections] == [first.key]
        assert other("connect", port=port)["text"] == "the key of str:alice is revoked"
        other("renew", certificate=second.certificate.hex(), private_key=second.private_key.hex())
        assert other("again") == "again"
        assert other("connect", port=port)["echo"] == "hello"
        gns_py.set_revoked([])


def test_a_certificate_that_was_requested(api: Api, other: Other, authority: TestAuthority) -> None:
    start(authority.issue("str:server"), authority.root, require_authentication=True)
    other("start", identity="str:alice", trust=[authority.root.hex()])
    key = requested_key(bytes.fromhex(other("request")))
    with api.serve(echo, "127.0.0.1", 0) as server:
        assert other("connect", port=server.address.port)["text"].endswith("str:alice has no certificate")
        other("renew", certificate=authority.sign(key, "str:alice").hex())
        assert other("connect", port=server.address.port)["echo"] == "hello"
        other("renew", certificate=authority.sign(key, "str:alice", expires=2 * HOUR).hex())
        assert other("connect", port=server.address.port)["echo"] == "hello"


def test_a_certificate_of_its_own_that_has_expired(api: Api, authority: TestAuthority) -> None:
    issued = authority.issue("str:alice", expires=2)
    start(issued, authority.root)

    def is_refused() -> bool:
        try:
            api.connect("127.0.0.1", 9, wait=False).close()
        except CertificateRefused as error:
            return "has expired" in str(error)
        return False

    support.eventually(is_refused, 10.0, "the end of the certificate")
    with pytest.raises(CertificateRefused, match="has expired"):
        api.listen("127.0.0.1", 0)
    gns_py.renew(authority.sign(issued.key, "str:alice"))
    api.listen("127.0.0.1", 0).close()


def test_a_certificate_of_its_own_that_is_valid_for_too_long(api: Api, authority: TestAuthority) -> None:
    """GNS would take it for one that has expired."""
    issued = authority.issue("str:alice", expires=2**31 + HOUR)
    with pytest.raises(CertificateRefused, match="more than 68 years"):
        start(issued, authority.root)
    start(authority.issue("str:alice", private_key=issued.private_key, expires=2**31 - HOUR), authority.root)
    with pytest.raises(CertificateRefused, match="more than 68 years"):
        gns_py.renew(issued.certificate)
    api.listen("127.0.0.1", 0).close()


# ---- clocks that differ ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_clock(tmp_path_factory.mktemp("clock"))


@pytest.mark.parametrize("kind", CLOCKS)
@pytest.mark.parametrize("strict", ["server", "client"])
def test_clocks_that_differ(
    api: Api,
    authority: TestAuthority,
    clock: Path,
    tmp_path: Path,
    strict: str,
    kind: str,
) -> None:
    shift, created, expires, text = CLOCKS[kind]
    start(authority.issue("str:here", created=-5 * HOUR, expires=5 * HOUR), authority.root, require_authentication=True)
    with other_at_another_time(clock, shift, tmp_path) as other:
        other("start", **told(authority.issue("str:other", created=created, expires=expires), authority.root))
        if strict == "server":
            with api.serve(echo, "127.0.0.1", 0) as server:
                there = other("connect", port=server.address.port)
            if text:
                assert there["code"] == EndReason.REMOTE_BAD_CERT
                assert re.search(text, there["text"])
            else:
                assert there["echo"] == "hello"
        elif text:
            with pytest.raises(ConnectFailed, match=text) as refused:
                api.connect("127.0.0.1", other("serve"))
            assert refused.value.code == EndReason.REMOTE_BAD_CERT
        else:
            api.connect("127.0.0.1", other("serve")).close()
