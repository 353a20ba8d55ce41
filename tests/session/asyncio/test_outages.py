"""Programs of event loops whose sessions lose their connections."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import warnings
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from support import echo, eventually
from support.groups import TaskGroup
from support.outages import QUICK, TIMEOUT, quick
from support.relay import Relay

import gns_py
from gns_py.session import CloseReason
from gns_py.session.asyncio import Session, SessionClosed, connect
from gns_py.session.sync import Server, SessionConfig, serve


@pytest.fixture
def server() -> Iterator[Server]:
    """Yield a server in threads of its own, so that it goes on whatever a loop does."""
    with serve(echo, "127.0.0.1", 0, config=QUICK, session_config=quick(SessionConfig(resume_window=2.0))) as server:
        yield server


@pytest.fixture
def relay(server: Server) -> Iterator[Relay]:
    with Relay(server.address) as relay:
        yield relay


async def connect_and_cut(server: Server, relay: Relay) -> Session:
    """Return a session whose network is cut, as both ends know."""
    session = await connect("127.0.0.1", relay.port, config=QUICK, session_config=quick(None))
    relay.is_cut = True
    while session.is_connected or any(each.is_connected for each in server.sessions):
        await asyncio.sleep(0.01)
    return session


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run it, and let nothing that it leaves stay unnoticed."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(asyncio.wait_for(main, 3 * TIMEOUT), debug=True)
        gc.collect()


def test_limits_and_cancellation_lose_nothing(server: Server, relay: Relay) -> None:
    async def main() -> None:
        async with await connect_and_cut(server, relay) as session:
            session.send(b"0")
            for wait in (session.recv, session.wait_resumed, session.drain, session.ping):
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(wait(), 0.05)
            receiving = asyncio.ensure_future(session.recv())
            await asyncio.sleep(0.05)
            receiving.cancel()
            await asyncio.wait([receiving])
            relay.is_cut = False
            assert await session.recv() == b"0"

    run(main())


@pytest.mark.skipif(TaskGroup is None, reason="there are no task groups")
def test_a_task_group_is_left_during_an_outage(server: Server, relay: Relay) -> None:
    async def fail() -> None:
        await asyncio.sleep(0.05)
        raise LookupError("as planned")

    async def main() -> None:
        assert TaskGroup is not None
        session = await connect_and_cut(server, relay)
        with pytest.raises(BaseException) as caught:  # noqa: PT011, PT012 - a group has a name in Python 3.11 only
            async with session, TaskGroup() as group:
                group.create_task(session.recv())
                group.create_task(session.drain())
                group.create_task(session.wait_resumed())
                group.create_task(fail())
        assert [str(each) for each in caught.value.exceptions] == ["as planned"]  # type: ignore[attr-defined]
        relay.is_cut = False
        assert (await session.wait_closed()).reason is CloseReason.INTERNAL_ERROR

    run(main())


@pytest.mark.parametrize("is_mended", [False, True])
def test_a_block_that_is_cancelled_during_an_outage(server: Server, relay: Relay, is_mended: bool) -> None:
    """The goodbye goes on in the background, within its limits."""
    ends: list[Session] = []

    async def work() -> None:
        session = await connect_and_cut(server, relay)
        ends.append(session)
        async with session:
            await session.recv()

    async def main() -> None:
        task = asyncio.ensure_future(work())
        while not ends:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        relay.is_cut = not is_mended
        end = await ends[0].wait_closed()
        assert (end.reason is CloseReason.CLOSED_BY_CLIENT) == is_mended

    run(main())


def test_a_session_is_dropped_while_it_has_no_connection(server: Server, relay: Relay) -> None:
    served: list[Any] = []

    async def main() -> None:
        session = await connect_and_cut(server, relay)
        served.extend(server.sessions)
        with pytest.warns(ResourceWarning, match="unclosed session"):
            del session
        relay.is_cut = False
        while any(task.get_name() == "gns_py reconnect" for task in asyncio.all_tasks()):
            await asyncio.sleep(0.01)

    run(main())
    assert served[0].wait_closed(timeout=TIMEOUT).reason is CloseReason.SESSION_EXPIRED


def test_a_loop_ends_while_its_session_has_no_connection(server: Server, relay: Relay) -> None:
    sessions: list[Session] = []

    async def main() -> None:
        sessions.append(await connect_and_cut(server, relay))

    asyncio.run(main(), debug=True)
    relay.is_cut = False
    with pytest.warns(ResourceWarning, match="unclosed session"):
        sessions.clear()
    gc.collect()


def test_a_loop_ends_while_its_session_closes_without_a_connection(server: Server, relay: Relay) -> None:
    async def main() -> None:
        session = await connect_and_cut(server, relay)
        session.close()

    run(main())


def test_another_loop_cannot_wait_for_a_session_that_is_away(server: Server, relay: Relay) -> None:
    async def main() -> None:
        session = await connect_and_cut(server, relay)

        async def elsewhere() -> None:
            for wait in (session.recv, session.wait_resumed, session.drain, session.ping):
                with pytest.raises(RuntimeError, match="belongs to"):
                    await wait()
            session.send(b"sending works anywhere")

        await asyncio.get_running_loop().run_in_executor(None, asyncio.run, elsewhere())
        relay.is_cut = False
        assert await session.recv() == b"sending works anywhere"
        await session.close()

    run(main())


def test_two_loops_lose_their_connections(relay: Relay) -> None:
    async def main(number: bytes) -> None:
        async with connect("127.0.0.1", relay.port, config=QUICK, session_config=quick(None)) as session:
            for _ in range(3):
                session.send(number)
                assert await session.recv() == number
                session.reconnect()
            session.send(b"last")
            assert await session.recv() == b"last"

    with ThreadPoolExecutor(2) as pool:
        for each in [pool.submit(asyncio.run, main(number)) for number in (b"1", b"2")]:
            each.result(3 * TIMEOUT)


@pytest.mark.parametrize("from_thread", [False, True])
def test_the_runtime_is_stopped_while_tasks_wait(server: Server, relay: Relay, from_thread: bool) -> None:
    async def main() -> None:
        session = await connect_and_cut(server, relay)
        tasks = [asyncio.ensure_future(wait()) for wait in (session.recv, session.drain, session.wait_resumed)]
        await asyncio.sleep(0.05)
        if from_thread:
            await asyncio.get_running_loop().run_in_executor(None, gns_py.stop, 0.0)
        else:
            gns_py.stop(0.0)
        for each in tasks:
            with pytest.raises(SessionClosed):
                await each
        assert session.end is not None

    run(main())
    assert not gns_py.is_running()
    eventually(lambda: not server.is_serving(), TIMEOUT)
