"""The registry: each client takes a place when it is let in, and gives it back however it leaves."""

from __future__ import annotations

import pytest
from support import counts_references
from support.plain import Ends, PlainSession, begin, endpoint_of, establish

import gns_py.sync as gns
from gns_py._core.request import ConnectionRequest
from gns_py.session import CloseReason, SessionConfig
from gns_py.session._core.admission import AdmissionRules
from gns_py.session._core.registry import SessionRegistry, engine_of
from gns_py.session._core.resumable import ResumableEndpoint
from gns_py.session.protocol.server import ServerStep

Registry = SessionRegistry[PlainSession]


def let_in(registry: Registry, window: float | None = None) -> Ends:
    """Return the ends of a handshake that the registry has let in."""
    first, second = gns.socket_pair()
    assert registry.admits(ConnectionRequest(first))
    first.close()
    second.close()
    settings = SessionConfig(resume_window=window)
    ends = begin(take_place=lambda: registry.take_place(None), config=settings)
    registry.add(endpoint_of(ends.server), ends.server)
    return ends


def test_from_the_handshake_to_the_end() -> None:
    registry = Registry(AdmissionRules(max_pending=1, max_sessions=1))
    ends = let_in(registry)
    endpoint = endpoint_of(ends.server)
    assert registry.advance(endpoint) is None
    ends.request()
    assert registry.advance(endpoint) is ServerStep.DECISION
    assert registry.advance(endpoint) is None  # it is asked once
    assert (registry.handshakes, registry.sessions) == ([endpoint], [])
    establish(ends)
    assert registry.sessions == [ends.server]  # before it is noticed
    assert registry.advance(endpoint) is ServerStep.NOTHING
    assert (registry.handshakes, registry.sessions) == ([], [ends.server])
    ends.abort()
    assert registry.sessions == []
    assert registry.advance(endpoint) is None
    ends = let_in(registry)  # both places are free
    establish(ends)
    assert registry.advance(endpoint_of(ends.server)) is ServerStep.NOTHING
    assert (registry.counters.requested, registry.counters.established) == (2, 2)
    ends.abort()


def test_a_wish_to_resume_is_passed_on_once() -> None:
    registry = Registry(AdmissionRules())
    ends = let_in(registry)
    endpoint = endpoint_of(ends.server)
    engine = engine_of(endpoint)
    engine.step = ServerStep.RESUME
    assert registry.advance(endpoint) is ServerStep.RESUME
    assert registry.advance(endpoint) is None  # a timer, perhaps, while a store is asked
    endpoint.act(engine.refuse_resume, CloseReason.SESSION_EXPIRED, "")
    assert registry.advance(endpoint) is None
    assert not engine.is_asked  # the client may say HELLO instead
    ends.abort()


def test_a_full_server_lets_in_those_that_may_return() -> None:
    registry = Registry(AdmissionRules(max_sessions=1))
    ends = establish(let_in(registry, window=30.0))
    endpoint = endpoint_of(ends.server)
    assert registry.advance(endpoint) is ServerStep.NOTHING
    assert registry.find(endpoint.engine.session_id) is endpoint
    other = let_in(registry, window=30.0)
    refusal = registry.refuse_new(endpoint_of(other.server))
    assert refusal is not None
    assert refusal.reason is CloseReason.RATE_LIMITED
    other.abort()
    assert registry.advance(endpoint_of(other.server)) is None
    registry.drain()
    returning = let_in(registry, window=30.0)
    ends.abort()
    assert registry.advance(endpoint) is None
    assert registry.find(endpoint.engine.session_id) is None
    assert registry.reason_of(endpoint.engine.session_id) is CloseReason.ABORTED
    refusal = registry.refuse_new(endpoint_of(returning.server))
    assert refusal is not None
    assert refusal.reason is CloseReason.SERVER_SHUTTING_DOWN
    returning.abort()


