"""The relay in a game's server: who reaches whom, and clients that do what they like."""

from __future__ import annotations

import asyncio
import gc
import logging
import random
from datetime import datetime, timedelta, timezone
from types import ModuleType
from typing import Any

import pytest
from support.deadline import PATIENCE
from support.signalling import ROOM, eventually_true, logged_in, next_signal, relay_server, relayed, soon

import gns_py.asyncio
import gns_py.session.asyncio
from gns_py import Identity, InvalidStateError
from gns_py.p2p import IceServers, RelaySignalling, ServerRelay, Turn
from gns_py.p2p.relay_member import RelayMember
from gns_py.p2p.signalling import (
    Refusal,
    Signal,
    SignallingLimits,
    SignallingRefused,
    SignallingUnavailable,
    wire,
)
from gns_py.p2p.signalling import relayed as datagrams
from gns_py.sync import socket_pair

ALICE, BOB, CAROL = map(Identity.string, ("alice", "bob", "carol"))
BOTH = [gns_py.asyncio, gns_py.session.asyncio]
by_api = pytest.mark.parametrize("api", BOTH, ids=["connections", "sessions"])


def run(main: Any) -> None:
    asyncio.run(asyncio.wait_for(main(), 40.0 * PATIENCE))


async def no_signal(signalling: RelaySignalling) -> None:
    """Check that nothing arrives, by a signal to itself, which would be the second."""
    await signalling.send(signalling.identity, b"to myself")
    assert (await next_signal(signalling)).data == b"to myself"


# ---- who reaches whom ------------------------------------------------------------------------------------------------


@by_api
def test_the_application_does_not_notice(api: ModuleType) -> None:
    async def main() -> None:
        async with (
            relay_server(api) as (relay, address),
            logged_in(api, address, "alice") as connection,
            relayed(api, address, "bob") as bob,
            RelaySignalling(connection) as alice,
        ):
            assert relay.members == [ALICE, BOB]
            for number in range(20):
                connection.send(b"%d" % number)
                await alice.send(BOB, b"signal %d" % number)
                await bob.send(ALICE, b"answer %d" % number)
            for number in range(20):
                assert await soon(connection.recv()) == b"echo of %d" % number
            got = [await next_signal(bob) for _ in range(20)]
            assert {each.data for each in got} == {b"signal %d" % number for number in range(20)}
            assert {each.sender for each in got} == {ALICE}
            assert len([await next_signal(alice) for _ in range(20)]) == 20
            connection.send(b"last", reliable=False)
            assert await soon(connection.recv()) == b"echo of last"
            assert (relay.counters.signals, relay.counters.violations) == (40, 0)

    run(main)


def test_connections_and_sessions_reach_each_other() -> None:
    async def main() -> None:
        relay = ServerRelay()

        async def handler(connection: Any) -> None:
            relay.add(connection, (await connection.recv()).decode(), groups=[1])
            connection.send(b"welcome")
            async for _ in connection:
                pass

        async with (
            gns_py.asyncio.serve(handler, "127.0.0.1", 0) as one,
            gns_py.session.asyncio.serve(handler, "127.0.0.1", 0) as two,
            relayed(gns_py.asyncio, one.address, "str:alice") as alice,
            relayed(gns_py.session.asyncio, two.address, "str:bob") as bob,
        ):
            await alice.send(BOB, b"hello")
            assert await next_signal(bob) == Signal(ALICE, b"hello")
            await bob.send(ALICE, b"hello")
            assert await next_signal(alice) == Signal(BOB, b"hello")

    run(main)


