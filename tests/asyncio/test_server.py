"""serve(): handlers and their exceptions, the gentle end, the slow client."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

import gns_py.asyncio as gns
from gns_py import Config, ConnectionState

if TYPE_CHECKING:
    from support.loops import Runner

RATE = 30_000_000
FAST = Config(send_rate_min=RATE, send_rate_max=RATE)


async def echo(connection: gns.Connection) -> None:
    async for data in connection:
        connection.send(data)


def test_a_handlers_exception_ends_its_connection_only_and_is_logged_once(
    run: Runner, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(connection: gns.Connection) -> None:
        async for data in connection:
            if data == b"fail":
                raise RuntimeError("as asked for")
            connection.send(data)

    async def main() -> None:
        async with (
            gns.serve(handler, "127.0.0.1", 0) as server,
            gns.connect(*server.address) as failing,
            gns.connect(*server.address) as other,
        ):
            failing.send(b"fail")
            with pytest.raises(gns.ConnectionClosedError) as error:
                await failing.recv()
            assert (error.value.code, error.value.text) == (2001, "an exception was raised")
            assert error.value.end.closed_by.value == "the peer"
            other.send(b"well")
            assert await other.recv() == b"well"

    with caplog.at_level(logging.ERROR, "gns_py"):
        run(main)
    records = [record for record in caplog.records if record.name == "gns_py"]
    assert len(records) == 1
    assert "the handler of <gns_py.asyncio.connection.Connection" in records[0].getMessage()
    assert records[0].exc_info
    assert str(records[0].exc_info[1]) == "as asked for"
    caplog.clear()


def test_a_handler_that_meets_the_end_of_its_connection_is_no_failure(
    run: Runner, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(connection: gns.Connection) -> None:
        while True:
            await connection.recv()

    async def main() -> None:
        async with gns.serve(handler, "127.0.0.1", 0) as server:
            async with gns.connect(*server.address):
                pass
            async with gns.connect(*server.address) as client:
                client.close(2500, "a fault")

    run(main)
    assert not caplog.records


def test_a_handler_that_returns_closes_its_connection_and_delivers_what_it_has_sent(run: Runner) -> None:
    async def handler(connection: gns.Connection) -> None:
        for number in range(200):
            connection.send(b"%d" % number + b"x" * 1000)

    async def main() -> None:
        async with gns.serve(handler, "127.0.0.1", 0, config=FAST) as server:
            async with gns.connect(*server.address) as client:
                received = [data async for data in client]
            assert [int(data.rstrip(b"x")) for data in received] == list(range(200))
            assert client.end is not None
            assert client.end.code == 1000

    run(main)


def test_leaving_the_block_closes_connections_and_waits_for_handlers(run: Runner) -> None:
    async def main() -> None:
        ended: list[str] = []

        async def handler(connection: gns.Connection) -> None:
            try:
                await connection.recv()
            finally:
                await asyncio.sleep(0.05)
                ended.append("handler")

        async with gns.serve(handler, "127.0.0.1", 0) as server:
            assert server.is_serving()
            client = await gns.connect(*server.address)
            await eventually(lambda: len(server.connections) == 1)
        assert ended == ["handler"]
        assert not server.is_serving()
        assert (await client.wait_closed()).code == 1001
        with pytest.raises(gns.ConnectionClosedOK):
            await client.recv()
        client.close()

    run(main)


async def eventually(condition: Callable[[], bool]) -> None:
    for _ in range(5000):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it did not come true")


def test_serve_forever_ends_with_close_and_with_cancellation(run: Runner) -> None:
    async def main() -> None:
        server = await gns.serve(echo, "127.0.0.1", 0)
        forever = asyncio.create_task(server.serve_forever())
        await asyncio.sleep(0)
        server.close()
        await forever
        server = await gns.serve(echo, "127.0.0.1", 0)
        client = await gns.connect(*server.address)
        forever = asyncio.create_task(server.serve_forever())
        await asyncio.sleep(0.01)
        forever.cancel()
        with pytest.raises(asyncio.CancelledError):
            await forever
        assert not server.is_serving()
        assert (await client.wait_closed()).code == 1001
        client.close()

    run(main)


def test_drain_lets_handlers_finish_and_sends_newcomers_away(run: Runner) -> None:
    async def main() -> None:
        server = await gns.serve(echo, "127.0.0.1", 0)
        client = await gns.connect(*server.address)
        draining = asyncio.create_task(server.drain(10.0))
        await asyncio.sleep(0.01)
        with pytest.raises(gns.ConnectFailed) as refused:
            await gns.connect(*server.address)
        assert (refused.value.code, refused.value.text) == (1001, "the server is closing")
        assert refused.value.end.can_retry
        client.send(b"still served")
        assert await client.recv() == b"still served"
        client.close()
        assert await draining is True
        assert not server.is_serving()

    run(main)


def test_drain_has_a_deadline(run: Runner) -> None:
    async def main() -> None:
        cancelled = asyncio.Event()

        async def handler(_: gns.Connection) -> None:
            try:
                await asyncio.sleep(60.0)
            except asyncio.CancelledError:
                cancelled.set()
                raise

        server = await gns.serve(handler, "127.0.0.1", 0)
        client = await gns.connect(*server.address)
        await eventually(lambda: client.state is ConnectionState.CONNECTED)
        assert await server.drain(0.05) is False
        assert cancelled.is_set()
        assert (await client.wait_closed()).code == 1001
        client.close()

    run(main)


def test_a_handler_may_close_its_own_server(run: Runner) -> None:
    async def main() -> None:
        async def handler(_: gns.Connection) -> None:
            server.close()
            await server.wait_closed()

        server = await gns.serve(handler, "127.0.0.1", 0)
        client = await gns.connect(*server.address)
        assert (await client.wait_closed()).code == 1001
        await server.wait_closed()
        client.close()

    run(main)


def test_a_slow_client_neither_slows_the_others_nor_grows_the_server(run: Runner) -> None:
    """The server drains per connection: who does not acknowledge fills its own queue to the mark, and no more."""

    async def main() -> None:
        small = FAST | Config(send_buffer_size=200_000)
        largest = 0
        rounds = {b"slow": 0, b"quick": 0}

        async def handler(connection: gns.Connection) -> None:
            nonlocal largest
            name = await connection.recv()
            if name == b"slow":  # as if its network took next to nothing
                connection.set_config(Config(send_rate_min=20_000, send_rate_max=20_000))
            for number in range(200):
                connection.send(b"%06d" % number + b"x" * 9_994)
                largest = max(largest, connection.send_queue().bytes)
                await connection.drain()
                rounds[name] += 1

        async with gns.serve(handler, "127.0.0.1", 0, config=small) as server:
            slow = await gns.connect(*server.address)
            slow.send(b"slow")
            async with gns.connect(*server.address) as quick:
                quick.send(b"quick")
                received = [int(data[:6]) async for data in quick]
            assert received == list(range(200))
            assert rounds[b"slow"] < 40  # 20,000 bytes a second, and what waits in the queue
            assert largest <= 200_000
            slow.close()

    run(main)


def test_send_beyond_the_bound_is_refused_and_drain_makes_room(run: Runner) -> None:
    async def main() -> None:
        a, b = gns.socket_pair(network=True)
        a.set_config(Config(send_buffer_size=100_000, send_rate_min=1_000_000, send_rate_max=1_000_000))
        for _ in range(50):
            taken = 0
            with contextlib.suppress(gns.SendQueueFull):
                while a.send(b"x" * 9_000):
                    taken += 1
            assert taken < 12
            await a.drain()
            assert a.send_queue().bytes <= 50_000
            a.send(b"y" * 40_000)
        reading = asyncio.create_task(read_all(b))
        await asyncio.gather(a.drain(), a.drain())
        a.close()
        assert await reading > 50 * 40_000
        b.close()

    async def read_all(connection: gns.Connection) -> int:
        return sum([len(data) async for data in connection])

    run(main)


def test_drain_ends_with_the_connection(run: Runner) -> None:
    async def main() -> None:
        a, b = gns.socket_pair(network=True)
        a.set_config(Config(send_rate_min=2_000, send_rate_max=2_000))
        a.send(b"x" * 400_000)
        draining = asyncio.create_task(a.drain())
        await asyncio.sleep(0.01)
        b.close(1007)
        with pytest.raises(gns.ConnectionClosedOK) as error:
            await draining
        assert error.value.code == 1007
        with pytest.raises(gns.ConnectionClosedOK):
            await a.drain()
        a.close()

    run(main)


@pytest.mark.parametrize("bound", [Config(recv_queue_messages=100), Config(recv_queue_bytes=20_000)])
def test_a_reader_that_is_too_slow_loses_its_connection_and_nothing_else(run: Runner, bound: Config) -> None:
    async def main() -> None:
        async with gns.listen("127.0.0.1", 0, config=bound | FAST) as listener:
            clients = [
                await asyncio.gather(gns.connect(*listener.address, config=FAST), listener.accept()) for _ in "ab"
            ]
            (fast, server_of_fast), (slow, server_of_slow) = clients
            for number in range(300):
                fast.send(b"%03d" % number + b"x" * 197)
                assert int((await server_of_fast.recv())[:3]) == number  # read as it comes: no bound is met
                with contextlib.suppress(gns.ConnectionClosedError):  # it is over soon
                    slow.send(b"%03d" % number + b"x" * 197)
            end = await server_of_slow.wait_closed()
            assert end.code == gns.EndReason.MESSAGE_QUEUE_LIMIT_REACHED
            assert end.closed_by.value == "a problem"
            assert (await slow.wait_closed()).code == 2003
            waiting: list[int] = []
            with contextlib.suppress(gns.ConnectionClosedError):
                async for data in server_of_slow:
                    waiting += [int(data[:3])]
            assert waiting == list(range(100))  # 100 messages, or 100 times 200 bytes
            fast.send(b"end")
            assert await server_of_fast.recv() == b"end"
            for each in (fast, server_of_fast, slow, server_of_slow):
                each.close()

    run(main)
