"""Objects closed or collected after their loop was closed: no exception, no warning, and the peer is told."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support import eventually
from support.loops import LOOPS, NoReaders, new_loop
from support.references import counts_references

import gns_py.asyncio as gns
import gns_py.session.asyncio as session
import gns_py.session.sync as sync_session
import gns_py.sync as sync
from gns_py.asyncio.mailbox import loop_mailboxes

Ends = list[tuple[int, str]]
# The name of a test's own tasks, which never end before their loop is closed.
OWN = "a task of the test"


@pytest.fixture(params=[*(each for each in LOOPS if each != "eager"), "no readers"])
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    """Yield a loop that the test closes."""
    loop = NoReaders() if request.param == "no readers" else new_loop(request.param)
    complaints = complaints_of(loop)
    yield loop
    assert loop.is_closed()
    del loop
    gc.collect()
    assert not complaints


@pytest.fixture
def ends() -> Ends:
    """Codes and texts as the servers see them."""
    return []


@pytest.fixture
def servers(ends: Ends) -> Iterator[dict[Any, tuple[str, int]]]:
    """Yield the address of each API's server, which runs in a thread of its own."""

    def handler(connection: Any) -> None:
        try:
            for data in connection:
                connection.send(data)
        except ConnectionError:
            pass
        ends.append((connection.end.code, connection.end.text))

    with sync.serve(handler, "127.0.0.1", 0) as natively, sync_session.serve(handler, "127.0.0.1", 0) as sessions:
        yield {gns: natively.address, session: sessions.address}


def complaints_of(loop: asyncio.AbstractEventLoop) -> list[dict[str, Any]]:
    """Return a list to which the loop will add its complaints, except those about tasks named OWN."""
    complaints: list[dict[str, Any]] = []

    def complain(_: object, context: dict[str, Any]) -> None:
        task = context.get("task")
        if task is None or task.get_name() != OWN:
            complaints.append(context)

    loop.set_exception_handler(complain)
    return complaints


def opened(loop: asyncio.AbstractEventLoop, api: Any, address: tuple[str, int], waiting: str) -> Any:
    """Return a connection or session whose loop is closed, with pending waits on it that never end."""

    async def open_it() -> Any:
        connection = await api.connect(*address)
        waits: list[Any] = []
        if waiting == "reader":
            waits = [connection.recv(), connection.ping(), connection.wait_closed()]
        for each in waits:
            task = asyncio.ensure_future(each)
            task.set_name(OWN)
            tasks.append(task)
        await asyncio.sleep(0.05)
        return connection

    tasks: list[Any] = []
    connection = loop.run_until_complete(open_it())
    loop.close()
    return connection


def in_this_thread(function: Callable[[], object]) -> None:
    function()


def in_another_thread(function: Callable[[], object]) -> None:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            function()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert not failures


apis = pytest.mark.parametrize("api", [gns, session], ids=["connection", "session"])


@apis
@pytest.mark.parametrize("where", [in_this_thread, in_another_thread])
@pytest.mark.parametrize("waiting", ["no one", "reader"])
def test_closing(
    loop: asyncio.AbstractEventLoop,
    servers: dict[Any, tuple[str, int]],
    ends: Ends,
    api: Any,
    where: Callable[[Callable[[], object]], None],
    waiting: str,
) -> None:
    connection = opened(loop, api, servers[api], waiting)
    for _ in range(2):
        where(lambda: connection.close(1234, "bye"))
    eventually(lambda: ends)
    assert ends == [(1234, "bye")]
    assert (connection.end.code, connection.end.text) == (1234, "bye")
    repr(connection)
    with pytest.raises(ConnectionError):
        connection.send(b"x")