def test_groups() -> None:
    ends: list[Any] = []

    async def main() -> None:
        async with (
            relay_server(gns_py.asyncio, ends=ends) as (relay, address),
            logged_in(gns_py.asyncio, address, "alice") as connection,
            RelaySignalling(connection) as alice,
            relayed(gns_py.asyncio, address, "bob") as bob,
        ):
            ours = ends[0]
            relay.set_groups(ours, ["elsewhere"])
            await alice.send(BOB, b"not passed")
            await bob.send(ALICE, b"not passed")
            await eventually_true(lambda: relay.counters.signals_not_passed == 2)
            relay.set_groups(ours, [ROOM, "elsewhere"])
            await alice.send(BOB, b"passed")
            assert await next_signal(bob) == Signal(ALICE, b"passed")
            relay.remove(ours)
            with pytest.raises(SignallingRefused) as caught:
                await soon(anext(alice))
            assert caught.value.reason is Refusal.REMOVED
            assert relay.members == [BOB]
            for forget in (relay.remove, lambda each: relay.set_groups(each, [])):
                with pytest.raises(ValueError, match="not a member"):
                    forget(ours)
            relay.add(ours, ALICE, groups=[ROOM])
            async with RelaySignalling(connection) as again:
                await bob.send(ALICE, b"again")
                assert await next_signal(again) == Signal(BOB, b"again")

    run(main)


def test_a_function_decides() -> None:
    asked: list[tuple[Identity, Identity]] = []

    def may_signal(sender: Identity, receiver: Identity) -> bool:
        asked.append((sender, receiver))
        return receiver != CAROL

    async def main() -> None:
        async with (
            relay_server(gns_py.asyncio, may_signal=may_signal) as (relay, address),
            relayed(gns_py.asyncio, address, "alice") as alice,
            relayed(gns_py.asyncio, address, "bob") as bob,
            relayed(gns_py.asyncio, address, "carol") as carol,
        ):
            await alice.send(CAROL, b"forbidden")
            await alice.send(Identity.string("nobody"), b"not there")
            await alice.send(BOB, b"allowed")
            assert await next_signal(bob) == Signal(ALICE, b"allowed")
            assert set(asked) == {(ALICE, CAROL), (ALICE, Identity.string("nobody")), (ALICE, BOB)}
            await carol.send(CAROL, b"forbidden, too")
            await eventually_true(lambda: relay.counters.signals_not_passed == 3)

    run(main)


@pytest.mark.parametrize("answer", [1, None, "yes", ZeroDivisionError()])
def test_a_function_that_fails_forbids_and_is_logged_once(answer: object, caplog: pytest.LogCaptureFixture) -> None:
    def may_signal(sender: Identity, receiver: Identity) -> Any:  # noqa: ARG001
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def main() -> None:
        async with (
            relay_server(gns_py.asyncio, may_signal=may_signal) as (relay, address),
            relayed(gns_py.asyncio, address, "alice") as alice,
        ):
            for _ in range(3):
                await alice.send(ALICE, b"x")
            await eventually_true(lambda: relay.counters.signals_not_passed == 3)

    run(main)
    assert [each.getMessage() for each in caplog.records if each.levelno >= logging.ERROR] == [
        "may_signal() has failed, and nothing is passed on; that is not logged again"
    ]
    caplog.clear()


# ---- identities ------------------------------------------------------------------------------------------------------


@by_api
def test_a_newer_connection_of_an_identity_replaces_the_older_one(api: ModuleType) -> None:
    async def main() -> None:
        async with (
            relay_server(api) as (relay, address),
            relayed(api, address, "alice") as old,
            relayed(api, address, "alice") as new,
            relayed(api, address, "bob") as bob,
        ):
            with pytest.raises(SignallingRefused) as caught:
                await soon(anext(old))
            assert caught.value.reason is Refusal.REPLACED
            await bob.send(ALICE, b"to the newer")
            assert await next_signal(new) == Signal(BOB, b"to the newer")
            assert relay.members == [ALICE, BOB]

    run(main)


