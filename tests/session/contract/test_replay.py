"""The handshake of an authenticated client, recorded, and sent again by an observer: no session begins, none ends."""

from __future__ import annotations

from typing import Any

from support import PATIENCE, echo, eventually
from support.certificates import TestAuthority
from support.certified import start
from support.outages import TIMEOUT
from support.relay import Relay
from support.sessions import SessionApi
from support.strangers import Strangers

from gns_py.session import SessionConfig

AUTHORITY = TestAuthority()


def test_a_replayed_handshake(sessions: SessionApi) -> None:
    start(AUTHORITY.issue("str:alice"), AUTHORITY.root)
    requests: list[str] = []

    def decide(request: Any) -> None:
        requests.append(str(request.identity))
        request.accept(key="player:42")

    def check_goes_on() -> None:
        client.send(b"still here")
        assert client.recv(timeout=TIMEOUT) == b"still here"
        assert len(server.sessions) == 1
        assert client.drops == 0

    with (
        sessions.serve(
            echo,
            "127.0.0.1",
            0,
            on_request=decide,
            require_authentication=True,
            session_config=SessionConfig(hello_timeout=1.0 * PATIENCE),
        ) as server,
        Relay(server.address) as relay,
        sessions.connect("127.0.0.1", relay.port) as client,
    ):
        check_goes_on()
        relay.replay()
        check_goes_on()
        with Strangers(server.address, ["127.0.0.1"], relay.recorded) as observer:
            observer.ask()
            eventually(lambda: observer.look(0.05).accepted == 1, TIMEOUT)
            check_goes_on()
            eventually(lambda: server.counters.failed == 1, TIMEOUT)  # it has not said HELLO
        check_goes_on()
    assert requests == ["str:alice"]
