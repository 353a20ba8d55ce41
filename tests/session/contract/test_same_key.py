"""Sessions of authenticated clients: only the same identity with the same key goes on with one, or ends it.

The servers and their client are in this process; the one who wants its session is in another process.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from support import eventually
from support.certificates import HOUR, Issued, TestAuthority
from support.certified import Other, start, told
from support.faulty_store import FaultyStore
from support.outages import TIMEOUT, NetworkMaker, cut, mend, quick
from support.sessions import SessionApi, engine_of

import gns_py
from gns_py.certs import Certificate, Credentials
from gns_py.session import CloseReason, SessionConfig
from gns_py.session.protocol import frames
from gns_py.session.protocol.frames import Confirm, Frame, Hello, Reject, Resume, Resumed, ResumeFailed, Welcome
from gns_py.session.sync import SessionClosed

from .test_durable import Servers

AUTHORITY = TestAuthority()
ALICE = AUTHORITY.issue("str:alice")
HELLO = Hello(1, 1, 1, 1000, 10_000, 100, 30_000, 0, b"")


def renewed() -> Issued:
    """Return another certificate of the same key."""
    return AUTHORITY.issue("str:alice", private_key=ALICE.private_key, expires=2 * HOUR)


# Processes that want a session of ALICE: how they start, and why they do not get it.
WANTING: dict[str, tuple[Callable[[], dict[str, Any]], str]] = {
    "another identity": (
        lambda: told(AUTHORITY.issue("str:mallory"), AUTHORITY.root),
        "the session belongs to another identity",
    ),
    "another key": (
        lambda: told(AUTHORITY.issue("str:alice"), AUTHORITY.root),
        "the session belongs to another key of this identity",
    ),
    "no certificate": (lambda: {"identity": "str:alice"}, "the session belongs to an authenticated client"),
    "a renewed certificate": (lambda: told(renewed(), AUTHORITY.root), ""),
}
wanting = pytest.mark.parametrize("kind", WANTING)


@pytest.fixture
def servers(sessions: SessionApi) -> Iterator[Servers]:
    start(ALICE, AUTHORITY.root)
    with ExitStack() as stack:
        servers = Servers(sessions, stack, FaultyStore())
        yield servers
        for served in servers.served:  # the other process does not answer goodbyes
            served.abort()


def claim_of(client: Any) -> Resume:
    """Return what a client would say to resume its session: what a thief has got hold of."""
    engine = engine_of(client)
    return Resume(1, 1, 1, engine.session_id, engine._epoch, engine._token, {}, 1 << 40, 1 << 20)  # noqa: SLF001


def exchange(other: Other, frame: Frame | None = None, **where: int) -> Frame:
    """Let the other process say something, and return what it hears."""
    data = {} if frame is None else {"data": frame.encode().hex()}
    return frames.decode(bytes.fromhex(other("exchange", **where, **data)))


def check_goes_on(client: Any, served: Any) -> None:
    client.send(b"still here")
    assert served.recv(timeout=TIMEOUT) == b"still here"
    if served.is_durable:
        served.commit()


@wanting
@pytest.mark.parametrize("is_elsewhere", [False, True], ids=["same server", "another server"])
def test_who_may_resume(servers: Servers, other: Other, kind: str, is_elsewhere: bool) -> None:
    begin, refusal = WANTING[kind]
    client = servers.connect()
    served = servers.newest(1)
    served.commit(b"state")
    other("start", **begin())
    answer = exchange(other, claim_of(client), port=servers.servers[is_elsewhere].address.port)
    if refusal:
        assert answer == ResumeFailed(CloseReason.AUTHENTICATION_FAILED, refusal)
        check_goes_on(client, served)
        assert isinstance(exchange(other, HELLO), Welcome)  # it may begin a session of its own
    else:
        assert isinstance(answer, Resumed)


def test_the_next_server_knows_whose_it_is(servers: Servers, other: Other) -> None:
    """Once it has the session itself it does not ask the store."""
    client = servers.connect()
    servers.newest(1).commit(b"state")
    second = servers.fail_over(client)
    client.wait_resumed(timeout=TIMEOUT)
    begin, refusal = WANTING["another key"]
    other("start", **begin())
    answer = exchange(other, claim_of(client), port=servers.servers[1].address.port)
    assert answer == ResumeFailed(CloseReason.AUTHENTICATION_FAILED, refusal)
    check_goes_on(client, second)


@wanting
@pytest.mark.parametrize("where", ["plain", "same server", "another server"])
def test_who_may_take_over(servers: Servers, other: Other, kind: str, where: str) -> None:
    begin, refusal = WANTING[kind]
    first, second = (
        servers.serve(
            durable=where != "plain",
            session_config=quick(SessionConfig(close_timeout=0.5)),
            on_request=lambda request: request.accept(key="player:42"),
        )
        for _ in range(2)
    )
    servers.relay.change_server(first.address)
    client = servers.connect()
    served = servers.newest(1)
    if served.is_durable:
        served.commit()
    other("start", **begin())
    port = (second if where == "another server" else first).address.port
    answer = exchange(other, HELLO, port=port)
    if refusal:
        assert isinstance(answer, Reject)
        assert (answer.reason, answer.text) == (CloseReason.AUTHENTICATION_FAILED, refusal)
        check_goes_on(client, served)
        client.abort()
        served.wait_closed(timeout=TIMEOUT)
        eventually(lambda: isinstance(exchange(other, HELLO, port=port), Welcome), TIMEOUT)  # it is its turn now
        return
    assert isinstance(answer, Welcome)
    exchange(other, Confirm(1))
    if where == "another server":
        with pytest.raises(SessionClosed):  # it learns of that
            served.commit()
    assert client.wait_closed(timeout=TIMEOUT).reason is CloseReason.SESSION_TAKEN_OVER


@pytest.mark.parametrize("durable", [False, True])
def test_an_application_may_let_another_key_take_over(servers: Servers, other: Other, durable: bool) -> None:
    def decide(request: Any) -> None:
        for session in server.sessions:
            if session.remote_identity == request.identity:
                session.abort()
        request.accept(key="player:42")

    server = servers.serve(durable=durable, on_request=decide)
    servers.relay.change_server(server.address)
    client = servers.connect()
    servers.newest(1)
    other("start", **WANTING["another key"][0]())
    assert isinstance(exchange(other, HELLO, port=server.address.port), Welcome)
    assert client.wait_closed(timeout=TIMEOUT).reason is CloseReason.ABORTED


def test_who_was_established_first_stays(servers: Servers, other: Other) -> None:
    """Both were accepted before either had a session; the handler does not see the one that is refused."""
    server = servers.serve(durable=False, on_request=lambda request: request.accept(key="player:42"))
    servers.relay.change_server(server.address)
    other("start", **told(AUTHORITY.issue("str:mallory"), AUTHORITY.root))
    assert isinstance(exchange(other, HELLO, port=server.address.port), Welcome)
    client = servers.connect()
    served = servers.newest(1)
    code, text = CloseReason.AUTHENTICATION_FAILED.native_code, WANTING["another identity"][1]
    other.say(json.dumps({"do": "exchange", "data": Confirm(1).encode().hex()}))
    if "error" not in (answer := json.loads(other.line())):  # it may have heard READY before
        other.say(json.dumps({"do": "exchange"}))
        answer = json.loads(other.line())
    assert answer["error"] == "ConnectionClosedError"
    assert f" {code} " in answer["text"]
    assert answer["text"].endswith(text)
    check_goes_on(client, served)
    assert len(servers.served) == 1
    assert server.sessions == [served]


def test_a_client_renews_its_certificate(make_network: NetworkMaker) -> None:
    """Its session goes on; with another key it does not, also after an outage, and a new one begins."""
    start(ALICE, AUTHORITY.root)
    network = make_network()
    gns_py.renew(renewed().certificate)
    network.client.reconnect()
    network.client.wait_resumed(timeout=TIMEOUT)
    check_goes_on(network.client, network.server)
    other = AUTHORITY.issue("str:alice")
    gns_py.renew(Credentials(Certificate(other.certificate), other.private_key))
    cut(network)
    mend(network)
    end = network.client.wait_closed(timeout=TIMEOUT)
    assert (end.reason, end.text) == (CloseReason.AUTHENTICATION_FAILED, WANTING["another key"][1])
    anew = make_network()
    check_goes_on(anew.client, anew.server)
    assert anew.client.remote_key == other.key
