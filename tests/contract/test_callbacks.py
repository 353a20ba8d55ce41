"""Functions of the wrong kind: a coroutine function where it is not awaited, a plain one where it would be."""

from __future__ import annotations

import asyncio
import functools
import gc
import logging
import types
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from support import eventually

import gns_py.asyncio as aio
import gns_py.session.asyncio as aio_session
import gns_py.session.sync as session
import gns_py.sync as gns


async def coroutine_function(_: object) -> None: ...


class WithCoroutineCall:
    async def __call__(self, _: object) -> None: ...

    async def method(self, _: object) -> None: ...

    @classmethod
    async def class_method(cls, _: object) -> None: ...


async def with_more(_: object, __: object) -> None: ...


def generator_function(_: object) -> Iterator[None]:
    yield


async def async_generator_function(_: object) -> AsyncIterator[None]:
    yield


COROUTINE_FUNCTIONS: dict[str, Any] = {
    "function": coroutine_function,
    "partial": functools.partial(with_more, 1),
    "partial of a partial": functools.partial(functools.partial(with_more), 1),
    "object": WithCoroutineCall(),
    "partial of an object": functools.partial(WithCoroutineCall()),
    "method": WithCoroutineCall().method,
    "class method": WithCoroutineCall.class_method,
}
GENERATOR_FUNCTIONS: dict[str, Any] = {
    "generator function": generator_function,
    "asynchronous generator function": async_generator_function,
}
ASYNC = pytest.mark.parametrize("function", COROUTINE_FUNCTIONS.values(), ids=COROUTINE_FUNCTIONS)
GENERATORS = pytest.mark.parametrize("function", GENERATOR_FUNCTIONS.values(), ids=GENERATOR_FUNCTIONS)


def plain(_: object) -> None: ...


def read(connection: gns.Connection) -> None:
    list(connection)


PLACES: dict[str, Callable[[Any], object]] = {
    "sync serve": lambda function: gns.serve(function, "127.0.0.1", 0),
    "session sync serve": lambda function: session.serve(function, "127.0.0.1", 0),
    "session sync on_request": lambda function: session.serve(plain, "127.0.0.1", 0, on_request=function),
    "sync status of serve": lambda function: gns.serve(plain, "127.0.0.1", 0, on_status_changed=function),
    "sync status of listen": lambda function: gns.listen("127.0.0.1", 0, on_status_changed=function),
    "sync status of connect": lambda function: gns.connect("127.0.0.1", 9, on_status_changed=function),
    "session sync status of serve": lambda function: session.serve(plain, "127.0.0.1", 0, on_status_changed=function),
    "session sync status of listen": lambda function: session.listen("127.0.0.1", 0, on_status_changed=function),
    "session sync status of connect": lambda function: session.connect("127.0.0.1", 9, on_status_changed=function),
    "asyncio status of serve": lambda function: aio.serve(
        coroutine_function, "127.0.0.1", 0, on_status_changed=function
    ),
    "asyncio status of listen": lambda function: aio.listen("127.0.0.1", 0, on_status_changed=function),
    "asyncio status of connect": lambda function: aio.connect("127.0.0.1", 9, on_status_changed=function),
    "session asyncio status of serve": lambda function: aio_session.serve(
        coroutine_function, "127.0.0.1", 0, on_status_changed=function
    ),
    "session asyncio status of listen": lambda function: aio_session.listen("127.0.0.1", 0, on_status_changed=function),
    "session asyncio status of connect": lambda function: aio_session.connect(
        "127.0.0.1", 9, on_status_changed=function
    ),
}
every_place = pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)


@every_place
@ASYNC
def test_a_coroutine_function_is_refused_where_it_is_not_awaited(
    place: Callable[[Any], object], function: Callable[..., object]
) -> None:
    with pytest.raises(TypeError, match="must be a plain function, not a coroutine function: nothing would await it"):
        place(function)


@every_place
@GENERATORS
def test_a_generator_function_is_refused(place: Callable[[Any], object], function: Callable[..., object]) -> None:
    with pytest.raises(TypeError, match="must not be a generator function: its body would never run"):
        place(function)


def says_none(_: object) -> None: ...


@pytest.mark.parametrize("api", [aio, aio_session], ids=["connection", "session"])
@pytest.mark.parametrize(
    "function",
    [*GENERATOR_FUNCTIONS.values(), says_none, lambda _: coroutine_function(_), lambda _: None, 5],
    ids=[*GENERATOR_FUNCTIONS, "says None", "lambda", "lambda of nothing", "5"],
)
def test_what_is_known_not_to_be_awaitable(api: Any, function: object) -> None:
    with pytest.raises(TypeError, match=r"^handler must "):
        api.serve(function, "127.0.0.1", 0)


def annotated(connection: object) -> Awaitable[object]:
    return coroutine_function(connection)


@types.coroutine
def old_style(_: object) -> Any:
    yield


