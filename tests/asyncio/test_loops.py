"""Many loops: one after another, in several threads, without add_reader; and a runtime that stops while one runs."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from support import counts_references
from support.loops import NoReaders, Runner, run_in

import gns_py
import gns_py.asyncio as gns
from gns_py import NotRunningError
from gns_py.asyncio.mailbox import LoopMailbox, attached_mailbox, loop_mailboxes


async def echo(connection: gns.Connection) -> None:
    async for data in connection:
        connection.send(data)


async def echo_some(count: int = 100, tag: bytes = b"") -> None:
    """Echo some messages between a client and a server."""
    async with gns.serve(echo, "127.0.0.1", 0) as server, gns.connect(*server.address) as client:
        sent = [tag + b"%d" % number for number in range(count)]
        client.send_many(sent)
        assert [await client.recv() for _ in range(count)] == sent


def test_loops_one_after_another(run: Runner) -> None:
    run(echo_some)


@counts_references
def test_runners_one_after_another() -> None:
    for _ in range(5):
        asyncio.run(echo_some(10))
    gc.collect()
    assert not loop_mailboxes()


def test_a_loop_in_each_of_several_threads() -> None:
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            asyncio.run(echo_some(300, b"%d:" % number))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_a_connection_between_two_loops_in_two_threads() -> None:
    address: list[Any] = []
    listening, done = threading.Event(), threading.Event()

    async def serve() -> None:
        async with gns.serve(echo, "127.0.0.1", 0) as server:
            address[:] = server.address
            listening.set()
            await asyncio.get_running_loop().run_in_executor(None, done.wait)

    async def connect() -> None:
        async with gns.connect(*address) as client:
            client.send(b"from another loop")
            assert await client.recv() == b"from another loop"

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert listening.wait(10.0)
        asyncio.run(connect())
    finally:
        done.set()
        thread.join()


def test_sending_and_closing_from_another_thread(run: Runner) -> None:
    async def main() -> None:
        a, b = gns.socket_pair(network=True)
        loop = asyncio.get_running_loop()

        def elsewhere() -> None:
            for number in range(1000):
                a.send(b"%d" % number)
            a.close(1234, "from a thread")

        work = loop.run_in_executor(None, elsewhere)
        assert [int(data) async for data in b] == list(range(1000))
        await work
        assert b.end is not None
        assert (b.end.code, b.end.text) == (1234, "from a thread")
        assert (await a.wait_closed()).code == 1234
        b.close()

    run(main)


def test_a_listen_socket_and_a_waiting_connection_closed_from_another_thread(run: Runner) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        listener = await gns.listen("127.0.0.1", 0)
        requests = asyncio.create_task(collect(listener))
        client, server = gns.socket_pair()
        receiving = asyncio.create_task(client.recv())
        await asyncio.sleep(0.01)
        await loop.run_in_executor(None, listener.close)
        assert await requests == []
        await loop.run_in_executor(None, client.close)
        with pytest.raises(gns.ConnectionClosedOK):
            await receiving
        server.close()

    async def collect(listener: gns.ListenSocket) -> list[object]:
        return [request async for request in listener]

    run(main)


def test_the_runtime_stopped_ends_all_that_waits(run: Runner) -> None:
    run(stopped_while_all_wait)


def test_the_runtime_stopped_in_a_loop_without_add_reader() -> None:
    run_in(NoReaders(), stopped_while_all_wait)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="needs eager tasks")
def test_a_loop_without_readers_whose_tasks_begin_at_once() -> None:
    loop = NoReaders()
    loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined,unused-ignore]
    run_in(loop, stopped_while_all_wait)


async def stopped_while_all_wait() -> None:
    listener = await gns.listen("127.0.0.1", 0)
    server = await gns.serve(echo, "127.0.0.1", 0)
    client = await gns.connect(*server.address)
    waiting = [
        asyncio.ensure_future(each)
        for each in (client.recv(), client.wait_closed(), listener.accept(), server.serve_forever())
    ]
    await asyncio.sleep(0.01)
    await asyncio.get_running_loop().run_in_executor(None, gns_py.stop)
    received, ended, accepted, served = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(received, gns.ConnectionClosedError)
    assert isinstance(ended, gns.ConnectionEnd)
    assert ended.code == gns.EndReason.SHUTDOWN
    assert isinstance(accepted, NotRunningError)
    assert served is None
    listener.close()
    server.close()
    await echo_some(10)  # and it starts again


@counts_references
def test_a_loop_without_add_reader() -> None:
    async def main() -> None:
        await echo_some(3000)
        await echo_some(10)

    run_in(NoReaders(), main)
    gc.collect()
    assert not loop_mailboxes()


@pytest.mark.parametrize("kind", [asyncio.new_event_loop, NoReaders])
def test_what_cancelled_tasks_still_wait_for_comes(kind: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """asyncio.run() cancels all remaining tasks, those of gns_py included, and waits for them."""
    answers: list[bytes] = []

    async def ask(connection: gns.Connection) -> None:
        try:
            await connection.recv()
        finally:
            connection.send(b"one thing more")
            answers.append(await connection.recv())
            connection.close()

    async def answer(connection: gns.Connection) -> None:
        try:
            await connection.recv()
        finally:
            await echo(connection)
            connection.close()

    async def main() -> list[asyncio.Task[None]]:
        asking, answering = gns.socket_pair(network=True)
        tasks = [asyncio.create_task(ask(asking)), asyncio.create_task(answer(answering))]
        await asyncio.sleep(0.01)
        return tasks

    loop = kind()
    tasks = loop.run_until_complete(main())
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.wait(tasks, timeout=5.0))
    assert all(task.done() for task in tasks)
    loop.close()
    assert answers == [b"one thing more"]


@pytest.mark.parametrize("debug", [False, True])
def test_debug_mode(run: Runner, debug: bool) -> None:
    run(echo_some, debug=debug)


@counts_references
def test_a_loop_that_is_closed_with_connections_open_warns_of_them() -> None:
    async def main() -> None:
        kept.extend(gns.socket_pair())

    kept: list[gns.Connection] = []
    asyncio.run(main())
    gc.collect()
    with pytest.warns(ResourceWarning, match="unclosed connection"):
        kept.clear()


@counts_references
def test_a_forgotten_connection_warns_and_leaves_the_loop(run: Runner) -> None:
    async def main() -> None:
        a, b = gns.socket_pair()
        with pytest.warns(ResourceWarning, match="unclosed connection"):
            del a
        assert (await b.wait_closed()).code == 1000
        b.close()
        await asyncio.sleep(0.01)
        assert attached_mailbox(asyncio.get_running_loop()) is None

    run(main)


def test_thousands_of_wake_ups_need_no_polling() -> None:
    """An idle loop with connections does nothing at all."""
    selects = 0

    class Counting(asyncio.SelectorEventLoop):
        def _run_once(self) -> None:
            nonlocal selects
            selects += 1
            super()._run_once()  # type: ignore[misc]

    async def main() -> None:
        nonlocal selects
        ends = [end for _ in range(20) for end in gns.socket_pair(network=True)]
        waiting = [asyncio.create_task(end.recv()) for end in ends]
        await asyncio.sleep(0.1)
        selects = 0
        await asyncio.sleep(1.0)
        assert selects <= 4  # the sleep's own, and a straggler
        for end in ends:
            end.close()
        await asyncio.gather(*waiting, return_exceptions=True)

    run_in(Counting(), main, debug=False)


@pytest.mark.parametrize("make_loop", [asyncio.new_event_loop, NoReaders])
def test_events_that_could_not_be_read_are_read_later(
    make_loop: Callable[[], asyncio.AbstractEventLoop],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    receive, failures = LoopMailbox.receive_event, 1

    def fail_once(mailbox: LoopMailbox, wait: bool) -> bool:
        nonlocal failures
        failures -= 1
        if failures == 0:
            raise MemoryError("as planned")
        return receive(mailbox, wait)

    async def main() -> None:
        a, b = gns.socket_pair()
        async with a, b:
            monkeypatch.setattr(LoopMailbox, "receive_event", fail_once)
            a.send(b"x")
            assert await b.recv() == b"x"

    with caplog.at_level(logging.ERROR, "gns_py"):
        run_in(make_loop(), main)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
