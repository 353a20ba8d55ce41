"""Certificates between two processes, in both roles and on loopback: who is refused, and what both ends learn."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from support import PATIENCE, Api, echo
from support.certificates import Issued, TestAuthority
from support.certified import Other, start, told

import gns_py
from gns_py import ClosedBy, ConnectFailed, ConnectionClosed, EndReason
from gns_py.certs import Certificate, Expect

GOODBYE = {"text": "Application closed connection"}

# How the certificate of a client or of a server can be wrong: made by (the authority that is trusted, another one).
Wrong = Callable[[TestAuthority, TestAuthority], Issued]
WRONG: list[tuple[str, Wrong, str]] = [
    (
        "unknown",
        lambda _, unknown: unknown.issue("str:other"),
        r"certificate of str:other: CA key \d+ is not known to us",
    ),
    (
        "unknown, with a long identity",
        lambda _, unknown: unknown.issue("gen:" + "ab" * 32),
        r"certificate of gen:[ab]{15}\.\.\.[ab]{16}: CA key \d+ is not known to us$",
    ),
    ("revoked", lambda trusted, _: trusted.issue("str:other"), "the key of str:other is revoked"),
]
wrong = pytest.mark.parametrize(("kind", "make", "text"), WRONG, ids=[row[0] for row in WRONG])


def give_wrong(other: Other, kind: str, make: Wrong, authority: TestAuthority, unknown: TestAuthority) -> None:
    """Start the other process with a certificate that is wrong here; there it is right, or was until a moment ago."""
    issued = make(authority, unknown)
    other("start", **told(issued, authority.root, unknown.root))
    if kind == "revoked":
        gns_py.set_revoked([issued.key_id])


# ---- both are certified ----------------------------------------------------------------------------------------------


def test_both_ends_are_authenticated(api: Api, other: Other, authority: TestAuthority) -> None:
    alice, server = authority.issue("str:alice"), authority.issue("str:server")
    start(server, authority.root, require_authentication=True)
    other("start", **told(alice, authority.root), require_authentication=True)
    seen: list[tuple[str, bool, bytes | None, int | None]] = []

    def handler(connection: gns_py.sync.Connection) -> None:
        info = connection.info()
        seen.append(
            (str(connection.remote_identity), connection.authenticated, connection.remote_key, info.remote_key_expires)
        )
        echo(connection)

    with api.serve(handler, "127.0.0.1", 0) as listening:
        there = other("connect", port=listening.address.port, identity="str:server", keys=[server.key.hex()])
    assert there == {"identity": "str:server", "authenticated": True, "key": server.key.hex(), "echo": "hello"}
    expires = int(Certificate(alice.certificate).expires.timestamp())
    assert seen == [("str:alice", True, alice.key, expires)]


def test_a_client_is_authenticated_at_a_server_elsewhere(api: Api, other: Other, authority: TestAuthority) -> None:
    alice, server = authority.issue("str:alice"), authority.issue("str:server")
    other("start", **told(server, authority.root), require_authentication=True)
    port = other("serve")
    start(alice, authority.root)
    with api.connect("127.0.0.1", port, expect=Expect("str:server")) as connection:
        assert connection.authenticated
        assert connection.remote_key == server.key
        assert str(connection.remote_identity) == "str:server"
    assert connection.authenticated  # also afterwards
    (end,) = other("ends", count=1)
    assert end == {"identity": "str:alice", "authenticated": True, "key": alice.key.hex(), "code": 1000} | GOODBYE


# ---- a server refuses ------------------------------------------------------------------------------------------------


@wrong
def test_a_strict_server_refuses(
    api: Api, other: Other, authority: TestAuthority, unknown: TestAuthority, kind: str, make: Wrong, text: str
) -> None:
    start(authority.issue("str:server"), authority.root)
    give_wrong(other, kind, make, authority, unknown)
    with api.serve(echo, "127.0.0.1", 0, require_authentication=True) as server:
        there = other("connect", port=server.address.port)
        assert server.connections == []
    assert there["closed_by"] == ClosedBy.PEER.name
    assert_refused(there["code"], there["text"], text)


def assert_refused(code: int, found: str, text: str) -> None:
    assert code == EndReason.REMOTE_BAD_CERT
    assert re.search(text, found), found


def test_a_strict_server_refuses_a_client_without_a_certificate(api: Api, other: Other) -> None:
    other("start", identity="str:mallory")
    with api.serve(echo, "127.0.0.1", 0, require_authentication=True) as server:
        there = other("connect", port=server.address.port)
    assert there == {
        "code": 4003,
        "text": "authentication required: str:mallory has no certificate",
        "closed_by": "PEER",
    }


def test_an_end_that_demands_authentication_needs_no_certificate(
    api: Api, other: Other, authority: TestAuthority
) -> None:
    gns_py.start(trust=[authority.root], require_authentication=True)
    other("start", **told(authority.issue("str:alice"), authority.root))
    with api.serve(echo, "127.0.0.1", 0) as server:
        there = other("connect", port=server.address.port)
    assert (there["echo"], there["authenticated"]) == ("hello", False)
    api.connect("127.0.0.1", other("serve")).close()


def test_no_end_is_so_lenient_as_to_take_a_revoked_key(api: Api, other: Other, authority: TestAuthority) -> None:
    start(authority.issue("str:server"), authority.root)
    alice = authority.issue("str:alice")
    other("start", **told(alice, authority.root))
    gns_py.set_revoked([alice.key_id])
    with api.serve(echo, "127.0.0.1", 0, require_authentication=False) as server:
        assert other("connect", port=server.address.port)["text"] == "the key of str:alice is revoked"
    assert refused(api, other("serve"), None).text == "the key of str:alice is revoked"
    gns_py.set_revoked([])


def test_a_server_may_be_more_lenient_than_its_process(api: Api, other: Other) -> None:
    gns_py.start(require_authentication=True)
    other("start", identity="str:mallory")
    with (
        api.serve(echo, "127.0.0.1", 0) as strict,
        api.serve(echo, "127.0.0.1", 0, require_authentication=False) as lenient,
    ):
        assert other("connect", port=strict.address.port)["code"] == 4003
        there = other("connect", port=lenient.address.port)
        assert there["echo"] == "hello"
        assert there["authenticated"] is False


def test_a_lenient_server_sees_that_nothing_is_proved(
    api: Api, other: Other, authority: TestAuthority, unknown: TestAuthority
) -> None:
    start(authority.issue("str:server"), authority.root)
    alice = unknown.issue("str:alice")
    other("start", **told(alice, unknown.root))
    seen: list[tuple[str, bool, bytes | None]] = []

    def handler(connection: gns_py.sync.Connection) -> None:
        seen.append((str(connection.remote_identity), connection.authenticated, connection.remote_key))
        echo(connection)

    with api.serve(handler, "127.0.0.1", 0) as server:
        assert other("connect", port=server.address.port)["echo"] == "hello"
    assert seen == [("str:alice", False, alice.key)]


# ---- a client refuses ------------------------------------------------------------------------------------------------


def refused(api: Api, port: int, expect: Expect | None) -> ConnectFailed:
    with pytest.raises(ConnectFailed) as raised:
        api.connect("127.0.0.1", port, expect=expect)
    assert raised.value.end.closed_by is ClosedBy.PROBLEM
    assert not raised.value.end.can_retry
    return raised.value


@wrong
def test_a_strict_client_refuses(
    api: Api, other: Other, authority: TestAuthority, unknown: TestAuthority, kind: str, make: Wrong, text: str
) -> None:
    gns_py.start(trust=[authority.root], require_authentication=True)
    give_wrong(other, kind, make, authority, unknown)
    port = other("serve")
    error = refused(api, port, None)
    assert_refused(error.code, error.text, text)
    (end,) = other("ends", count=1)
    assert_refused(end["code"], end["text"], text)


def test_a_strict_client_refuses_a_server_without_a_certificate(api: Api, other: Other) -> None:
    gns_py.start(require_authentication=True)
    other("start", identity="str:server")
    error = refused(api, other("serve"), None)
    assert error.text == "authentication required: str:server has no certificate"


def test_another_identity_than_expected(api: Api, other: Other, authority: TestAuthority) -> None:
    gns_py.start(trust=[authority.root])
    other("start", **told(authority.issue("str:eu-2"), authority.root))
    port = other("serve")
    assert refused(api, port, Expect("str:eu-1")).text == "expected str:eu-1, found str:eu-2"
    api.connect("127.0.0.1", port, expect=Expect("str:eu-2")).close()


def test_an_identity_that_is_only_claimed(api: Api, other: Other) -> None:
    other("start", identity="str:eu-1")
    error = refused(api, other("serve"), Expect("str:eu-1"))
    assert error.text == "identity not proved: str:eu-1 has no certificate"


def test_a_pinned_key_needs_no_authority_here(api: Api, other: Other, unknown: TestAuthority) -> None:
    server = unknown.issue("str:server")
    other("start", **told(server, unknown.root))
    port = other("serve")
    with api.connect("127.0.0.1", port, expect=Expect("str:server", [bytes(32), server.key])) as connection:
        assert connection.remote_key == server.key
        assert not connection.authenticated
    error = refused(api, port, Expect(keys=[bytes(32)]))
    assert error.text == "str:server has another key than expected"


# ---- an attacker between both ----------------------------------------------------------------------------------------


@pytest.fixture
def attacker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Other]:
    with Other(tmp_path_factory.mktemp("attacker")) as attacker:
        yield attacker


def test_an_attacker_between_both_succeeds_unless_it_is_refused(
    api: Api, other: Other, attacker: Other, authority: TestAuthority, unknown: TestAuthority
) -> None:
    server = authority.issue("str:server")
    other("start", **told(server, authority.root))
    port = other("serve")
    attacker("start", **told(unknown.issue("str:server"), unknown.root))
    between = attacker("serve", pass_on=port)
    gns_py.start(trust=[authority.root])
    with api.connect("127.0.0.1", between) as connection:  # nothing is demanded: it reads everything
        assert str(connection.remote_identity) == "str:server"
        connection.send(b"secret")
        assert connection.recv(timeout=PATIENCE) == b"secret, read by another"
        assert not connection.authenticated
    for expect in (Expect("str:server"), Expect(keys=[server.key]), Expect("str:server", [server.key])):
        assert refused(api, between, expect).code == EndReason.REMOTE_BAD_CERT
        api.connect("127.0.0.1", port, expect=expect).close()
    gns_py.start(require_authentication=True)
    assert refused(api, between, None).code == EndReason.REMOTE_BAD_CERT


def test_a_strict_server_refuses_an_attacker_between_both(
    api: Api, other: Other, attacker: Other, authority: TestAuthority
) -> None:
    start(authority.issue("str:server"), authority.root, require_authentication=True)
    other("start", **told(authority.issue("str:alice"), authority.root))
    attacker("start", identity="str:alice")
    with api.serve(echo, "127.0.0.1", 0) as server:
        between = attacker("serve", pass_on=server.address.port)
        assert other("connect", port=server.address.port)["echo"] == "hello"
        with pytest.raises(AssertionError, match="ConnectionClosed"):
            other("connect", port=between)


# ---- arguments -------------------------------------------------------------------------------------------------------


def test_arguments_are_checked(api: Api) -> None:
    with pytest.raises(TypeError, match="expect must be an Expect, not str"):
        api.connect("127.0.0.1", 9, expect="str:server")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="require_authentication must be a bool, not int"):
        api.listen("127.0.0.1", 0, require_authentication=1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="require_authentication must be a bool, not str"):
        api.serve(echo, "127.0.0.1", 0, require_authentication="yes")  # type: ignore[arg-type]


def test_pairs_in_this_process_need_no_proof(api: Api) -> None:
    gns_py.start(require_authentication=True)
    for network in (False, True):
        first, second = api.socket_pair(network=network)
        with first, second:
            assert not first.authenticated
            assert second.remote_key is None
            first.send(b"hello")
            assert second.recv(timeout=PATIENCE) == b"hello"
    with pytest.raises(ConnectionClosed):
        first.send(b"")
