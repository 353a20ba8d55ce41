"""The WebSocket server: logins, who hears what, faults of the application, limits, and its end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from support.loops import Runner
from support.signalling import (
    eventually_true,
    login,
    next_signal,
    raw_client,
    soon,
    websocket_server,
)

from gns_py import Identity
from gns_py.certs import Authority
from gns_py.p2p import IceServers, Turn
from gns_py.p2p.signalling import (
    Refusal,
    RoomError,
    SignallingLimits,
    SignallingRefused,
    SignallingServer,
    SignallingUnavailable,
    WebSocketSignalling,
    turn_credentials,
)
from gns_py.p2p.signalling.wire import Error, HelloToken, Ping, Pong, Send, Welcome

pytest.importorskip("websockets.asyncio")

ALICE, BOB, CAROL = (Identity.string(name) for name in ("alice", "bob", "carol"))


def client(url: str, name: str, **options: Any) -> WebSocketSignalling:
    return WebSocketSignalling(url, token=name, **options)


# ---- logins ----------------------------------------------------------------------------------------------------------


def test_an_identity_is_what_the_application_says(run: Runner) -> None:
    async def authenticate(token: str) -> Identity | None:
        await asyncio.sleep(0)
        return {"1": Identity.steam_id(76561197960287930), "2": Identity.bytes(b"ab")}.get(token)

    async def main() -> None:
        async with websocket_server(authenticate=authenticate) as (_, url):
            async with client(url, "1") as one, client(url, "2") as two:
                assert (one.identity, two.identity) == (Identity.steam_id(76561197960287930), Identity.bytes(b"ab"))
            with pytest.raises(SignallingRefused) as raised:
                await client(url, "3").__aenter__()
            assert raised.value.reason is Refusal.NOT_AUTHENTICATED

    run(main)


@pytest.mark.parametrize("answer", [RuntimeError("a bug"), 5, "not an identity", "ip:1.2.3.4", "invalid"])
def test_a_login_that_fails_concerns_one_client(answer: object, caplog: pytest.LogCaptureFixture) -> None:
    def authenticate(token: str) -> Any:
        if token == "alice":
            return "str:alice"
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def main() -> None:
        async with websocket_server(authenticate=authenticate) as (server, url), client(url, "alice") as alice:
            with pytest.raises(SignallingUnavailable):
                await client(url, "bob").__aenter__()
            await alice.join("lobby", create=True)
            await alice.send(ALICE, b"goes on")
            assert (await next_signal(alice)).data == b"goes on"
            assert server.counters.refused_logins == 1

    asyncio.run(main())
    lines = [each.message for each in caplog.records if each.name == "gns_py.p2p.signalling"]
    assert lines == ["authenticate() has failed: the client is refused"]


def test_certificates(run: Runner) -> None:
    pytest.importorskip("cryptography")
    authority, other = Authority.create(), Authority.create()
    alice = authority.issue("str:alice")

    async def main() -> None:
        async with websocket_server(authenticate=None, trust=[authority.root], name="sig.example.org") as (server, url):
            options: dict[str, Any] = {"server_name": "SIG.example.org"}
            async with WebSocketSignalling(url, credentials=lambda: alice, **options) as signalling:
                assert signalling.identity == ALICE
            for credentials, text in (
                (other.issue("str:alice"), "certificate"),
                (authority.issue("str:alice", lifetime=timedelta(seconds=1)), ""),
            ):
                if text:
                    with pytest.raises(SignallingRefused, match=text) as raised:
                        await WebSocketSignalling(url, credentials=credentials, **options).__aenter__()
                    assert raised.value.reason is Refusal.NOT_AUTHENTICATED
            with pytest.raises(SignallingRefused, match=r"the server's name is 'sig.example.org', and not '127.0.0.1'"):
                await WebSocketSignalling(url, credentials=alice).__aenter__()
            with pytest.raises(SignallingRefused, match="takes no tokens"):
                await client(url, "alice").__aenter__()
            server.set_trust([authority.root], revoked=[alice.certificate.key_id])
            with pytest.raises(SignallingRefused, match="revoked"):
                await WebSocketSignalling(url, credentials=alice, **options).__aenter__()
            assert server.counters.refused_logins == 2

    run(main)


def test_a_stolen_certificate_is_of_no_use() -> None:
    """A certificate is public; without its key, or with a signature for another server, no one logs in with it."""
    pytest.importorskip("cryptography")
    from gns_py.certs import keys
    from gns_py.p2p.signalling.wire import Challenge, HelloCertificate, proof

    authority = Authority.create()
    alice, mallory = authority.issue("str:alice"), authority.issue("str:mallory")
    certificate = bytes(alice.certificate)

    async def main() -> None:
        options: dict[str, Any] = {"authenticate": None, "trust": [authority.root], "name": "sig.example.org"}
        async with websocket_server(**options) as (server, url):
            signers: list[Callable[[bytes], bytes]] = [
                lambda _: bytes(64),
                lambda nonce: keys.sign(mallory.private_key, proof("sig.example.org", nonce)),
                lambda nonce: keys.sign(alice.private_key, proof("evil.example.org", nonce)),
                lambda _: keys.sign(alice.private_key, proof("sig.example.org", bytes(32))),
                lambda nonce: keys.sign(alice.private_key, nonce),
            ]
            for sign in signers:
                async with raw_client(url) as raw:
                    challenge = await raw.receive()
                    assert isinstance(challenge, Challenge)
                    await raw.send(HelloCertificate(certificate, sign(challenge.nonce)))
                    error = await raw.receive()
                    assert isinstance(error, Error)
                    assert (error.request, error.reason) == (0, Refusal.NOT_AUTHENTICATED.value)
                    await raw.until_closed()
            assert server.client_count == 0

    asyncio.run(main())


def test_the_newer_login_counts(run: Runner) -> None:
    async def main() -> None:
        async with websocket_server() as (server, url), client(url, "bob") as bob:
            room = await bob.create_room()
            async with client(url, "alice") as old:
                await old.join(room.name)
                async with client(url, "alice") as new:
                    with pytest.raises(SignallingRefused) as raised:
                        await soon(anext(aiter(old)))
                    assert raised.value.reason is Refusal.REPLACED
                    assert not old.is_connected
                    await eventually_true(lambda: room.members == (BOB,))
                    await new.join(room.name)
                    await bob.send(ALICE, b"to the new one")
                    assert (await next_signal(new)).data == b"to the new one"
                    assert server.client_count == 2

    run(main)


def test_what_a_server_needs() -> None:
    with pytest.raises(ValueError, match="a way to log in"):
        SignallingServer()
    with pytest.raises(TypeError, match="authenticate must be callable"):
        SignallingServer("token")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="ice_servers must be"):
        SignallingServer(login, ice_servers=["stun"])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="unprintable"):
        SignallingServer(login, name="a\n")
    with pytest.raises(ValueError, match="without trust"):
        SignallingServer(login).set_trust([])
    pytest.importorskip("cryptography")
    with pytest.raises(ValueError, match="needs the server's name"):
        SignallingServer(trust=[])
    with pytest.raises(TypeError, match="trust must be certificates"):
        SignallingServer(trust=["root"], name="a")  # type: ignore[list-item]


# ---- who hears what --------------------------------------------------------------------------------------------------


def test_only_members_of_a_common_room_are_reached(run: Runner) -> None:
    async def main() -> None:
        async with (
            websocket_server() as (server, url),
            client(url, "alice") as alice,
            client(url, "bob") as bob,
            client(url, "carol") as carol,
        ):
            room = await alice.create_room()
            await bob.join(room.name)
            await carol.create_room()
            await carol.send(BOB, b"from elsewhere")
            await carol.send(Identity.string("dave"), b"to no one")
            await carol.send(CAROL, b"to myself")
            assert (await next_signal(carol)).data == b"to myself"
            await alice.send(BOB, b"from the room")
            assert (await next_signal(bob)).sender == ALICE
            assert (server.counters.signals, server.counters.signals_not_passed) == (2, 2)

    run(main)


def test_all_may_be_reached_if_the_server_says_so(run: Runner) -> None:
    async def main() -> None:
        async with (
            websocket_server(rooms_only=False) as (_, url),
            client(url, "alice") as alice,
            client(url, "bob") as bob,
        ):
            await alice.send(Identity.string("dave"), b"to no one")
            await alice.send(BOB, b"hello")
            assert (await next_signal(bob)).data == b"hello"

    run(main)


def test_the_answers_do_not_show_who_is_online() -> None:
    async def main() -> None:
        async with websocket_server() as (_, url), client(url, "bob"), raw_client(url) as raw:
            await raw.log_in("mallory")
            await raw.send(Send(BOB, b"x"))
            await raw.send(Send(CAROL, b"x"))
            await raw.send(Ping(7))
            assert await raw.receive() == Pong(7)

    asyncio.run(main())


def test_guessing_rooms_comes_to_nothing() -> None:
    async def main() -> None:
        limits = SignallingLimits(failed_join_burst=3, failed_joins_per_second=0.001)
        async with (
            websocket_server(limits=limits) as (_, url),
            client(url, "alice") as alice,
            client(url, "mallory") as mallory,
        ):
            room = await alice.create_room()
            for guess in ("222222", "333333", "444444"):
                with pytest.raises(RoomError):
                    await mallory.join(guess)
            await mallory.aclose()
            async with client(url, "mallory") as again:  # another connection does not help
                for create in (False, True):
                    for name in (room.name, "666666"):
                        with pytest.raises(RoomError) as raised:
                            await again.join(name, create=create)
                        assert raised.value.reason is Refusal.NO_ROOM
            assert room.members == (ALICE,)
            assert await alice.join(room.name) is room

    asyncio.run(main())


def test_creating_rooms_with_guessed_codes_comes_to_nothing() -> None:
    async def main() -> None:
        limits = SignallingLimits(failed_join_burst=3, failed_joins_per_second=0.001)
        async with (
            websocket_server(limits=limits) as (server, url),
            client(url, "alice") as alice,
            client(url, "mallory") as mallory,
        ):
            room = await alice.create_room()
            for guess in ("222222", "333333", "444444"):
                await (await mallory.create_room(guess)).leave()
            for guess in (room.name.lower(), "777777", "66-66-66"):  # there is one of the first only
                with pytest.raises(RoomError) as raised:
                    await mallory.create_room(guess)
                assert raised.value.reason is Refusal.ROOM_EXISTS
            with pytest.raises(RoomError):
                await mallory.join(room.name)
            assert await mallory.create_room("lobby")  # which is not a code's spelling
            assert await mallory.create_room()
            assert server.room_count == 3

    asyncio.run(main())


# ---- ICE servers -----------------------------------------------------------------------------------------------------


def test_ice_servers_for_each_client(run: Runner) -> None:
    async def ice_servers(identity: Identity) -> IceServers | None:
        if identity == BOB:
            return None
        return IceServers(["s:3478"], [turn_credentials("t:3478", "secret", identity)], "relay")

    async def main() -> None:
        async with (
            websocket_server(ice_servers=ice_servers) as (_, url),
            client(url, "alice") as alice,
            client(url, "bob") as bob,
        ):
            servers = alice.ice_servers
            assert servers is not None
            assert (servers.stun, servers.policy) == (("s:3478",), "relay")
            assert servers.turn[0].username.endswith(":str:alice")
            assert servers.expires is not None
            left = servers.expires - datetime.now(timezone.utc)
            assert timedelta(minutes=59) < left <= timedelta(hours=1)
            assert bob.ice_servers is None

    run(main)


def test_credentials_are_renewed_before_they_end() -> None:
    made = []

    def ice_servers(identity: Identity) -> IceServers:
        made.append(identity)
        return IceServers([], [turn_credentials("t:3478", "secret", f"{len(made)}", lifetime=3.0)])

    async def main() -> None:
        async with websocket_server(ice_servers=ice_servers) as (_, url), client(url, "alice") as alice:
            first = alice.ice_servers
            await eventually_true(lambda: alice.ice_servers != first)
            assert alice.ice_servers is not None
            assert not alice.ice_servers.turn[0].is_expired()
            assert made[:2] == [ALICE, ALICE]

    asyncio.run(main())


@pytest.mark.parametrize("answer", [RuntimeError("a bug"), ["stun"], "expired"])
def test_ice_servers_that_fail_concern_one_client(answer: object, caplog: pytest.LogCaptureFixture) -> None:
    def ice_servers(identity: Identity) -> Any:
        if identity == ALICE:
            return IceServers()
        if answer == "expired":
            return IceServers([], [Turn("t:1", "u", "p", datetime(2020, 1, 1, tzinfo=timezone.utc))], "relay")
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def main() -> None:
        async with websocket_server(ice_servers=ice_servers) as (_, url), client(url, "alice") as alice:
            with pytest.raises(SignallingUnavailable, match="1011"):
                await client(url, "bob").__aenter__()
            assert alice.is_connected

    asyncio.run(main())
    assert len([each for each in caplog.records if each.levelno >= logging.ERROR]) == 1


# ---- limits ----------------------------------------------------------------------------------------------------------


def test_signals_that_are_too_large_are_refused() -> None:
    async def main() -> None:
        limits = SignallingLimits(max_signal=100)
        serving = websocket_server(limits=limits, rooms_only=False)
        async with serving as (server, url), client(url, "alice") as alice, raw_client(url) as raw:
            with pytest.raises(ValueError, match="1 to 100 bytes, not 101"):
                await alice.send(ALICE, bytes(101))
            await raw.log_in("mallory")
            await raw.send(Send(ALICE, bytes(101)))
            await raw.send(Send(ALICE, bytes(100)))
            assert (await next_signal(alice)).data == bytes(100)
            assert server.counters.signals_not_passed == 1

    asyncio.run(main())


def test_a_client_that_sends_too_fast_is_held_back_alone() -> None:
    async def main() -> None:
        limits = SignallingLimits(signals_per_second=50.0, signal_burst=5)
        async with (
            websocket_server(limits=limits) as (server, url),
            client(url, "alice") as alice,
            raw_client(url) as raw,
        ):
            await alice.join("lobby", create=True)
            await raw.log_in("mallory")
            for _ in range(25):
                await raw.send(Send(ALICE, b"flood"))
            loop = asyncio.get_running_loop()
            began = loop.time()
            await alice.send(ALICE, b"mine")
            assert (await next_signal(alice)).data == b"mine"
            await eventually_true(lambda: server.counters.signals_not_passed == 25)
            assert loop.time() - began > 0.2
            assert server.counters.pauses >= 10

    asyncio.run(main())


def test_rooms_are_limited_for_each_client() -> None:
    async def main() -> None:
        limits = SignallingLimits(rooms_per_client=2)
        async with websocket_server(limits=limits) as (server, url), client(url, "alice") as alice:
            rooms = [await alice.create_room() for _ in range(2)]
            with pytest.raises(RoomError) as raised:
                await alice.create_room()
            assert raised.value.reason is Refusal.TOO_MANY_ROOMS
            await rooms[0].leave()
            await alice.create_room()
            assert server.room_count == 2

    asyncio.run(main())


def test_connections_are_limited() -> None:
    async def main() -> None:
        limits = SignallingLimits(max_clients=2)
        async with websocket_server(limits=limits) as (server, url), client(url, "alice"), client(url, "bob") as bob:
            with pytest.raises(SignallingUnavailable):
                await client(url, "carol").__aenter__()
            assert server.counters.refused_connections == 1
            await bob.aclose()
            await eventually_true(lambda: server.client_count == 1)
            async with client(url, "carol") as carol:
                assert carol.is_connected

    asyncio.run(main())


def test_connections_from_one_address_are_limited() -> None:
    async def main() -> None:
        limits = SignallingLimits(connect_burst=3, connects_per_second=0.001)
        async with websocket_server(limits=limits) as (server, url), AsyncExitStack() as stack:
            for name in ("alice", "bob", "carol"):
                await stack.enter_async_context(client(url, name))
            with pytest.raises(SignallingUnavailable):
                await client(url, "dave").__aenter__()
            assert server.counters.refused_connections == 1
        addresses = iter(["1.2.3.4", "1.2.3.5", "1.2.3.6", "1.2.3.7"])
        options: dict[str, Any] = {"limits": SignallingLimits(connect_burst=1, connects_per_second=0.001)}
        async with websocket_server(**options, address_of=lambda _: next(addresses)) as (_, url):
            for name in ("alice", "bob", "carol", "dave"):
                async with client(url, name):
                    pass
        async with websocket_server(**options, address_of=lambda _: "1.2.3.4") as (_, url):
            async with client(url, "alice"):
                pass
            with pytest.raises(SignallingUnavailable, match="1013"):
                await client(url, "alice").__aenter__()

    asyncio.run(main())


def test_a_login_must_be_made_in_time() -> None:
    async def main() -> None:
        async with (
            websocket_server(limits=SignallingLimits(hello_timeout=0.1)) as (server, url),
            raw_client(url) as raw,
        ):
            await raw.receive()
            assert await raw.until_closed() == 1013
            assert server.counters.refused_logins == 1

        async def never(_: str) -> None:
            await asyncio.sleep(3600)

        options: dict[str, Any] = {"authenticate": never, "limits": SignallingLimits(hello_timeout=0.1)}
        async with websocket_server(**options) as (_, url):
            with pytest.raises(SignallingUnavailable):
                await client(url, "alice").__aenter__()

    asyncio.run(main())


# ---- what is not allowed ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [b"", b"\x01", b"\x02\x03", "text", bytes(20_000), Welcome(ALICE, 1, None).encode(), HelloToken("alice").encode()],
    ids=["empty", "short", "version", "text", "huge", "of a server", "a second login"],
)
@pytest.mark.parametrize("logged_in", [False, True])
def test_what_is_not_allowed_ends_that_connection_alone(data: Any, logged_in: bool) -> None:
    if data == HelloToken("alice").encode() and not logged_in:
        return

    async def main() -> None:
        async with websocket_server() as (server, url), client(url, "alice") as alice, raw_client(url) as raw:
            if logged_in:
                await raw.log_in("mallory")
            else:
                await raw.receive()
            await raw.websocket.send(data)
            assert await raw.until_closed() in (1008, 1009)
            await eventually_true(lambda: server.client_count == 1)
            assert alice.is_connected

    asyncio.run(main())


# ---- the end ---------------------------------------------------------------------------------------------------------


def test_clients_are_told_to_come_back(run: Runner) -> None:
    async def main() -> None:
        async with websocket_server() as (server, url), raw_client(url) as raw, raw_client(url) as silent:
            await raw.log_in("alice")
            closing = asyncio.ensure_future(server.aclose())
            assert await raw.until_closed() == 1001
            await silent.until_closed()
            await soon(closing)
            await soon(server.serve_forever())
            with pytest.raises(RuntimeError, match="was closed"):
                await server.listen("127.0.0.1", 0)
            await server.aclose()
            with pytest.raises(SignallingUnavailable):
                await client(url, "alice").__aenter__()

    run(main)


def test_a_client_that_does_not_answer_does_not_delay_the_end() -> None:
    async def main() -> None:
        async with websocket_server() as (server, url), raw_client(url) as raw:
            await raw.log_in("alice")
            raw.websocket.transport.pause_reading()
            await soon(server.aclose())

    asyncio.run(main())


def test_in_a_server_of_ones_own(run: Runner) -> None:
    from websockets.asyncio.server import ServerConnection, serve

    async def main() -> None:
        async with SignallingServer(login, limits=SignallingLimits(max_clients=2)) as signalling:

            async def route(websocket: ServerConnection) -> None:
                assert websocket.request is not None
                if websocket.request.path == "/signalling":
                    await signalling.handle(websocket)
                else:
                    await websocket.send("another service")

            async with serve(route, "127.0.0.1", 0, compression=None) as server:
                url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
                async with client(f"{url}/signalling", "alice") as alice, client(f"{url}/signalling", "bob") as bob:
                    room = await alice.create_room()
                    await bob.join(room.name)
                    await alice.send(BOB, b"hello")
                    assert (await next_signal(bob)).data == b"hello"
                    with pytest.raises(SignallingUnavailable, match="1013"):
                        await client(f"{url}/signalling", "carol").__aenter__()
                    async with raw_client(f"{url}/elsewhere") as raw:
                        assert await soon(raw.websocket.recv()) == "another service"
                    await signalling.aclose()
                    with pytest.raises(SignallingUnavailable, match="1013"):
                        await client(f"{url}/signalling", "carol").__aenter__()

    run(main)


def test_tls() -> None:
    trustme = pytest.importorskip("trustme")
    import ssl

    authority = trustme.CA()
    server_context, client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(server_context)
    authority.configure_trust(client_context)

    async def main() -> None:
        async with SignallingServer(login) as server:
            _, port = (await server.listen("127.0.0.1", 0, ssl=server_context))[0]
            async with client(f"wss://localhost:{port}", "alice", ssl=client_context) as alice:
                await alice.create_room()
            with pytest.raises(SignallingUnavailable):
                await client(f"wss://localhost:{port}", "alice").__aenter__()
            with pytest.raises(SignallingUnavailable):
                await client(f"ws://localhost:{port}", "alice").__aenter__()

    asyncio.run(main())
