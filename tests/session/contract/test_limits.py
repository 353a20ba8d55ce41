"""limits= of listen() and serve(): before any rule of sessions."""

from __future__ import annotations

import pytest
from support import PATIENCE, echo, eventually
from support.sessions import SessionApi
from support.strangers import ANY_LOOPBACK, flood, loopback

from gns_py import ConnectionLimits, LimitCounters
from gns_py.session import AdmissionRules, CloseReason, SessionRejected

ONE = ConnectionLimits(rate_per_address=1e-3, burst_per_address=1)


def test_a_refused_client_is_told_and_trying_again_can_help(sessions: SessionApi) -> None:
    with sessions.serve(echo, "127.0.0.1", 0, limits=ONE) as server, sessions.connect(*server.address):
        with pytest.raises(SessionRejected, match="this address connects too often") as refused:
            sessions.connect(*server.address)
        assert refused.value.reason is CloseReason.RATE_LIMITED
        assert refused.value.code == 2004
        assert refused.value.end.can_retry
        assert server.limit_counters == LimitCounters(1, 1, 0, 0, 0, 0)
        assert server.counters.requested == 1  # sessions have not learned of the other
    assert server.limit_counters == LimitCounters(1, 1, 0, 0, 0, 0)


def test_a_listen_socket_counts_too(sessions: SessionApi) -> None:
    with sessions.listen("127.0.0.1", 0, limits=ONE) as listener:
        assert listener.limit_counters == LimitCounters(0, 0, 0, 0, 0, 0)
        for _ in range(2):
            with pytest.raises(Exception, match=r"."):  # no one accepts
                sessions.connect(*listener.address, timeout=0.2)
        assert listener.limit_counters == LimitCounters(1, 1, 0, 0, 0, 0)


@pytest.mark.parametrize("which", ["listen", "serve"])
def test_limits_of_another_type(sessions: SessionApi, which: str) -> None:
    arguments = (echo,) if which == "serve" else ()
    with pytest.raises(TypeError, match="limits must be ConnectionLimits or None, not AdmissionRules"):
        getattr(sessions, which)(*arguments, "127.0.0.1", 0, limits=AdmissionRules())


@pytest.mark.skipif(not ANY_LOOPBACK, reason="this machine has one address on loopback")
def test_a_flood_hurts_no_session(sessions: SessionApi) -> None:
    limits = ConnectionLimits(max_half_open_per_address=8, burst_per_address=20, rate_per_address=9)
    with (
        sessions.serve(echo, "127.0.0.1", 0, limits=limits) as server,
        sessions.connect(*server.address) as good,
        flood(server.address, [loopback(0)] * 300),
    ):
        eventually(lambda: sum(server.limit_counters[1:5]) > 1_000, 30.0 * PATIENCE, "the flood")
        for number in range(20):
            good.send(b"%d" % number)
            assert good.recv(timeout=5.0 * PATIENCE) == b"%d" % number
        with sessions.connect(*server.address, timeout=5.0 * PATIENCE) as new:
            new.send(b"new")
            assert new.recv(timeout=5.0 * PATIENCE) == b"new"
        assert server.counters.requested < 500
