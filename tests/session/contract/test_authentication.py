"""Sessions whose ends must prove their identities: who is refused, and what both ends learn.

Two ends in this process present the same certificate; the other process has one of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import echo, eventually
from support.certificates import Issued, TestAuthority
from support.certified import Other, start, told
from support.clocks import CLOCKS, build_clock, other_at_another_time
from support.outages import TIMEOUT, NetworkMaker
from support.sessions import SessionApi

import gns_py
from gns_py import EndReason
from gns_py.certs import Certificate, Credentials, Expect
from gns_py.session import SessionClosed, SessionFailed

AUTHORITY, UNKNOWN = TestAuthority(), TestAuthority()

# The certificate of the other end, None for none, and why it is refused.
WRONG: dict[str, tuple[Callable[[], Issued | None], str]] = {
    "unknown": (lambda: UNKNOWN.issue("str:other"), r"certificate of str:other: CA key \d+ is not known to us"),
    "revoked": (lambda: AUTHORITY.issue("str:other"), "the key of str:other is revoked"),
    "none": (lambda: None, "authentication required: str:other has no certificate"),
}
wrong = pytest.mark.parametrize("kind", WRONG)


def give_wrong(other: Other, kind: str) -> str:
    """Start the other process with what is wrong here, and return why it is."""
    make, text = WRONG[kind]
    issued = make()
    if issued is None:
        other("start", identity="str:other")
    else:
        other("start", **told(issued, AUTHORITY.root, UNKNOWN.root))
    if issued is not None and kind == "revoked":
        gns_py.set_revoked([issued.key_id])
    return text


def test_a_request_says_that_the_client_is_authenticated(sessions: SessionApi) -> None:
    issued = AUTHORITY.issue("str:alice")
    start(issued, AUTHORITY.root)
    seen: list[Any] = []

    def decide(request: Any) -> None:
        seen.append((str(request.identity), request.authenticated))
        request.accept()

    with (
        sessions.serve(echo, "127.0.0.1", 0, on_request=decide, require_authentication=True) as server,
        sessions.connect(*server.address, expect=Expect("str:alice", [issued.key])) as client,
    ):
        assert client.authenticated
        assert client.remote_key == issued.key
    assert seen == [("str:alice", True)]


def test_no_packet_has_a_private_key(make_network: NetworkMaker) -> None:
    """Neither the first one's, nor that of a certificate that was renewed."""
    issued, renewed = AUTHORITY.issue("str:alice"), AUTHORITY.issue("str:alice")
    start(issued, AUTHORITY.root)
    for each in (issued, renewed):
        gns_py.renew(Credentials(Certificate(each.certificate), each.private_key))
        network = make_network(None)
        network.client.send(b"hello")
        assert network.server.recv(timeout=TIMEOUT) == b"hello"
        network.client.reconnect()
        eventually(lambda: network.client.is_connected)  # noqa: B023 - called in this round
        for packets in (network.relay.recorded, network.relay.answers):
            seen = b"".join(packets)
            assert seen.count(each.key) >= 2  # the public one of two handshakes: all is seen here
            for part in (each.private_key[:16], each.private_key[8:24], each.private_key[16:]):
                assert part not in seen


def test_a_server_refuses_in_the_handshake(sessions: SessionApi) -> None:
    gns_py.start("str:mallory")
    for open_port in (sessions.listen, lambda *where, **named: sessions.serve(echo, *where, **named)):
        with open_port("127.0.0.1", 0, require_authentication=True) as server:
            with pytest.raises(SessionFailed, match="authentication required: str:mallory has no certificate"):
                sessions.connect(*server.address)
            assert server.sessions == []


def test_a_client_refuses_in_the_handshake(sessions: SessionApi) -> None:
    start(AUTHORITY.issue("str:eu-2"), AUTHORITY.root)
    with sessions.serve(echo, "127.0.0.1", 0) as server:
        with pytest.raises(SessionFailed, match="expected str:eu-1, found str:eu-2"):
            sessions.connect(*server.address, expect=Expect("str:eu-1"))
        with pytest.raises(SessionFailed, match="expected str:eu-1, found str:eu-2"):
            next(iter(sessions.connect_again(*server.address, expect=Expect("str:eu-1"))))
        with pytest.raises(TypeError, match="expect must be an Expect"):
            sessions.connect(*server.address, expect="str:eu-1")


def test_the_server_of_a_resumed_session_is_expected_again(make_network: NetworkMaker) -> None:
    issued = AUTHORITY.issue("str:alice")
    start(issued, AUTHORITY.root)
    network = make_network(callbacks={"expect": Expect(keys=[issued.key])})
    network.relay.change_addresses()
    network.client.reconnect()
    network.client.wait_resumed(timeout=10.0)
    assert network.client.authenticated
    other = AUTHORITY.issue("str:alice")
    gns_py.renew(Credentials(Certificate(other.certificate), other.private_key))
    network.client.reconnect()
    with pytest.raises(SessionClosed, match="str:alice has another key than expected"):
        network.client.wait_resumed(timeout=10.0)


# ---- two processes ---------------------------------------------------------------------------------------------------