@pytest.mark.parametrize("api", [aio, aio_session], ids=["connection", "session"])
@pytest.mark.parametrize(
    "function",
    [*COROUTINE_FUNCTIONS.values(), annotated, functools.wraps(coroutine_function)(lambda _: annotated(_)), old_style],
    ids=[*COROUTINE_FUNCTIONS, "annotated", "wrapper", "old style"],
)
def test_what_can_be_awaited_is_a_handler(
    api: Any, function: Callable[..., object], caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with api.serve(function, "127.0.0.1", 0) as server, api.connect(*server.address) as client:
            assert (await client.wait_closed()).code == 1000

    asyncio.run(main())
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.fixture
def errors(caplog: pytest.LogCaptureFixture) -> Iterator[list[BaseException]]:
    """Return the failures that were logged; there were no warnings."""
    found: list[BaseException] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            assert record.exc_info
            assert record.exc_info[1]
            found.append(record.exc_info[1])

    log, keep = logging.getLogger("gns_py"), Keep(logging.ERROR)
    log.addHandler(keep)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # including an un-awaited coroutine, which pytest reports
        yield found
        gc.collect()
    log.removeHandler(keep)
    caplog.clear()


# The result is not known before they are called.
MISLEADING = [
    pytest.param(lambda _: coroutine_function(_), id="a coroutine"),
    pytest.param(lambda _: generator_function(_), id="a generator"),
    pytest.param(lambda _: async_generator_function(_), id="an asynchronous generator"),
]


@pytest.mark.parametrize("api", [gns, session], ids=["connection", "session"])
@pytest.mark.parametrize("function", MISLEADING)
def test_a_handler_that_returns_what_never_runs(
    api: Any, function: Callable[[Any], Any], errors: list[BaseException]
) -> None:
    answers: list[bytes] = []

    def handler(connection: Any) -> Any:
        if connection.recv() == b"wrong":
            return function(connection)
        connection.send(b"well")
        connection.recv()
        return None

    with api.serve(handler, "127.0.0.1", 0) as server, api.connect(*server.address) as good:
        with api.connect(*server.address) as bad:
            bad.send(b"wrong")
            assert bad.wait_closed(5.0).code == 2001
        good.send(b"right")
        answers.append(good.recv(timeout=5.0))
        good.send(b"end")
    assert answers == [b"well"]
    assert [type(error).__mro__[1] for error in errors] == [TypeError]
    assert "handler must be a plain function" in str(errors[0])


@pytest.mark.parametrize("function", MISLEADING)
def test_a_decision_that_never_runs(function: Callable[[Any], Any], errors: list[BaseException]) -> None:
    def decide(request: Any) -> Any:
        if request.data == b"wrong":
            return function(request)
        return request.accept()

    with session.serve(plain, "127.0.0.1", 0, on_request=decide) as server:
        with pytest.raises(session.SessionFailed) as failed:
            session.connect(*server.address, data=b"wrong")
        assert failed.value.reason is session.CloseReason.INTERNAL_ERROR
        with session.connect(*server.address):
            pass
    assert len(errors) == 1
    assert isinstance(errors[0], TypeError)


@pytest.mark.parametrize("function", MISLEADING)
def test_a_status_callback_of_a_client_that_never_runs(
    function: Callable[[Any], Any], errors: list[BaseException]
) -> None:
    with gns.serve(read, "127.0.0.1", 0) as server, gns.connect(*server.address) as good:
        address = server.address
        with pytest.raises(gns.ConnectFailed) as failed:
            gns.connect(*address, on_status_changed=function)
        assert failed.value.code == 2001

        async def main() -> None:
            with pytest.raises(gns.ConnectFailed) as failed:
                await aio.connect(*address, on_status_changed=function)
            assert failed.value.code == 2001

        asyncio.run(main())
        assert good.ping(5.0) > 0
    assert len(errors) == 2
    assert all(isinstance(error, TypeError) for error in errors)


@pytest.mark.parametrize("function", MISLEADING)
def test_a_status_callback_of_a_server_that_never_runs(
    function: Callable[[Any], Any], errors: list[BaseException]
) -> None:
    """The callback ends each connection that it is called for, once."""

    def changed(event: gns.StatusChanged[gns.Connection]) -> Any:
        ports.append(event.info.remote_address)
        return function(event) if len(set(ports)) == 2 and event.info.remote_address == ports[-1] != ports[0] else None

    ports: list[Any] = []
    with (
        gns.serve(read, "127.0.0.1", 0, on_status_changed=changed) as server,
        gns.connect(*server.address) as good,
    ):
        eventually(lambda: len(ports) == 2)
        with pytest.raises(gns.ConnectFailed) as failed:
            gns.connect(*server.address)
        assert failed.value.code == 2001
        assert good.ping(5.0) > 0
    assert len(errors) == 1


def misleading(_: object) -> Any:
    """Such a callable may return an awaitable whatever its annotation says."""


@pytest.mark.parametrize("api", [aio, aio_session], ids=["connection", "session"])
def test_an_asyncio_handler_that_returns_nothing_to_await(api: Any, errors: list[BaseException]) -> None:
    async def main() -> None:
        async with api.serve(misleading, "127.0.0.1", 0) as server, api.connect(*server.address) as client:
            assert (await client.wait_closed()).code == 2001

    asyncio.run(main())
    assert len(errors) == 1
    assert "handler must be a coroutine function (async def)" in str(errors[0])


def test_what_runs_by_itself_may_be_returned(errors: list[BaseException]) -> None:
    """The result is a task, or what close() returns; neither has to be awaited."""

    async def main() -> None:
        def changed(event: aio.StatusChanged[aio.Connection]) -> Any:
            if event.new is aio.ConnectionState.CONNECTED:
                tasks.append(asyncio.ensure_future(coroutine_function(event)))
                return tasks[0]
            return event.connection.close() if event.end else None

        tasks: list[Any] = []
        async with aio.serve(coroutine_function, "127.0.0.1", 0) as server:
            connect: Any = aio.connect
            async with connect(*server.address, on_status_changed=changed) as client:
                assert (await client.wait_closed()).code == 1000
        await asyncio.wait(tasks)

    asyncio.run(main())
    assert errors == []
