"""limits= of listen() and serve(): what strangers can take, and what they cannot take from others."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
from support import PATIENCE, Api, echo, eventually, next_request, once
from support.strangers import ANY_LOOPBACK, Strangers, flood, loopback

from gns_py import ClosedBy, ConnectFailed, EndReason
from gns_py.limits import ConnectionLimits, LimitCounters
from gns_py.sync import Connection, ListenSocket, Server

NO_LIMITS = {
    "max_half_open": None,
    "max_half_open_per_address": None,
    "max_connections_per_address": None,
    "rate_per_address": None,
}
Opened = Callable[..., ListenSocket | Server]
elsewhere = pytest.mark.skipif(not ANY_LOOPBACK, reason="this machine has one address on loopback")


def only(**limits: Any) -> ConnectionLimits:
    """Return limits with these values and no others."""
    return ConnectionLimits(**(NO_LIMITS | limits))


def total(counters: LimitCounters) -> int:
    """Return how many were refused."""
    return sum(counters[1:5])


def check_served(server: tuple[str, int], api: Api) -> None:
    """Check that a new client gets in and that its messages are echoed."""
    with api.connect(*server, timeout=5.0 * PATIENCE) as client:
        client.send(b"hello")
        assert client.recv(timeout=5.0 * PATIENCE) == b"hello"


# ---- each limit -----------------------------------------------------------------------------------------------------


def test_beyond_the_rate_connect_fails_at_once_and_trying_again_can_help(api: Api) -> None:
    with api.serve(echo, "127.0.0.1", 0, limits=only(rate_per_address=2.0, burst_per_address=2)) as server:
        for _ in range(2):
            check_served(server.address, api)
        begin = time.monotonic()
        with pytest.raises(ConnectFailed) as refused:
            api.connect(*server.address, timeout=60.0)
        assert time.monotonic() - begin < 10.0 * PATIENCE  # generous: not by the timeout
        end = refused.value.end
        assert (end.closed_by, end.code, end.text) == (ClosedBy.PEER, 2004, "this address connects too often")
        assert end.reason is EndReason.RATE_LIMITED
        assert end.can_retry
        assert server.limit_counters == LimitCounters(2, 1, 0, 0, 0, 0)
        eventually(lambda: _is_let_in(api, server.address), 10.0 * PATIENCE, "the next one of that address")


def _is_let_in(api: Api, address: tuple[str, int]) -> bool:
    try:
        api.connect(*address, timeout=5.0 * PATIENCE).close()
    except ConnectFailed:
        return False
    return True


@elsewhere
def test_half_open_ones_of_an_address(api: Api, listening: Opened) -> None:
    server = listening(limits=only(max_half_open_per_address=2))
    with Strangers(server.address, [loopback(1)] * 7) as strangers:
        strangers.ask().look(0.3)
        assert strangers.requested == 7
        assert server.limit_counters == LimitCounters(2, 0, 0, 5, 0, 0)
        assert len(strangers.refusals) == 5
        assert all("too many of this address are just connecting" in each for each in strangers.refusals)
        check_admitted(server, api)


@elsewhere
def test_half_open_ones_of_all_addresses_and_an_old_one_gives_way(api: Api, listening: Opened) -> None:
    server = listening(limits=only(max_half_open=3))
    with Strangers(server.address, [loopback(number) for number in range(8)]) as strangers:
        strangers.ask().look(0.3)
        assert server.limit_counters == LimitCounters(3, 0, 5, 0, 0, 0)
        assert all("too many are just connecting" in each for each in strangers.refusals)
        with pytest.raises(ConnectFailed) as refused:
            api.connect(*server.address, timeout=60.0)
        assert refused.value.code == EndReason.RATE_LIMITED
        time.sleep(3.2)  # the time that the core gives an honest peer
        check_admitted(server, api)
        assert server.limit_counters.gave_way == 1
        eventually(lambda: len(server.connections) <= 3, 5.0 * PATIENCE, "the end of the one that gave way")


def test_connections_of_an_address(api: Api) -> None:
    with api.serve(echo, "127.0.0.1", 0, limits=only(max_connections_per_address=2)) as server:
        clients = [api.connect(*server.address) for _ in range(2)]
        with pytest.raises(ConnectFailed, match="2004 RATE_LIMITED: too many of this address are connected"):
            api.connect(*server.address)
        assert server.limit_counters == LimitCounters(2, 0, 0, 0, 1, 0)
        clients.pop().close()
        eventually(lambda: _is_let_in(api, server.address), 10.0 * PATIENCE, "a place of the one that has left")
        for each in clients:
            each.close()


def test_one_that_is_connected_is_not_half_open(api: Api) -> None:
    # This holds even if the peer's program sends nothing: GNS itself does.
    with api.serve(echo, "127.0.0.1", 0, limits=only(max_half_open=1, max_half_open_per_address=1)) as server:
        clients: list[Connection] = []
        for _ in range(5):
            eventually(lambda: _begins(api, server.address, clients), 5.0 * PATIENCE, "that the one before is heard of")
        for each in clients:
            each.close()


def _begins(api: Api, address: tuple[str, int], clients: list[Connection]) -> bool:
    try:
        clients.append(api.connect(*address))
    except ConnectFailed:
        return False
    return True


# ---- floods ---------------------------------------------------------------------------------------------------------


@elsewhere
@pytest.mark.parametrize("addresses", [1, 200])
def test_a_flood_hurts_no_client_at_another_address(api: Api, addresses: int) -> None:
    hosts = [loopback(number % addresses) for number in range(400)]
    limits = ConnectionLimits(
        max_half_open=64, max_half_open_per_address=8, burst_per_address=20, rate_per_address=10.0
    )
    with api.serve(echo, "127.0.0.1", 0, limits=limits) as server, api.connect(*server.address) as good:
        with flood(server.address, hosts) as strangers:
            eventually(lambda: total(server.limit_counters) > 1_000, 30.0 * PATIENCE, "the flood")
            for number in range(20):
                good.send(b"%d" % number)
                assert good.recv(timeout=5.0 * PATIENCE) == b"%d" % number
            if addresses == 1:
                check_served(server.address, api)
        assert len(server.connections) <= 64 + 2
        assert strangers.requested > 1_000
        counters = server.limit_counters
        assert counters.admitted < 300
    assert total(server.limit_counters) >= total(counters)  # also once it is closed


@elsewhere
def test_of_those_that_the_application_refuses_only_so_many_keep_a_place(api: Api) -> None:
    # GNS keeps it for 5 seconds, in which it accepts no other request from there.
    with api.listen("127.0.0.1", 0, limits=only(max_half_open=20)) as listener, ExitStack() as stack:
        all_of_them = [stack.enter_context(Strangers(listener.address, [loopback(number)])) for number in range(40)]

        def ask(stranger: Strangers) -> None:
            asked = stranger.requested
            eventually(lambda: stranger.ask().look(0.05).requested > asked, 5.0 * PATIENCE, "the challenge")

        for one in all_of_them:
            ask(one)
            next_request(listener).reject(1234, "no")
        assert all_of_them[-1].ask().look(0.3).requested == 1  # keeps its place: not even challenged
        ask(all_of_them[0])
        next_request(listener).reject(1234, "no")
        assert listener.limit_counters == LimitCounters(41, 0, 0, 0, 0, 0)


@once("the core's doing")
def test_without_limits_all_are_let_in(api: Api) -> None:
    for limits, admitted in ((only(burst_per_address=5, rate_per_address=1e-3), 5), (None, 40)):
        with (
            api.listen("127.0.0.1", 0, limits=limits) as listener,
            Strangers(listener.address, ["127.0.0.1"] * 40) as strangers,
        ):
            strangers.ask().look(0.3)
            assert len(listener.connections) == 0  # no event was read
            requests = [next_request(listener) for _ in range(admitted)]
            assert listener.poll(0.0) == []
            assert len({request.connection.remote_address for request in requests}) == admitted
            assert len(strangers.refusals) == (32 if limits else 0)  # only this many are told at once
            assert listener.limit_counters.admitted == (admitted if limits else 0)


# ---- arguments ------------------------------------------------------------------------------------------------------


def test_by_default_there_are_limits(api: Api) -> None:
    with api.listen("127.0.0.1", 0) as listener:
        check_admitted(listener, api)


@pytest.mark.parametrize("which", ["listen", "serve"])
def test_limits_of_another_type(api: Api, which: str) -> None:
    arguments = (echo,) if which == "serve" else ()
    with pytest.raises(TypeError, match="limits must be ConnectionLimits or None, not int"):
        getattr(api, which)(*arguments, "127.0.0.1", 0, limits=5)


def check_admitted(server: ListenSocket | Server, api: Api) -> None:
    """Check that a new client reaches the application."""
    before = server.limit_counters.admitted
    client = api.connect(*server.address, wait=False)
    eventually(lambda: server.limit_counters.admitted > before or client.end, 10.0 * PATIENCE, "the new one")
    assert server.limit_counters.admitted == before + 1, (server.limit_counters, client.end)
    client.close()


@pytest.fixture(params=["listen", "serve"])
def listening(api: Api, request: pytest.FixtureRequest) -> Any:
    """Open a port whose requests serve() accepts, or wait with listen()."""
    opened: list[Any] = []

    def begin(**named: Any) -> Any:
        arguments = (echo,) if request.param == "serve" else ()
        opened.append(getattr(api, request.param)(*arguments, "127.0.0.1", 0, **named))
        return opened[-1]

    yield begin
    for each in opened:
        each.__exit__(None, None, None)
