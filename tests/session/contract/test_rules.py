"""The rules of admission."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from support import PATIENCE, echo, eventually
from support.outages import QUICK, TIMEOUT, quick
from support.relay import Relay
from support.sessions import SessionApi

from gns_py.session import CloseReason, Phase
from gns_py.session._core.admission import AdmissionRules
from gns_py.session.sync import SessionRejected


class TestRules:
    @pytest.mark.parametrize(
        ("rules", "text", "counter"),
        [
            (AdmissionRules(deny=AdmissionRules.networks("127.0.0.0/8")), "not allowed", "denied"),
            (AdmissionRules(allow=AdmissionRules.networks("10.0.0.0/8", "::/0")), "not allowed", "denied"),
            (AdmissionRules(max_pending=0), "just connecting", "too_many_pending"),
            (AdmissionRules(max_pending_per_address=0), "of this address are just", "too_many_pending"),
            (AdmissionRules(max_sessions=0), "full", "too_many_sessions"),
            (AdmissionRules(max_sessions_per_address=0), "of this address are connected", "too_many_sessions"),
            (AdmissionRules(rate_per_address=1e-6, burst_per_address=0), "too often", "too_fast"),
        ],
    )
    def test_a_client_that_breaks_one_is_told_and_counted(
        self, sessions: SessionApi, rules: AdmissionRules, text: str, counter: str
    ) -> None:
        with sessions.serve(echo, "127.0.0.1", 0, rules=rules) as server:
            with pytest.raises(SessionRejected, match=text) as rejected:
                sessions.connect(*server.address)
            reason = CloseReason.REJECTED if counter == "denied" else CloseReason.RATE_LIMITED
            assert rejected.value.reason is reason
            assert getattr(server.counters, counter) == server.counters.requested == 1

    def test_a_client_that_leaves_makes_room(self, sessions: SessionApi) -> None:
        with sessions.serve(echo, "127.0.0.1", 0, rules=AdmissionRules(max_sessions_per_address=1)) as server:
            with sessions.connect(*server.address), pytest.raises(SessionRejected, match="of this address"):
                sessions.connect(*server.address)
            eventually(lambda: server.sessions == [])
            with sessions.connect(*server.address):
                pass
            assert server.counters.established == 2

    def test_those_that_have_waited_longest_for_another_connection_end(self, sessions: SessionApi) -> None:
        rules = AdmissionRules(max_dropped_per_address=2)
        settings = quick(None)
        with (
            sessions.serve(echo, "127.0.0.1", 0, config=QUICK, session_config=settings, rules=rules) as server,
            Relay(server.address) as relay,
        ):
            clients = [
                sessions.connect("127.0.0.1", relay.port, config=QUICK, session_config=settings) for _ in range(5)
            ]
            eventually(lambda: len(server.sessions) == 5)
            relay.is_cut = True
            eventually(lambda: server.counters.crowded_out == 3, TIMEOUT)
            assert len(server.sessions) == 2
            eventually(lambda: all(client.phase is Phase.DROPPED for client in clients), TIMEOUT)
            relay.is_cut = False
            eventually(lambda: sorted(client.phase.name for client in clients) == ["ENDED"] * 3 + ["ESTABLISHED"] * 2)
            for client in clients:
                if client.is_connected:
                    client.send(b"here")
                    assert client.recv(timeout=TIMEOUT) == b"here"
                    client.close()
                else:
                    assert client.wait_closed().reason is CloseReason.SESSION_EXPIRED

    def test_a_burst_is_let_in_and_no_more(self, sessions: SessionApi) -> None:
        rules = AdmissionRules(rate_per_address=1e-6, burst_per_address=3)
        with sessions.serve(echo, "127.0.0.1", 0, rules=rules) as server:
            for _ in range(3):
                sessions.connect(*server.address).close()
            with pytest.raises(SessionRejected, match="too often"):
                sessions.connect(*server.address)

    def test_a_draining_server_lets_no_client_in(self, sessions: SessionApi) -> None:
        with sessions.serve(echo, "127.0.0.1", 0) as server, ThreadPoolExecutor(1) as pool:
            client = sessions.connect(*server.address, on_goaway=lambda *_: None)  # it stays: else the server is gone
            draining = pool.submit(server.drain, 5.0 * PATIENCE)
            eventually(lambda: server.counters.draining or _refused(sessions, server.address))
            client.close()
            assert draining.result()


def _refused(sessions: SessionApi, address: Any) -> bool:
    try:
        sessions.connect(*address).close()
    except SessionRejected as rejected:
        assert rejected.reason is CloseReason.SERVER_SHUTTING_DOWN  # noqa: PT017 - others are errors
        return True
    return False