@apis
def test_aborting_and_what_else_waits_for_nothing(
    loop: asyncio.AbstractEventLoop, servers: dict[Any, tuple[str, int]], ends: Ends, api: Any
) -> None:
    connection = opened(loop, api, servers[api], "no one")
    assert connection.send(b"x") == 1
    connection.flush()
    connection.stats()
    if api is session:
        connection.abort(1234, "bye")
    else:
        connection.close(1234, "bye", linger=False)
    eventually(lambda: ends)
    assert ends == [(1234, "bye")]


@counts_references
@pytest.mark.parametrize("waiting", ["no one", "reader"])
def test_a_connection_that_is_collected(
    loop: asyncio.AbstractEventLoop, servers: dict[Any, tuple[str, int]], ends: Ends, waiting: str
) -> None:
    connection = opened(loop, gns, servers[gns], waiting)
    kept = [connection]
    del connection

    def collect() -> None:
        kept.clear()
        gc.collect()

    with pytest.warns(ResourceWarning, match="unclosed connection"):
        collect()
    eventually(lambda: ends)
    assert ends[0][0] == 1000
    assert loop.is_closed()


@apis
@pytest.mark.parametrize("where", [in_this_thread, in_another_thread])
def test_a_server(loop: asyncio.AbstractEventLoop, api: Any, where: Callable[[Callable[[], object]], None]) -> None:
    """Its handlers wait for ever, which asyncio reports; it has nothing else to report."""
    handlers: list[Any] = []

    async def handler(connection: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.set_name(OWN)
        handlers.append(connection)
        async for _ in connection:
            pass

    async def open_it() -> Any:
        return await api.serve(handler, "127.0.0.1", 0)

    clients: Any = sync if api is gns else sync_session
    server = loop.run_until_complete(open_it())
    client_thread: list[Any] = []
    address = server.address
    thread = threading.Thread(target=lambda: client_thread.append(clients.connect(*address)))
    thread.start()
    loop.run_until_complete(until(lambda: client_thread and handlers))
    thread.join()
    (client,) = client_thread
    loop.close()
    for _ in range(2):
        where(server.close)
    end = client.wait_closed(5.0)
    assert end.code in (1000, 1001)
    client.close()
    assert not server.is_serving() or api is session
    with sync.listen(*address):  # the port is free
        pass
    handlers.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del server
        gc.collect()


@apis
def test_a_listen_socket(loop: asyncio.AbstractEventLoop, api: Any) -> None:
    async def open_it() -> Any:
        return await api.listen("127.0.0.1", 0)

    socket = loop.run_until_complete(open_it())
    loop.close()
    for _ in range(2):
        socket.close()
    with sync.listen(*socket.address):
        pass


@counts_references
def test_nothing_is_left(servers: dict[Any, tuple[str, int]], ends: Ends) -> None:
    for number in range(6):
        api = (gns, session)[number % 2]
        loop = asyncio.new_event_loop()
        complaints_of(loop)
        opened(loop, api, servers[api], "reader").close()
    del loop
    eventually(lambda: len(ends) == 6)
    gc.collect()
    assert not loop_mailboxes()


async def until(ready: Callable[[], object]) -> None:
    while not ready():
        await asyncio.sleep(0.001)


@counts_references
def test_a_listen_socket_that_is_collected(loop: asyncio.AbstractEventLoop) -> None:
    async def open_it() -> Any:
        return await gns.listen("127.0.0.1", 0)

    socket = loop.run_until_complete(open_it())
    address = socket.address
    loop.close()
    kept = [socket]
    del socket
    with pytest.warns(ResourceWarning, match="unclosed listen socket"):
        kept.clear()
    gc.collect()
    with sync.listen(*address):  # the port is free
        pass


@counts_references
def test_a_connection_of_a_loop_that_is_gone_names_it() -> None:
    async def open_it() -> list[Any]:
        return list(gns.socket_pair())

    ends = asyncio.run(open_it())
    gc.collect()

    async def use_it() -> None:
        with pytest.raises(RuntimeError, match=r"an event loop of thread 'MainThread' that is gone"):
            await ends[0].recv()

    asyncio.run(use_it())
    for each in ends:
        each.close()
