"""Sessions whose ends must prove their identities. Both are in this process, and so present the same certificate."""

from __future__ import annotations

from typing import Any

import pytest
from support import echo
from support.certificates import TestAuthority
from support.certified import start
from support.outages import NetworkMaker
from support.sessions import SessionApi

import gns_py
from gns_py.certs import Certificate, Credentials, Expect
from gns_py.session import SessionClosed, SessionFailed

AUTHORITY = TestAuthority()


def test_a_request_says_that_the_client_is_authenticated(sessions: SessionApi) -> None:
    issued = AUTHORITY.issue("str:alice")
    start(issued, AUTHORITY.root)
    seen: list[Any] = []

    def decide(request: Any) -> None:
        seen.append((str(request.identity), request.is_authenticated))
        request.accept()

    with (
        sessions.serve(echo, "127.0.0.1", 0, on_request=decide, require_authentication=True) as server,
        sessions.connect(*server.address, expect=Expect("str:alice", [issued.key])) as client,
    ):
        assert client.authenticated
        assert client.remote_key == issued.key
    assert seen == [("str:alice", True)]


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
