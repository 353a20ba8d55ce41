"""An object of one event loop, used in another one, says so at once instead of waiting for ever."""

from __future__ import annotations

import asyncio
import gc
import re
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from support.loops import LOOPS, new_loop

import gns_py.asyncio as gns
import gns_py.session.asyncio as session

Use = Callable[[Any], Awaitable[object]]


async def iterate(thing: Any) -> None:
    async for _ in thing:
        pass


async def recv(thing: Any) -> Any:
    return await thing.recv()


USES: dict[str, list[tuple[str, Use]]] = {
    "connection": [
        ("recv", recv),
        ("recv_message", lambda thing: thing.recv_message()),
        ("recv_many", lambda thing: thing.recv_many()),
        ("iteration", iterate),
        ("drain", lambda thing: thing.drain()),
        ("ping", lambda thing: thing.ping()),
        ("wait_closed", lambda thing: thing.wait_closed()),
    ],
    "session": [
        ("recv", recv),
        ("recv_message", lambda thing: thing.recv_message()),
        ("recv_many", lambda thing: thing.recv_many()),
        ("iteration", iterate),
        ("drain", lambda thing: thing.drain()),
        ("ping", lambda thing: thing.ping()),
        ("wait_closed", lambda thing: thing.wait_closed()),
    ],
    "listen socket": [("accept", lambda thing: thing.accept()), ("iteration", iterate)],
    "session listen socket": [("accept", lambda thing: thing.accept()), ("iteration", iterate)],
    "server": [
        ("wait_closed", lambda thing: thing.wait_closed()),
        ("serve_forever", lambda thing: thing.serve_forever()),
        ("drain", lambda thing: thing.drain()),
    ],
    "session server": [
        ("wait_closed", lambda thing: thing.wait_closed()),
        ("serve_forever", lambda thing: thing.serve_forever()),
        ("drain", lambda thing: thing.drain()),
    ],
    "poll group": [("poll", lambda thing: thing.poll())],
}
every_use = pytest.mark.parametrize(
    ("kind", "use"),
    [pytest.param(kind, use, id=f"{kind} {name}") for kind, uses in USES.items() for name, use in uses],
)


async def echo(connection: Any) -> None:
    async for data in connection:
        connection.send(data)


class Things:
    """Return one object of each kind, in the running loop."""

    async def open(self) -> dict[str, Any]:
        self.server = await gns.serve(echo, "127.0.0.1", 0)
        self.sessions = await session.serve(echo, "127.0.0.1", 0)
        self.connection = await gns.connect(*self.server.address)
        self.session = await session.connect(*self.sessions.address)
        self.socket = await gns.listen("127.0.0.1", 0)
        self.session_socket = await session.listen("127.0.0.1", 0)
        self.pair = gns.socket_pair()
        self.group = gns.PollGroup()
        self.group.add(self.pair[0])
        return {
            "connection": self.connection,
            "session": self.session,
            "listen socket": self.socket,
            "session listen socket": self.session_socket,
            "server": self.server,
            "session server": self.sessions,
            "poll group": self.group,
        }

    async def close(self) -> None:
        for each in (*self.pair, self.connection, self.socket):
            each.close()
        await self.session.close()
        async with self.server, self.sessions, self.session_socket:
            pass


@pytest.fixture(params=[loop for loop in LOOPS if loop != "eager"])
def there(request: pytest.FixtureRequest) -> Iterator[tuple[asyncio.AbstractEventLoop, dict[str, Any]]]:
    """Yield a loop that runs in another thread, and one object of each kind in it."""
    loop = new_loop(request.param)
    thread = threading.Thread(target=loop.run_forever, name="the other thread")
    thread.start()
    things = Things()
    yield loop, asyncio.run_coroutine_threadsafe(things.open(), loop).result(20)
    asyncio.run_coroutine_threadsafe(things.close(), loop).result(20)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@every_use
def test_in_a_loop_of_another_thread(
    there: tuple[asyncio.AbstractEventLoop, dict[str, Any]], kind: str, use: Use
) -> None:
    async def main() -> str:
        with pytest.raises(RuntimeError, match=f"^the {kind.removeprefix('session ')} belongs to the ") as refused:
            await use(things[kind])
        running = asyncio.get_running_loop()
        text = str(refused.value)
        assert f"at {id(loop):#x} of thread 'the other thread'" in text
        assert f"at {id(running):#x} of thread '{threading.current_thread().name}'" in text
        return text

    loop, things = there
    asyncio.run(asyncio.wait_for(main(), 10))
    # The object has come to no harm.
    for name in ("connection", "session"):

        async def ask(name: str = name) -> bytes:
            things[name].send(b"still there")
            return await asyncio.wait_for(recv(things[name]), 5)

        assert asyncio.run_coroutine_threadsafe(ask(), loop).result(10) == b"still there"


def test_with_a_reader_in_its_own_loop(there: tuple[asyncio.AbstractEventLoop, dict[str, Any]]) -> None:
    """The error is about the loops, not about two readers."""
    loop, things = there
    for kind in ("connection", "session"):
        reading = asyncio.run_coroutine_threadsafe(recv(things[kind]), loop)
        with pytest.raises(RuntimeError, match="belongs to"):
            asyncio.run(recv(things[kind]))
        things[kind].send(b"x")
        assert reading.result(5) == b"x"


def test_a_poll_group_of_connections_of_two_loops(there: tuple[asyncio.AbstractEventLoop, dict[str, Any]]) -> None:
    _, things = there

    async def main() -> None:
        first, second = gns.socket_pair()
        async with first, second:
            with pytest.raises(RuntimeError, match="the poll group belongs to"):
                things["poll group"].add(first)
            second.send(b"x")
            assert await first.recv() == b"x"
            with gns.PollGroup() as group:
                group.add(first)
                second.send(b"y")
                (event,) = await group.poll()
                assert isinstance(event, gns.MessageReceived)

    asyncio.run(main())


def test_an_empty_poll_group_goes_with_the_loop() -> None:
    group = gns.PollGroup()

    async def main() -> None:
        first, second = gns.socket_pair()
        async with first, second:
            polling = asyncio.create_task(group.poll())
            await asyncio.sleep(0)
            group.add(first)
            second.send(b"x")
            (event,) = await asyncio.wait_for(polling, 5)
            assert isinstance(event, gns.MessageReceived)
            group.remove(first)

    for _ in range(2):
        asyncio.run(main())


@pytest.mark.parametrize("kind", ["connection", "session", "listen socket"])
def test_in_the_next_run(kind: str) -> None:
    """Like tests whose fixtures have a loop of their own."""
    things = Things()

    async def make() -> Any:
        return (await things.open())[kind]

    loop = asyncio.new_event_loop()
    thing = loop.run_until_complete(make())
    where = re.escape(f"{id(loop):#x}")
    with pytest.raises(RuntimeError, match=f"{where} of thread .* cannot be used in the"):
        asyncio.run(USES[kind][0][1](thing))  # type: ignore[arg-type]
    loop.run_until_complete(things.close())
    loop.close()
    gc.collect()