def test_a_session_that_has_ended_is_not_found_before_that_was_reported() -> None:
    registry = Registry(AdmissionRules())
    ends = establish(let_in(registry, window=30.0))
    endpoint = endpoint_of(ends.server)
    assert registry.advance(endpoint) is ServerStep.NOTHING
    ends.abort()
    assert registry.find(endpoint.engine.session_id) is None
    assert registry.reason_of(endpoint.engine.session_id) is CloseReason.ABORTED
    assert registry.advance(endpoint) is None


@counts_references
def test_a_dropped_session_gives_its_place_back() -> None:
    registry = Registry(AdmissionRules(max_sessions=1))
    ends = establish(let_in(registry))
    assert registry.advance(endpoint_of(ends.server)) is ServerStep.NOTHING
    first, second = gns.socket_pair()
    assert not registry.admits(ConnectionRequest(first))
    client = ends.client
    with pytest.warns(ResourceWarning, match="unclosed session"):
        del ends
    assert registry.sessions == []
    assert registry.admits(ConnectionRequest(second))
    client.abort()
    first.close()
    second.close()


def test_all_handshakes_are_aborted_and_sessions_stay() -> None:
    registry = Registry(AdmissionRules())
    session, just_established, idle, asked = crowd = [let_in(registry) for _ in range(4)]
    establish(session)
    asked.request()
    for ends in crowd:
        registry.advance(endpoint_of(ends.server))
    establish(just_established)  # which has not been noticed yet
    registry.abort_handshakes()
    for ends in crowd:
        registry.advance(endpoint_of(ends.server))
    assert registry.handshakes == []
    assert registry.sessions == [session.server, just_established.server]
    assert registry.counters.failed == 2
    for ends in (idle, asked):
        ends.until(lambda ends=ends: ends.client.end)  # type: ignore[misc]
        assert "the server is closing" in str(ends.client.end)
    for ends in crowd:
        ends.abort()


def test_no_one_is_let_in_while_draining() -> None:
    registry = Registry(AdmissionRules())
    ends = let_in(registry)
    registry.drain()
    first, second = gns.socket_pair()
    assert not registry.admits(ConnectionRequest(first))
    assert second.wait_closed(timeout=5.0).code == CloseReason.SERVER_SHUTTING_DOWN.native_code
    assert registry.counters.draining == 1
    establish(ends)  # a handshake that has begun goes on
    assert registry.advance(endpoint_of(ends.server)) is ServerStep.NOTHING
    ends.abort()


def test_the_oldest_handshake_that_waits_for_its_client_gives_way() -> None:
    def watch(endpoint: ResumableEndpoint) -> None:
        registry.advance(endpoint)

    registry = Registry(AdmissionRules(max_pending=2))
    asked, idle = let_in(registry), let_in(registry)
    asked.request()
    for ends in (asked, idle):
        endpoint_of(ends.server).watcher = watch
    endpoint_of(asked.server).on_change()
    newest = let_in(registry)
    assert registry.handshakes == [endpoint_of(asked.server), endpoint_of(newest.server)]
    assert registry.counters.gave_way == 1
    for ends in (asked, idle, newest):
        ends.abort()


def test_counters_of_what_becomes_of_handshakes() -> None:
    registry = Registry(AdmissionRules(max_sessions=1))
    crowd = [let_in(registry) for _ in range(4)]
    crowd[0].request().reject()
    crowd[1].client.abort()
    crowd[1].until(lambda: crowd[1].engine.end)
    establish(crowd[2])
    crowd[3].request().accept()
    crowd[3].until(lambda: crowd[3].engine.end)  # there is no place for it
    for ends in crowd:
        registry.advance(endpoint_of(ends.server))
    counters = registry.counters
    assert (counters.rejected, counters.failed, counters.established, counters.too_many_sessions) == (1, 1, 1, 1)
    assert registry.sessions == [crowd[2].server]
    for ends in crowd:
        ends.abort()