def test_what_cannot_be_added() -> None:
    first, second = socket_pair()
    third, fourth = socket_pair()
    with first, second, third, fourth:
        relay, other = ServerRelay(), ServerRelay(lambda *_: True)
        with pytest.raises(TypeError, match="must be a Connection or a Session, not str"):
            relay.add("alice", ALICE)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="must be an Identity or a str, not int"):
            relay.add(first, 5)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="the invalid identity"):
            relay.add(first, "invalid")
        with pytest.raises(TypeError, match="groups must be several"):
            relay.add(first, ALICE, groups="lobby")
        with pytest.raises(ValueError, match="groups would mean nothing"):
            other.add(first, ALICE, groups=["lobby"])
        assert relay.add(first, "str:alice") == ALICE
        assert relay.add(first, ALICE, groups=["lobby"]) == ALICE  # a second time: the groups change
        with pytest.raises(InvalidStateError, match="as str:alice already"):
            relay.add(first, BOB)
        with pytest.raises(InvalidStateError, match="has the connection already"):
            other.add(first, ALICE)
        relay.remove(first)
        other.add(first, BOB)
        relay.close()
        relay.close()
        with pytest.raises(InvalidStateError, match="closed"):
            relay.add(third, ALICE)
        assert repr(relay) == "<gns_py.p2p.server_relay.ServerRelay closed>"
        assert repr(other) == "<gns_py.p2p.server_relay.ServerRelay 1 members>"


def test_an_unauthenticated_connection_needs_an_identity() -> None:
    async def main() -> None:
        async def handler(connection: Any) -> None:
            relay = ServerRelay()
            with pytest.raises(ValueError, match="not authenticated"):
                relay.add(connection)
            connection.send(b"refused")

        async with (
            gns_py.asyncio.serve(handler, "127.0.0.1", 0) as server,
            gns_py.asyncio.connect(*server.address) as client,
        ):
            assert await soon(client.recv()) == b"refused"

    run(main)


