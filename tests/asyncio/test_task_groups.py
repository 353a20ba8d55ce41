"""Exception groups as task groups raise them: the end of a handler's own connection within one counts as that end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from support.groups import BaseExceptionGroup, ExceptionGroup, TaskGroup
from support.loops import Runner

import gns_py.asyncio as gns
import gns_py.session.asyncio as session

Handler = Callable[[Any], Awaitable[None]]
apis = pytest.mark.parametrize("api", [gns, session], ids=["connection", "session"])


async def read(connection: Any) -> None:
    while True:
        await connection.recv()


async def tick(connection: Any) -> None:
    while True:
        connection.send(b"state")
        await asyncio.sleep(0.01)


async def in_a_group(connection: Any) -> None:
    if TaskGroup is None:  # as task groups raise it
        try:
            connection.send(b"state")
            await read(connection)
        except ConnectionError as error:
            raise ExceptionGroup("a group", [error]) from None
    async with TaskGroup() as group:
        group.create_task(read(connection))
        group.create_task(tick(connection))


async def in_groups_of_groups(connection: Any) -> None:
    try:
        await in_a_group(connection)
    except ExceptionGroup as group:
        raise ExceptionGroup("outer", [group, *group.exceptions]) from None


async def in_a_group_of_its_own_kind(connection: Any) -> None:
    class Own(BaseExceptionGroup):  # type: ignore[misc]
        def derive(self, exceptions: Any) -> Any:
            return Own(self.message, exceptions)

    try:
        await in_a_group(connection)
    except ExceptionGroup as group:
        raise Own("of its own", group.exceptions) from None


async def serve_one(api: Any, handler: Handler, code: int, records: list[logging.LogRecord]) -> list[str]:
    """Return the errors logged for a handler whose client leaves."""
    async with api.serve(handler, "127.0.0.1", 0) as server, api.connect(*server.address) as client:
        await client.recv()
        await client.close(code, "bye")
    return [record.getMessage() for record in records if record.levelno >= logging.ERROR]


@apis
@pytest.mark.parametrize("code", [1000, 2000])
@pytest.mark.parametrize("handler", [in_a_group, in_groups_of_groups, in_a_group_of_its_own_kind])
def test_the_own_end_in_a_group_is_no_error(
    run: Runner, caplog: pytest.LogCaptureFixture, api: Any, code: int, handler: Handler
) -> None:
    async def main() -> None:
        assert await serve_one(api, handler, code, caplog.records) == []

    run(main)


@apis
def test_of_a_mixed_group_the_rest_is_logged(run: Runner, caplog: pytest.LogCaptureFixture, api: Any) -> None:
    async def handler(connection: Any) -> None:
        try:
            await in_a_group(connection)
        except ExceptionGroup as group:
            raise ExceptionGroup("mixed", [*group.exceptions, ZeroDivisionError("a bug")]) from None

    async def main() -> None:
        (error,) = await serve_one(api, handler, 1000, caplog.records)
        assert "failed" in error
        (record,) = (each for each in caplog.records if each.levelno >= logging.ERROR)
        assert record.exc_info is not None
        rest = record.exc_info[1]
        assert isinstance(rest, ExceptionGroup)
        matching, others = rest.split(ZeroDivisionError)
        assert matching is not None
        assert others is None
        caplog.clear()

    run(main)


@apis
def test_the_end_of_another_one_in_a_group_is_an_error(run: Runner, caplog: pytest.LogCaptureFixture, api: Any) -> None:
    async def handler(connection: Any) -> None:
        connection.send(b"x")
        other, peer = gns.socket_pair()
        # Later: a group whose first eager task fails at once takes no second one.
        asyncio.get_running_loop().call_soon(peer.close, 2000, "of another one")
        async with other:
            await in_a_group(other)

    async def main() -> None:
        async with api.serve(handler, "127.0.0.1", 0) as server, api.connect(*server.address) as client:
            await client.recv()
            assert (await client.wait_closed()).code == 2001
        assert [each for each in caplog.records if each.levelno >= logging.ERROR]
        caplog.clear()

    run(main)


@apis
@pytest.mark.parametrize("with_own_end", [False, True])
def test_a_cancellation_in_a_group_is_a_cancellation(
    run: Runner, caplog: pytest.LogCaptureFixture, api: Any, with_own_end: bool
) -> None:
    """Some libraries raise groups that contain the cancellation: the task was cancelled and has not failed."""

    async def handler(connection: Any) -> None:
        connection.send(b"x")
        errors: list[BaseException] = [asyncio.CancelledError()]
        if with_own_end:
            try:
                await connection.recv()
            except ConnectionError as error:
                errors.append(error)
        raise BaseExceptionGroup("cancelled", errors)

    async def main() -> None:
        async with api.serve(handler, "127.0.0.1", 0) as server, api.connect(*server.address) as client:
            await client.recv()
            if with_own_end:
                await client.close(1000)
            else:
                assert (await client.wait_closed()).code == (1001 if api is gns else 1000)
            assert await server.drain(5.0)
        assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []

    run(main)


class LeftError(Exception):
    pass


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ([asyncio.CancelledError()], 1001),
        ([asyncio.CancelledError(), KeyboardInterrupt()], 1001),
        ([KeyboardInterrupt(), SystemExit()], 1000),
        ([LeftError()], 2001),
        ([asyncio.CancelledError(), LeftError()], 2001),
        ([BaseExceptionGroup("inner", [asyncio.CancelledError()])], 1001),
    ],
    ids=str,
)
def test_the_code_of_a_block_that_ends_by_a_group(run: Runner, errors: list[BaseException], code: int) -> None:
    async def main() -> None:
        first, second = gns.socket_pair()
        with pytest.raises(BaseExceptionGroup):
            async with first:
                raise BaseExceptionGroup("group", errors)
        assert (await second.wait_closed()).code == code
        second.close()

    run(main)


@pytest.mark.parametrize(("error", "code"), [(asyncio.CancelledError(), 1000), (LeftError(), 2001)])
def test_the_code_of_a_sessions_block_that_ends_by_a_group(run: Runner, error: BaseException, code: int) -> None:
    async def main() -> None:
        async def handler(other: session.Session) -> None:
            ends.append(await other.wait_closed())

        ends: list[session.SessionEnd] = []
        async with session.serve(handler, "127.0.0.1", 0) as server:
            with pytest.raises(BaseExceptionGroup):
                async with session.connect(*server.address):
                    raise BaseExceptionGroup("group", [BaseExceptionGroup("inner", [error])])
            while not ends:
                await asyncio.sleep(0.001)
        assert ends[0].code == code

    run(main)
