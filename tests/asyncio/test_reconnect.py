"""``async for connection in connect(...)``."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest

import gns_py.asyncio as gns
from gns_py.asyncio import client

if TYPE_CHECKING:
    from support.loops import Runner


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_FIRST_PAUSE", 0.02)


def test_it_connects_again_when_the_connection_has_ended(run: Runner) -> None:
    async def main() -> None:
        served = 0

        async def handler(connection: gns.Connection) -> None:
            nonlocal served
            served += 1
            connection.send(b"%d" % served)

        received = []
        async with gns.serve(handler, "127.0.0.1", 0) as server:
            async for connection in gns.connect(*server.address):
                received += [data async for data in connection]
                if len(received) == 3:
                    break
        assert received == [b"1", b"2", b"3"]
        assert served == 3

    run(main)


def test_it_waits_for_a_server_that_is_not_there_yet(run: Runner, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with gns.listen("127.0.0.1", 0) as listener:
            address = listener.address

        async def later() -> gns.Server:
            await asyncio.sleep(0.3)
            return await gns.serve(echo, *address)

        starting = asyncio.create_task(later())
        async for connection in gns.connect(*address, timeout=0.2):
            connection.send(b"here at last")
            assert await connection.recv() == b"here at last"
            break
        server = await starting
        server.close()
        await server.wait_closed()

    async def echo(connection: gns.Connection) -> None:
        async for data in connection:
            connection.send(data)

    with caplog.at_level(logging.INFO, "gns_py"):
        run(main)
    assert any("again in" in record.getMessage() and "MISC_TIMEOUT" in record.getMessage() for record in caplog.records)


def test_it_gives_up_where_trying_again_cannot_help(run: Runner) -> None:
    async def main() -> None:
        async with gns.listen("127.0.0.1", 0) as listener:

            async def refuse() -> None:
                async for request in listener:
                    request.reject(1500, "banned")

            refusing = asyncio.create_task(refuse())
            with pytest.raises(gns.ConnectFailed) as failed:  # noqa: PT012
                async for _ in gns.connect(*listener.address):
                    pytest.fail("it was refused")
            assert (failed.value.code, failed.value.text) == (1500, "banned")
            refusing.cancel()
            await asyncio.gather(refusing, return_exceptions=True)

    run(main)


def test_an_exception_in_its_block_ends_it_and_closes_the_connection(run: Runner) -> None:
    async def main() -> None:
        ends = []

        async def handler(connection: gns.Connection) -> None:
            ends.append(await connection.wait_closed())

        async with gns.serve(handler, "127.0.0.1", 0) as server:
            connecting = gns.connect(*server.address).__aiter__()
            with pytest.raises(RuntimeError, match="mine"):  # noqa: PT012
                async for _ in connecting:
                    raise RuntimeError("mine")
            await connecting.aclose()  # type: ignore[attr-defined]
        assert len(ends) == 1

    run(main)


def test_cancelling_it_in_its_pause_leaves_nothing(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_FIRST_PAUSE", 30.0)

    async def main() -> None:
        async with gns.serve(handler, "127.0.0.1", 0) as server:

            async def again_and_again() -> None:
                async for connection in gns.connect(*server.address):
                    await connection.wait_closed()

            task = asyncio.create_task(again_and_again())
            await asyncio.sleep(0.2)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    async def handler(connection: gns.Connection) -> None:
        connection.close(1234)

    run(main)


def test_it_goes_on_when_a_server_s_limits_refuse_it(run: Runner, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async def handler(connection: gns.Connection) -> None:
            connection.send(b"hello")

        limits = gns.ConnectionLimits(rate_per_address=5.0, burst_per_address=1)
        received = []
        async with gns.serve(handler, "127.0.0.1", 0, limits=limits) as server:
            async for connection in gns.connect(*server.address):
                received += [data async for data in connection]
                if len(received) == 3:
                    break
            assert server.limit_counters.rate > 0
            assert server.limit_counters.admitted == 3

    with caplog.at_level(logging.INFO, "gns_py"):
        run(main)
    assert "2004 RATE_LIMITED: this address connects too often" in caplog.text


def test_a_connection_that_lasts_makes_the_next_pauses_short(
    run: Runner, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(client, "_SUCCESS", 0.05)

    async def main() -> None:
        connections = 0
        async with gns.serve(stay, "127.0.0.1", 0) as server:
            async for connection in gns.connect(*server.address):
                connections += 1
                await connection.wait_closed()
                if connections == 8:
                    break

    async def stay(connection: gns.Connection) -> None:
        await asyncio.sleep(0.2)
        connection.close(1234)

    with caplog.at_level(logging.INFO, "gns_py"):
        run(main)
    pauses = [record for record in caplog.records if "again in 0.0 s" in record.getMessage()]
    assert len(pauses) == 7