@by_api
def test_a_certificate_proves_the_identity(api: ModuleType) -> None:
    pytest.importorskip("cryptography")
    from support.certificates import TestAuthority
    from support.certified import start

    authority = TestAuthority()
    start(authority.issue("str:alice"), authority.root, require_authentication=True)

    async def main() -> None:
        relay = ServerRelay()

        async def handler(connection: Any) -> None:
            with pytest.raises(ValueError, match="has proved to be str:alice, not str:bob"):
                relay.add(connection, BOB)
            assert relay.add(connection, groups=[1]) == relay.add(connection, ALICE, groups=[1]) == ALICE
            connection.send(b"welcome")
            async for _ in connection:
                pass

        async with api.serve(handler, "127.0.0.1", 0) as server, api.connect(*server.address) as connection:
            assert await soon(connection.recv()) == b"welcome"
            async with RelaySignalling(connection) as alice:
                assert alice.identity == ALICE

    run(main)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"may_signal": 5}, TypeError),
        ({"ice_servers": 5}, TypeError),
        ({"limits": 5}, TypeError),
        ({"may_signal": asyncio.sleep}, TypeError),
        ({"ice_servers": asyncio.sleep}, TypeError),
    ],
)
def test_what_no_relay_is_made_of(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        ServerRelay(**options)


# ---- ICE servers -----------------------------------------------------------------------------------------------------


def test_ice_servers_are_handed_out_and_renewed() -> None:
    asked: list[Identity] = []

    def servers(identity: Identity) -> IceServers:
        asked.append(identity)
        end = datetime.now(timezone.utc) + timedelta(seconds=3)
        return IceServers(["stun.example.org:3478"], [Turn("192.0.2.1:3478", f"{len(asked)}:{identity}", "x", end)])

    async def main() -> None:
        async with (
            relay_server(gns_py.asyncio, ice_servers=servers) as (_, address),
            relayed(gns_py.asyncio, address, "alice") as alice,
        ):
            assert alice.ice_servers is not None
            assert alice.ice_servers.turn[0].username == "1:str:alice"
            await eventually_true(lambda: alice.ice_servers and alice.ice_servers.turn[0].username == "2:str:alice")

    run(main)
    assert set(asked) == {ALICE}


def test_ice_servers_that_fail_are_none(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with (
            relay_server(gns_py.asyncio, ice_servers=lambda _: 1 / 0) as (_, address),
            relayed(gns_py.asyncio, address, "alice") as alice,
        ):
            assert alice.ice_servers is None

    run(main)
    assert "no ICE servers are handed out" in caplog.text
    caplog.clear()


# ---- clients that do what they like ----------------------------------------------------------------------------------


@by_api
def test_garbage_with_the_prefix_reaches_no_one(api: ModuleType) -> None:
    async def main() -> None:
        limits = SignallingLimits(signals_per_second=1e6, signal_burst=1_000_000)
        async with (
            relay_server(api, limits=limits) as (relay, address),
            logged_in(api, address, "alice") as connection,
            relayed(api, address, "bob") as bob,
        ):
            chance = random.Random(7)
            garbage = [b"", b"\1", b"\1\3", b"\2\3", bytes(8), b"\1\3" + b"\xff" * 100, bytes(16_000), b"\1" * 16_300]
            garbage += [b"\1" + chance.randbytes(chance.randrange(60)) for _ in range(100)]
            garbage += [
                wire.Received(BOB, b"forged").encode(),
                wire.Welcome(BOB, 4096, None).encode(),
                wire.Error(0, 4, "").encode(),
                wire.Create(1, "room", 4).encode(),
                wire.HelloToken("str:bob").encode(),
            ]
            for each in garbage:
                connection.send(datagrams.PREFIX + each, reliable=False)
            connection.send(b"still here")
            assert await soon(connection.recv()) == b"echo of still here"
            await eventually_true(lambda: relay.counters.violations >= len(garbage) - 5)
            await no_signal(bob)

    run(main)


@by_api
def test_an_impostor_signals_as_itself(api: ModuleType) -> None:
    """No message has a field for a sender; and what the client claims to GNS counts for nothing."""

    async def main() -> None:
        gns_py.start("str:bob")
        async with (
            relay_server(api) as (relay, address),
            logged_in(api, address, "mallory") as connection,
            relayed(api, address, "bob") as bob,
        ):
            connection.send(datagrams.wrap(wire.Send(BOB, b"as whom?")), reliable=False)
            assert await next_signal(bob) == Signal(Identity.string("mallory"), b"as whom?")
            connection.send(datagrams.wrap(wire.HelloRelay()), reliable=False)
            connection.send(datagrams.wrap(wire.Received(ALICE, b"forged")), reliable=False)
            await eventually_true(lambda: relay.counters.violations == 1)
            await no_signal(bob)

    run(main)


@by_api
def test_a_flood_is_dropped_and_others_go_on(api: ModuleType) -> None:
    async def main() -> None:
        limits = SignallingLimits(signals_per_second=0.001)
        async with (
            relay_server(api, limits=limits) as (relay, address),
            logged_in(api, address, "mallory") as connection,
            relayed(api, address, "alice") as alice,
            relayed(api, address, "bob") as bob,
        ):
            flood = datagrams.wrap(wire.Send(BOB, bytes(1000)))
            hello = datagrams.wrap(wire.HelloRelay())
            for _ in range(1000):
                connection.send(flood, reliable=False)
                connection.send(hello, reliable=False)
                await connection.drain()
            connection.send(b"still here")
            while (answer := await soon(connection.recv())) != b"echo of still here":
                assert answer.startswith(datagrams.PREFIX)  # it has no RelaySignalling that would take the welcomes
            await eventually_true(lambda: relay.counters.signals_dropped > 1000)
            assert relay.counters.signals <= 40
            await alice.send(BOB, b"at last")
            got = 0
            while (await next_signal(bob)).sender != ALICE:
                got += 1
            assert got <= 40

    run(main)


@by_api
def test_signals_that_are_too_large(api: ModuleType) -> None:
    async def main() -> None:
        async with (
            relay_server(api) as (relay, address),
            logged_in(api, address, "alice") as connection,
            RelaySignalling(connection) as alice,
        ):
            await alice.send(ALICE, bytes(4096))
            assert len((await next_signal(alice)).data) == 4096
            with pytest.raises(ValueError, match="1 to 4096 bytes"):
                await alice.send(ALICE, bytes(4097))
            connection.send(datagrams.wrap(wire.Send(ALICE, bytes(4097))), reliable=False)
            await eventually_true(lambda: relay.counters.signals_not_passed == 1)
            # GNS makes this one reliable, so it is the application's: it gets what its clients send to it.
            connection.send(datagrams.PREFIX + bytes(20_000), reliable=False)
            if api is gns_py.asyncio:
                assert await soon(connection.recv()) == b"echo of " + datagrams.PREFIX + bytes(20_000)
            connection.send(b"still here")
            assert (await soon(connection.recv())).endswith(b"still here")

    run(main)


@by_api
def test_a_member_without_a_relay_signalling_is_sent_nothing(api: ModuleType) -> None:
    async def main() -> None:
        async with (
            relay_server(api) as (relay, address),
            logged_in(api, address, "alice") as connection,
            relayed(api, address, "bob") as bob,
        ):
            await bob.send(ALICE, b"to an application that would not know what this is")
            await eventually_true(lambda: relay.counters.signals_not_passed == 1)
            connection.send(b"x")
            assert await soon(connection.recv()) == b"echo of x"

    run(main)


@by_api
def test_a_player_that_leaves(api: ModuleType) -> None:
    async def main() -> None:
        async with relay_server(api) as (relay, address), relayed(api, address, "bob") as bob:
            async with relayed(api, address, "alice"):
                assert relay.members == [BOB, ALICE]
            await eventually_true(lambda: relay.members == [BOB])
            await bob.send(ALICE, b"gone")
            await eventually_true(lambda: relay.counters.signals_not_passed == 1)
            async with relayed(api, address, "alice") as again:
                await bob.send(ALICE, b"here again")
                assert await next_signal(again) == Signal(BOB, b"here again")

    run(main)


def test_members_that_have_ended_are_forgotten() -> None:
    with ServerRelay() as relay:
        for number in range(300):
            first, second = socket_pair()
            with first, second:
                relay.add(first, f"str:{number}")
        assert relay.members == []
        assert sum(type(each) is RelayMember for each in gc.get_objects()) <= 64
        first, second = socket_pair()
        with first, second:
            relay.add(first, ALICE)
            assert relay.members == [ALICE]


@by_api
def test_a_relay_that_is_closed(api: ModuleType) -> None:
    async def main() -> None:
        async with (
            relay_server(api) as (relay, address),
            logged_in(api, address, "alice") as connection,
            RelaySignalling(connection) as alice,
        ):
            relay.close()
            assert relay.members == []
            with pytest.raises(SignallingRefused) as caught:
                await soon(anext(alice))
            assert caught.value.reason is Refusal.REMOVED
            with pytest.raises(SignallingRefused):
                await RelaySignalling(connection).__aenter__()
            connection.send(b"goes on")
            assert await soon(connection.recv()) == b"echo of goes on"

    run(main)


def test_a_server_that_has_no_relay() -> None:
    async def main() -> None:
        got: list[bytes] = []

        async def handler(connection: Any) -> None:
            got.extend([data async for data in connection])

        async with (
            gns_py.asyncio.serve(handler, "127.0.0.1", 0) as server,
            gns_py.asyncio.connect(*server.address) as connection,
        ):
            with pytest.raises(SignallingUnavailable, match="no relay has answered"):
                await RelaySignalling(connection, timeout=0.6).__aenter__()
        await eventually_true(lambda: got)
        assert set(got) == {datagrams.wrap(wire.HelloRelay())}
        assert len(got) <= 2

    run(main)


@by_api
def test_a_hello_that_is_there_before_the_member_is(api: ModuleType) -> None:
    async def main() -> None:
        relay, seen = ServerRelay(), list[bytes]()
        go_on = asyncio.Event()

        async def handler(connection: Any) -> None:
            await go_on.wait()
            relay.add(connection, ALICE, groups=[1])
            seen.extend([data async for data in connection])

        async with api.serve(handler, "127.0.0.1", 0) as server, api.connect(*server.address) as connection:
            opening = asyncio.ensure_future(RelaySignalling(connection).__aenter__())
            connection.send(b"for the application")
            await asyncio.sleep(0.2)
            go_on.set()
            alice = await soon(opening)
            await alice.send(ALICE, b"x")
            assert await next_signal(alice) == Signal(ALICE, b"x")
            await alice.aclose()
        await eventually_true(lambda: seen)
        assert seen == [b"for the application"]

    run(main)