def test_both_ends_are_authenticated(sessions: SessionApi, other: Other) -> None:
    alice, server = AUTHORITY.issue("str:alice"), AUTHORITY.issue("str:server")
    start(server, AUTHORITY.root, require_authentication=True)
    other("start", **told(alice, AUTHORITY.root), require_authentication=True)
    seen: list[Any] = []

    def decide(request: Any) -> None:
        seen.append((str(request.identity), request.authenticated))
        request.accept()

    with sessions.serve(echo, "127.0.0.1", 0, on_request=decide) as listening:
        there = other("connect", port=listening.address.port, sessions=True, identity="str:server")
        other("leave")
    assert there == {"identity": "str:server", "authenticated": True, "key": server.key.hex(), "echo": "hello"}
    assert seen == [("str:alice", True)]
    with sessions.connect("127.0.0.1", other("serve", sessions=True), expect=Expect("str:alice")) as client:
        assert (client.authenticated, client.remote_key) == (True, alice.key)


@wrong
def test_a_strict_server_refuses(sessions: SessionApi, other: Other, kind: str) -> None:
    start(AUTHORITY.issue("str:server"), AUTHORITY.root)
    text = give_wrong(other, kind)
    with sessions.serve(echo, "127.0.0.1", 0, require_authentication=True) as server:
        there = other("connect", port=server.address.port, sessions=True)
        assert server.sessions == []
    check_refused(there["code"], there["text"], text)
    assert there["closed_by"] == "PEER"


def check_refused(code: int, found: str, text: str) -> None:
    assert code == EndReason.REMOTE_BAD_CERT
    assert re.search(text, found), found


@wrong
def test_a_strict_client_refuses(sessions: SessionApi, other: Other, kind: str) -> None:
    gns_py.start(trust=[AUTHORITY.root], require_authentication=True)
    text = give_wrong(other, kind)
    with pytest.raises(SessionFailed) as failed:
        sessions.connect("127.0.0.1", other("serve", sessions=True))
    check_refused(failed.value.code, failed.value.text, text)


def test_a_lenient_server_sees_that_nothing_is_proved(sessions: SessionApi, other: Other) -> None:
    start(AUTHORITY.issue("str:server"), AUTHORITY.root)
    other("start", **told(UNKNOWN.issue("str:alice"), UNKNOWN.root))
    seen: list[Any] = []

    def decide(request: Any) -> None:
        seen.append((str(request.identity), request.authenticated))
        request.accept()

    with sessions.serve(echo, "127.0.0.1", 0, on_request=decide) as server:
        assert other("connect", port=server.address.port, sessions=True)["echo"] == "hello"
        other("leave")
    assert seen == [("str:alice", False)]


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_clock(tmp_path_factory.mktemp("clock"))


@pytest.mark.parametrize("kind", CLOCKS)
def test_clocks_that_differ(sessions: SessionApi, clock: Path, tmp_path: Path, kind: str) -> None:
    shift, created, expires, text = CLOCKS[kind]
    start(AUTHORITY.issue("str:here"), AUTHORITY.root, require_authentication=True)
    issued = AUTHORITY.issue("str:other", created=created, expires=expires)
    with other_at_another_time(clock, shift, tmp_path) as other:
        other("start", **told(issued, AUTHORITY.root))
        with sessions.serve(echo, "127.0.0.1", 0) as server:
            there = other("connect", port=server.address.port, sessions=True)
            if not text:
                other("leave")
        port = other("serve", sessions=True)
        if not text:
            assert there["echo"] == "hello"
            sessions.connect("127.0.0.1", port).close()
            return
        check_refused(there["code"], there["text"], text)
        with pytest.raises(SessionFailed, match=text):
            sessions.connect("127.0.0.1", port)


# ---- in the course of time -------------------------------------------------------------------------------------------


def test_a_root_that_is_added_lets_a_refused_client_in(sessions: SessionApi, other: Other) -> None:
    start(AUTHORITY.issue("str:server"), AUTHORITY.root)
    other("start", **told(UNKNOWN.issue("str:alice"), UNKNOWN.root))
    with sessions.serve(echo, "127.0.0.1", 0, require_authentication=True) as server:
        assert other("connect", port=server.address.port, sessions=True)["code"] == 4003
        gns_py.set_trust([AUTHORITY.root, UNKNOWN.root])
        assert other("connect", port=server.address.port, sessions=True)["echo"] == "hello"
        gns_py.set_trust([AUTHORITY.root])
        assert other("again") == "again"
        other("leave")


def test_revoked_while_connected(make_network: NetworkMaker) -> None:
    """The session goes on, with the connection that it has. It does not get another one."""
    issued = AUTHORITY.issue("str:alice")
    start(issued, AUTHORITY.root)
    network = make_network()
    gns_py.set_revoked([issued.key_id])
    network.client.send(b"still here")
    assert network.server.recv(timeout=TIMEOUT) == b"still here"
    network.client.reconnect()
    end = network.client.wait_closed(timeout=TIMEOUT)
    assert end.text == "the key of str:alice is revoked"
    assert end.code == EndReason.REMOTE_BAD_CERT
    gns_py.set_revoked([])
