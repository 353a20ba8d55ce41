"""The WebSocket client: rooms, lost connections, logins that fail, servers that are hostile, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import pytest
from support.loops import Runner
from support.signalling import TIMEOUT, eventually_true, login, next_signal, soon, websocket_server

from gns_py import Identity
from gns_py.p2p.signalling import (
    HostChanged,
    MemberJoined,
    MemberLeft,
    Refusal,
    Room,
    RoomError,
    SignallingClosed,
    SignallingLimits,
    SignallingRefused,
    SignallingServer,
    SignallingUnavailable,
    WebSocketSignalling,
)
from gns_py.p2p.signalling import websocket as websocket_module
from gns_py.p2p.signalling.wire import (
    Challenge,
    Error,
    HelloToken,
    Host,
    Joined,
    Left,
    Members,
    Message,
    Methods,
    Ping,
    Received,
    Welcome,
    decode,
)

pytest.importorskip("websockets.asyncio")

FAST = SignallingLimits(room_requests_per_second=1000.0, signals_per_second=1000.0)
ALICE, BOB, CAROL = (Identity.string(name) for name in ("alice", "bob", "carol"))


def client(url: str, name: str, **options: Any) -> WebSocketSignalling:
    return WebSocketSignalling(url, token=name, **options)


async def next_event(room: Room) -> object:
    return await soon(anext(room))


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_module, "_FIRST_PAUSE", 0.02)
    monkeypatch.setattr(websocket_module, "_LONGEST_PAUSE", 0.1)


# ---- rooms -----------------------------------------------------------------------------------------------------------


def test_a_room(run: Runner) -> None:
    async def main() -> None:
        async with websocket_server() as (server, url), client(url, "alice") as alice, client(url, "bob") as bob:
            room = await alice.create_room(capacity=3)
            assert (room.capacity, room.host, room.is_host, room.others) == (3, ALICE, True, ())
            assert len(room.name) == 6
            async with await bob.join(room.name.lower()) as bobs:
                assert bobs.name == room.name
                assert (bobs.members, bobs.host, bobs.is_host) == ((ALICE, BOB), ALICE, False)
                assert bobs.others == (ALICE,)
                assert await next_event(room) == MemberJoined(BOB)
                assert room.members == (ALICE, BOB)
                await room.leave()
                assert [each async for each in room] == []
                assert not room.is_open
                assert await next_event(bobs) == MemberLeft(ALICE)
                assert await next_event(bobs) == HostChanged(BOB)
                assert bobs.is_host
            await eventually_true(lambda: server.room_count == 0)
            await room.leave()

    run(main)


def test_names(run: Runner) -> None:
    async def main() -> None:
        async with websocket_server() as (_, url), client(url, "alice") as alice, client(url, "bob") as bob:
            assert (await alice.create_room("lobby")).name == "lobby"
            with pytest.raises(RoomError) as raised:
                await bob.create_room("lobby")
            assert raised.value.reason is Refusal.ROOM_EXISTS
            with pytest.raises(RoomError) as raised:
                await bob.join("elsewhere")
            assert raised.value.reason is Refusal.NO_ROOM
            room = await bob.join("elsewhere", create=True, capacity=1)
            assert room is await bob.join("elsewhere")
            with pytest.raises(RoomError) as raised:
                await alice.join("elsewhere")
            assert raised.value.reason is Refusal.ROOM_FULL
            for arguments in cast(
                "list[dict[str, Any]]", [{"name": "a" * 65}, {"name": "a\n"}, {"capacity": 0}, {"capacity": 257}]
            ):
                with pytest.raises(ValueError, match=r"bytes|capacity"):
                    await alice.create_room(**arguments)
            with pytest.raises(ValueError, match="must not be empty"):
                await alice.join("")
            for wrong in (None, b"lobby", 5):
                with pytest.raises(TypeError, match="name of a room"):
                    await alice.join(wrong)  # type: ignore[arg-type]

    run(main)


def test_a_room_that_is_joined_after_leaving_is_another_object(run: Runner) -> None:
    async def main() -> None:
        async with websocket_server() as (_, url), client(url, "alice") as alice, client(url, "bob") as bob:
            room = await alice.create_room()
            for _ in range(5):
                bobs = await bob.join(room.name)
                await bobs.leave()
            bobs = await bob.join(room.name)
            assert bobs.members == (ALICE, BOB)
            await bob.send(ALICE, b"still here")
            assert (await next_signal(alice)).data == b"still here"

    run(main)


def test_a_join_that_is_cancelled_leaves_no_member_behind(run: Runner) -> None:
    async def main() -> None:
        async with websocket_server(limits=FAST) as (_, url), client(url, "alice") as alice, client(url, "bob") as bob:
            room = await alice.create_room()
            for turns in range(30):
                joining = asyncio.ensure_future(bob.join(room.name))
                for _ in range(turns):
                    await asyncio.sleep(0)
                await asyncio.sleep(turns * 0.0001)
                joining.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await (await joining).leave()
            await bob.send(BOB, b"to no one, after all of it")
            await bob.join("elsewhere", create=True)
            await eventually_true(lambda: room.members == (ALICE,))

    run(main)


def test_a_join_that_is_cancelled_does_not_end_another_one(run: Runner) -> None:
    async def main() -> None:
        async with websocket_server(limits=FAST) as (_, url), client(url, "alice") as alice, client(url, "bob") as bob:
            for turns in range(25):
                room = await alice.create_room()
                joining = [asyncio.ensure_future(bob.join(room.name)) for _ in range(3)]
                for _ in range(turns):
                    await asyncio.sleep(0)
                await asyncio.sleep(turns * 0.0001)
                joining[turns % 3].cancel()
                joined = [
                    each for each in await asyncio.gather(*joining, return_exceptions=True) if isinstance(each, Room)
                ]
                assert len(joined) >= 2
                assert joined[0] is joined[1]
                await bob.send(ALICE, b"in the room")
                assert (await next_signal(alice)).sender == BOB
                assert joined[0].is_open
                await joined[0].leave()
                await room.leave()

    run(main)


# ---- lost connections ------------------------------------------------------------------------------------------------


class Relay:
    """A TCP relay to a server, which can be cut."""

    def __init__(self, port: int) -> None:
        self.port = 0
        self.target = port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._relay(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            other_reader, other_writer = await asyncio.open_connection("127.0.0.1", self.target)
            self._writers.add(other_writer)
            pumps = [asyncio.ensure_future(each) for each in (_pump(reader, other_writer), _pump(other_reader, writer))]
            await asyncio.wait(pumps)
            self._writers.discard(other_writer)
        except OSError:
            writer.transport.abort()
        self._writers.discard(writer)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.transport.abort()


@contextlib.asynccontextmanager
async def relayed() -> AsyncIterator[tuple[SignallingServer, str, Relay]]:
    async with websocket_server() as (server, url):
        relay = Relay(int(url.rpartition(":")[2]))
        await relay.start()
        try:
            yield server, f"ws://127.0.0.1:{relay.port}", relay
        finally:
            await relay.stop()


def test_a_lost_connection_is_opened_again_and_rooms_are_joined_again(run: Runner) -> None:
    async def main() -> None:
        async with relayed() as (_, url, relay), client(url, "alice") as alice:
            room = await alice.join("lobby", create=True, capacity=7)
            direct = f"ws://127.0.0.1:{relay.target}"
            async with client(direct, "carol") as carol:
                carols = await carol.join("lobby")
                assert await next_event(room) == MemberJoined(CAROL)
                await relay.stop()
                await eventually_true(lambda: not alice.is_connected)
                assert await next_event(carols) == MemberLeft(ALICE)
                await alice.send(CAROL, b"sent meanwhile")
                assert set(room.members) == {ALICE, CAROL}  # what was known last
                async with client(direct, "bob") as bob:
                    await bob.join("lobby")
                    assert await next_event(carols) == HostChanged(CAROL)
                    assert await next_event(carols) == MemberJoined(BOB)
                    await relay.start()
                    assert (await next_signal(carol)).data == b"sent meanwhile"
                    assert await next_event(room) == MemberJoined(BOB)
                    assert await next_event(room) == HostChanged(CAROL)
                    assert list(room.members) == [CAROL, BOB, ALICE]
                    assert await next_event(carols) == MemberJoined(ALICE)
                    assert alice.is_connected

    run(main)


def test_the_newest_signals_are_kept_meanwhile() -> None:
    async def main() -> None:
        async with relayed() as (_, url, relay), client(url, "alice") as alice:
            await alice.create_room()
            await relay.stop()
            await eventually_true(lambda: not alice.is_connected)
            for number in range(100):
                await alice.send(ALICE, b"%d" % number)
            await relay.start()
            found = [(await next_signal(alice)).data for _ in range(64)]
            assert found == [b"%d" % number for number in range(36, 100)]

    asyncio.run(main())


def test_a_client_that_sends_faster_than_the_server_reads_sends_the_newest_signals() -> None:
    async def main() -> None:
        limits = SignallingLimits(signals_per_second=30.0)
        async with websocket_server(limits=limits) as (server, url), client(url, "alice") as alice:
            await alice.create_room()
            for number in range(600):
                await alice.send(ALICE, b"%d" % number)
                await asyncio.sleep(0)
            last = await next_signal(alice)
            while last.data != b"599":  # 20 s later if all of them were on their way
                last = await next_signal(alice)
            assert server.counters.logins == 1

    asyncio.run(asyncio.wait_for(main(), TIMEOUT))


def test_a_server_that_was_killed_and_is_back(run: Runner) -> None:
    """A new server knows of no rooms: the members who come back make them again."""

    async def main() -> None:
        first = SignallingServer(login)
        host, port = (await first.listen("127.0.0.1", 0))[0]
        url = f"ws://{host}:{port}"
        async with client(url, "alice") as alice, client(url, "bob") as bob:
            room = await alice.create_room(capacity=5)
            bobs = await bob.join(room.name)
            await first.aclose()
            await eventually_true(lambda: not alice.is_connected and not bob.is_connected)
            async with SignallingServer(login) as second:
                await second.listen(host, port)
                await eventually_true(lambda: second.client_count == 2 and alice.is_connected and bob.is_connected)
                receiving = asyncio.ensure_future(next_signal(bob))
                while not receiving.done():  # until both are in the room again
                    await alice.send(BOB, b"on the new server")
                    await asyncio.sleep(0.01)
                assert receiving.result().data == b"on the new server"
                await eventually_true(lambda: set(room.members) == {ALICE, BOB} == set(bobs.members))
                await eventually_true(lambda: room.host == bobs.host)
                assert (room.capacity, bobs.capacity, second.room_count) == (5, 5, 1)

    run(main)


def test_a_room_that_cannot_be_joined_again_ends(run: Runner) -> None:
    async def main() -> None:
        async with relayed() as (_, url, relay), client(url, "alice") as alice:
            room = await alice.create_room(capacity=1)
            kept = await alice.create_room()
            await relay.stop()
            await eventually_true(lambda: not alice.is_connected)
            direct = f"ws://127.0.0.1:{relay.target}"
            async with client(direct, "bob") as bob:
                await bob.join(room.name, create=True, capacity=1)
                await relay.start()
                with pytest.raises(RoomError) as raised:
                    await next_event(room)
                assert raised.value.reason is Refusal.ROOM_FULL
                assert not room.is_open
                assert kept.is_open
                await room.leave()

    run(main)


def test_requests_wait_for_the_connection_and_then_fail() -> None:
    async def main() -> None:
        async with relayed() as (_, url, relay), client(url, "alice", timeout=0.3) as alice:
            await relay.stop()
            await eventually_true(lambda: not alice.is_connected)
            with pytest.raises(SignallingUnavailable, match=r"did not answer within 0.3 s"):
                await alice.create_room()
            creating = asyncio.ensure_future(alice.create_room())
            await relay.start()
            assert (await soon(creating)).is_host

    asyncio.run(main())


# ---- logins ----------------------------------------------------------------------------------------------------------


def test_a_token_is_asked_for_at_each_login(run: Runner) -> None:
    tokens: list[str] = []

    async def token() -> str:
        await asyncio.sleep(0)
        tokens.append("alice" if len(tokens) < 2 else "bad")
        if len(tokens) == 2:
            raise OSError("the login service is down")
        return tokens[-1]

    async def main() -> None:
        async with relayed() as (_, url, relay), WebSocketSignalling(url, token=token) as alice:
            room = await alice.create_room()
            await relay.stop()
            await relay.start()
            with pytest.raises(SignallingRefused) as raised:
                await soon(anext(alice))
            assert raised.value.reason is Refusal.NOT_AUTHENTICATED
            assert len(tokens) == 3
            with pytest.raises(SignallingRefused):
                await next_event(room)
            with pytest.raises(SignallingClosed) as closed:
                await alice.send(ALICE, b"x")
            assert isinstance(closed.value.__cause__, SignallingRefused)
            with pytest.raises(SignallingClosed):
                await alice.create_room()
            tokens.clear()

    run(main)
    tokens.clear()


def test_the_identity_never_changes() -> None:
    names = iter(["alice", "bob"])

    async def main() -> None:
        async with relayed() as (_, url, relay), WebSocketSignalling(url, token=lambda: next(names)) as signalling:
            await relay.stop()
            await relay.start()
            with pytest.raises(SignallingRefused, match="was str:alice, and logs in as str:bob now"):
                await soon(anext(signalling))
            assert signalling.identity == ALICE

    asyncio.run(main())


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({}, ValueError, "either token=... or credentials=..."),
        ({"token": 5}, TypeError, "the token must be a str or a function"),
        ({"token": "a", "url": "https://a"}, ValueError, "is not the URL of a WebSocket server"),
        ({"token": "a", "url": "ws://"}, ValueError, "is not the URL"),
        ({"token": "a", "url": "ws://a:99999"}, ValueError, "is not the URL"),
        ({"token": "a", "url": "ws://user@a"}, ValueError, "is not the URL"),
        ({"token": "a", "url": 5}, TypeError, "the URL must be a str"),
        ({"token": "a", "ssl": object()}, ValueError, "is for wss:// alone"),
        ({"credentials": "a"}, TypeError, "credentials must be Credentials"),
        ({"token": "a", "timeout": "5"}, TypeError, "timeout must be a number"),
        ({"token": "a", "timeout": 0}, ValueError, "timeout must be above 0"),
    ],
)
def test_bad_arguments(options: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        WebSocketSignalling(options.pop("url", "ws://a"), **options)


@pytest.mark.parametrize("token", [5, "", "a" * 8193, "\0"])
def test_bad_tokens(token: Any) -> None:
    async def main() -> None:
        async with websocket_server() as (_, url):
            with pytest.raises((TypeError, ValueError)):
                await WebSocketSignalling(url, token=lambda: token).__aenter__()

    asyncio.run(main())


def test_no_server(run: Runner) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{unused.getsockname()[1]}"

    async def main() -> None:
        with pytest.raises(SignallingUnavailable, match="cannot be reached"):
            await client(url, "alice").__aenter__()

    run(main)


def test_it_is_opened_once() -> None:
    async def main() -> None:
        async with websocket_server() as (_, url), client(url, "alice") as alice:
            with pytest.raises(RuntimeError, match="once"):
                await alice.__aenter__()
            closed = client(url, "bob")
            with pytest.raises(RuntimeError, match="opened first"):
                await closed.send(ALICE, b"x")
            with pytest.raises(RuntimeError, match="no login yet"):
                _ = closed.identity
            await closed.aclose()
            with pytest.raises(RuntimeError, match="once"):
                await closed.__aenter__()

    asyncio.run(main())


# ---- cancellation, and servers that are hostile ----------------------------------------------------------------------


@contextlib.asynccontextmanager
async def hostile(behave: Callable[[Any], Awaitable[None]]) -> AsyncIterator[str]:
    """Run a server that does as it likes, and yield its URL."""
    from websockets.asyncio.server import serve

    async with serve(behave, "127.0.0.1", 0, compression=None, close_timeout=0.1) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def test_a_server_that_says_nothing(run: Runner) -> None:
    async def silent(websocket: Any) -> None:
        await websocket.wait_closed()

    async def main() -> None:
        async with hostile(silent) as url:
            with pytest.raises(SignallingUnavailable, match=r"did not answer within 0.1 s"):
                await client(url, "alice", timeout=0.1).__aenter__()
            for turns in range(40):  # cancelled at any point
                opening = asyncio.ensure_future(client(url, "alice").__aenter__())
                for _ in range(turns):
                    await asyncio.sleep(0.0002)
                opening.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await opening

    run(main)


@pytest.mark.parametrize(
    "first",
    [b"", b"garbage", "text", bytes(70_000), Ping(1).encode(), Welcome(ALICE, 1, None).encode(), b"\x02\x81"],
    ids=["empty", "garbage", "text", "huge", "of a client", "too early", "version"],
)
def test_a_server_of_another_kind(first: Any) -> None:
    async def other(websocket: Any) -> None:
        await websocket.send(first)
        await websocket.wait_closed()

    async def main() -> None:
        async with hostile(other) as url:
            with pytest.raises((SignallingUnavailable, SignallingRefused)) as raised:
                await client(url, "alice").__aenter__()
            assert isinstance(raised.value, SignallingRefused) == (first in (b"\x02\x81", b"garbage"))

    asyncio.run(main())


def test_a_refusal_with_a_reason_of_a_later_version() -> None:
    async def refuse(websocket: Any) -> None:
        data = bytearray(Error(0, 999, "come back in another year").encode())
        data[0] = 9
        await websocket.send(bytes(data))
        await websocket.wait_closed()

    async def main() -> None:
        async with hostile(refuse) as url:
            with pytest.raises(SignallingRefused, match="another year") as raised:
                await client(url, "alice").__aenter__()
            assert raised.value.reason is Refusal.PROTOCOL

    asyncio.run(main())


def test_a_server_that_says_what_it_likes_makes_nothing_grow() -> None:
    from websockets.exceptions import ConnectionClosed

    logins = 0
    go_on = asyncio.Event()

    async def lie(websocket: Any) -> None:
        nonlocal logins
        logins += 1
        await websocket.send(Challenge(Methods.TOKEN, "", bytes(32)).encode())
        assert isinstance(decode(await websocket.recv()), HelloToken)
        await websocket.send(Welcome(ALICE, 100, None).encode())
        create = decode(await websocket.recv())
        answers: list[Message] = [
            Members(create.request, "room", 2, ALICE, (ALICE,)),  # type: ignore[attr-defined]
            Members(77, "another", 2, ALICE, (ALICE,)),
            Error(78, 17, "which request?"),
            *(Joined("room", Identity.string(f"{number}")) for number in range(500)),
            Joined("nowhere", BOB),
            Left("room", ALICE),
            Left("room", BOB),
            Host("room", BOB),
            *(Received(BOB, bytes(8000)) for _ in range(500)),
            Left("room", Identity.string("0")),
        ]
        with contextlib.suppress(ConnectionClosed):
            for each in answers:
                await websocket.send(each.encode())
            await go_on.wait()
            if logins == 1:
                await websocket.send(b"garbage")
        await websocket.wait_closed()

    async def main() -> None:
        async with hostile(lie) as url, client(url, "alice") as alice:
            room = await alice.create_room()
            assert await next_event(room) == MemberJoined(Identity.string("0"))
            assert await next_event(room) == MemberLeft(Identity.string("0"))
            assert room.members == (ALICE,)
            found = 0
            with contextlib.suppress(asyncio.TimeoutError):
                while True:
                    await asyncio.wait_for(anext(alice), 0.05)
                    found += 1
            assert found <= 64
            go_on.set()
            await eventually_true(lambda: logins == 2)  # after garbage it connects again

    asyncio.run(main())


def test_closing_does_not_wait_for_a_server_that_hangs() -> None:
    async def hang(websocket: Any) -> None:
        await websocket.send(Challenge(Methods.TOKEN, "", bytes(32)).encode())
        await websocket.recv()
        await websocket.send(Welcome(ALICE, 100, None).encode())
        websocket.transport.pause_reading()
        await websocket.wait_closed()

    async def main() -> None:
        async with hostile(hang) as url:
            alice = await client(url, "alice").__aenter__()
            waiting = asyncio.ensure_future(alice.create_room())
            await asyncio.sleep(0.05)
            await asyncio.wait_for(alice.aclose(), TIMEOUT)
            with pytest.raises(SignallingClosed):
                await waiting

    asyncio.run(main())


def test_a_task_that_is_cancelled_closes_it(run: Runner) -> None:
    async def main() -> None:
        async with websocket_server() as (server, url):

            async def player(name: str) -> None:
                async with client(url, name) as signalling, await signalling.join("lobby", create=True) as room:
                    async for _ in room:
                        pass

            players = [asyncio.ensure_future(player(f"{number}")) for number in range(5)]
            await eventually_true(lambda: server.client_count == 5)
            for each in players:
                each.cancel()
            await soon(asyncio.wait(players))
            await eventually_true(lambda: server.client_count == 0 and server.room_count == 0)

    run(main)
