"""The pytest plugin: its fixtures, and the end of everything that tests leave behind."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from support import Peer, echo
from support.groups import ExceptionGroup

import gns_py
import gns_py.asyncio
import gns_py.sync as gns
from gns_py import ConfigValue
from gns_py.sim import Network
from gns_py.sim.pytest_plugin import NetworkMaker, PairMaker, ServerMaker

PLUGIN = "gns_py.sim.pytest_plugin"
ROOT = Path(__file__).resolve().parents[2]
# If gns_py runs from its folder, it has no entry points, and the plugin must be named.
INSTALLED = any(each.value == PLUGIN for each in entry_points(group="pytest11"))
pytest_plugins = ["pytester", *([] if INSTALLED else [PLUGIN])]

Run = Callable[..., pytest.RunResult]


# ---- the fixtures ----------------------------------------------------------------------------------------------------


def test_gns_pair_is_connected_both_ways(gns_pair: PairMaker) -> None:
    client, server = gns_pair
    assert list(gns_pair) == [client, server]  # always the same pair
    assert client.state is server.state is gns.ConnectionState.CONNECTED
    assert client.remote_address is not None
    client.send(b"there")
    assert server.recv(timeout=5.0) == b"there"
    server.send(b"and back")
    assert client.recv(timeout=5.0) == b"and back"


def test_gns_pair_makes_several_with_options(gns_pair: PairMaker) -> None:
    config = gns.Config(nagle_time=7)
    one = gns_pair()
    two = gns_pair(config)
    three = gns_pair(config, gns.Config(nagle_time=9))
    values = [[end.get_config(ConfigValue.NAGLE_TIME) for end in pair] for pair in (one, two, three)]
    assert values == [[5000, 5000], [7, 7], [7, 9]]


def test_gns_server_serves(gns_server: ServerMaker) -> None:
    server, other = gns_server(echo), gns_server(echo, config=gns.Config(nagle_time=7))
    assert server.address.host == "127.0.0.1"
    with gns.connect(*server.address) as one, gns.connect(*other.address) as two:
        one.send(b"hello")
        assert one.recv(timeout=5.0) == b"hello"
        assert [end.get_config(ConfigValue.NAGLE_TIME) for end in (*server.connections, *other.connections)] == [
            5000,
            7,
        ]
        two.send(b"hello, too")
        assert two.recv(timeout=5.0) == b"hello, too"


async def echo_async(connection: gns_py.asyncio.Connection) -> None:
    async for data in connection:
        connection.send(data)


def test_gns_server_serves_async_handlers_too(gns_server: ServerMaker, gns_network: NetworkMaker) -> None:
    server = gns_server(echo_async, config=gns.Config(nagle_time=7))
    gns_network(loss=10, lag=5)
    with gns.connect(*server.address) as client:
        client.send(b"hello")
        assert client.recv(timeout=10.0) == b"hello"
        assert [each.get_config(ConfigValue.NAGLE_TIME) for each in server.connections] == [7]


@pytest.mark.parametrize("handler", [echo, echo_async], ids=lambda handler: str(handler.__name__))
def test_the_fixtures_in_an_asyncio_test(
    gns_server: ServerMaker, gns_network: NetworkMaker, handler: Callable[..., Any]
) -> None:
    async def test() -> None:
        gns_network(loss=10, lag=5)
        async with gns_py.asyncio.connect(*gns_server(handler).address) as client:
            client.send(b"hello")
            assert await client.recv() == b"hello"

    asyncio.run(test())


def test_gns_server_says_why_it_does_not_start(gns_server: ServerMaker) -> None:
    config = gns.Config(fake_packet_lag_send=5)
    for handler in (echo, echo_async):
        with pytest.raises(ValueError, match="fake_packet_lag_send is a process-wide option"):
            gns_server(handler, config=config)


def test_gns_network_holds_from_the_call_on(gns_network: NetworkMaker, gns_pair: PairMaker) -> None:
    client, server = gns_pair()
    assert gns_network(loss=100) == Network(loss=100)
    client.send(b"first", nagle=False)
    with pytest.raises(TimeoutError):
        server.recv(timeout=0.2)
    gns_network(lag=100)  # instead of the previous one
    begin = gns_py.time_us()
    client.send(b"second", nagle=False)
    assert server.recv(timeout=5.0) == b"first"
    second = server.recv_message(timeout=5.0)
    assert second.data == b"second"
    assert second.received_us - begin >= 100_000
    gns_network()
    assert gns_py.get_config(ConfigValue.FAKE_PACKET_LAG_SEND) == 0


def test_gns_network_refuses_what_network_refuses(gns_network: NetworkMaker) -> None:
    with pytest.raises(ValueError, match="loss is 101"):
        gns_network(loss=101)
    with pytest.raises(TypeError, match="delay"):
        gns_network(delay=5)


# ---- in a user's tests -----------------------------------------------------------------------------------------------


@pytest.fixture
def run(pytester: pytest.Pytester) -> Run:
    """Return a function that runs pytest in a new process on a test file with this source. Warnings are errors."""
    chosen = [] if INSTALLED else ["-p", PLUGIN]

    def run(source: str, *arguments: str) -> pytest.RunResult:
        pytester.makepyfile(source)
        return pytester.runpytest_subprocess("-W", "error", "-p", "no:cacheprovider", *chosen, *arguments, timeout=60)

    return run


def test_what_a_test_leaves_is_undone(run: Run) -> None:
    result = run("""
        import gc
        import pytest
        import gns_py
        import gns_py.sync as gns

        left = []

        def handler(connection):
            left.append(connection)
            for data in connection:
                connection.send(data)

        def test_that_leaves_everything(gns_network, gns_pair, gns_server):
            left.extend(gns_pair())
            left.append(gns_server(handler))
            with gns.connect(*left[-1].address) as client:
                client.send(b"anything")
                client.recv(timeout=5)
            gns_network(loss=100, lag=500)
            gns_network(reorder=50, direction="both")

        def test_that_fails(gns_network, gns_pair):
            left.extend(gns_pair())
            gns_network(loss=50, rate=1000, direction="recv")
            raise RuntimeError("in the test")

        def test_that_nothing_is_left():
            for option in gns_py.ConfigValue:
                if option.option_name.startswith("fake_"):
                    assert gns_py.get_config(option) == option.default
            server = next(each for each in left if isinstance(each, gns.Server))
            assert [each.state for each in left if isinstance(each, gns.Connection)] == [gns.ConnectionState.NONE] * 5
            with gns.listen(*server.address):  # the port is free
                pass
    """)
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*RuntimeError: in the test*"])


HANDLERS = {
    "sync": """
        def handler(connection):
            assert connection.recv() == b"what is right"

        def stubborn(connection):
            threading.Event().wait()
    """,
    "asyncio": """
        async def handler(connection):
            assert await connection.recv() == b"what is right"

        async def stubborn(connection):
            await asyncio.Event().wait()
    """,
}


@pytest.mark.parametrize("handlers", HANDLERS.values(), ids=HANDLERS)
def test_a_handler_that_raises_makes_its_test_fail(run: Run, handlers: str) -> None:
    result = run(f"""
        import gns_py.sync as gns
        {handlers}
        def test_one(gns_server):
            with gns.connect(*gns_server(handler).address) as client:
                client.send(b"what is wrong")
                assert client.wait_closed(timeout=5).code == gns.EndReason.INTERNAL_ERROR

        def test_another(gns_server):
            with gns.connect(*gns_server(handler).address) as client:
                client.send(b"what is right")
                assert client.wait_closed(timeout=5).code == 1000
    """)
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_one*", "*AssertionError*what is wrong*what is right*"])


GROUPS = {
    "sync": """
        def handler(connection):
            first = connection.recv()
            connection.send(b"got it")
            try:
                connection.recv()
            except gns.ConnectionClosed as error:
                more = [ZeroDivisionError("a bug")] if first == b"bug" else []
                raise ExceptionGroup("outer", [error, ExceptionGroup("inner", [error, *more])])
    """,
    "asyncio": """
        async def handler(connection, more=None):
            first = await connection.recv()
            connection.send(b"got it")
            try:
                await connection.recv()
            except gns.ConnectionClosed as error:
                more = [ZeroDivisionError("a bug")] if first == b"bug" else []
                raise ExceptionGroup("outer", [error, ExceptionGroup("inner", [error, *more])])

        import functools
        handler = functools.partial(handler, more=1)
    """,
}


@pytest.mark.parametrize("handlers", GROUPS.values(), ids=GROUPS)
@pytest.mark.parametrize("code", [1000, 2000])
def test_a_group_of_ends_is_no_failure_of_the_handler(run: Run, handlers: str, code: int) -> None:
    result = run(f"""
        from {ExceptionGroup.__module__} import ExceptionGroup
        import gns_py.sync as gns
        {handlers}
        def test_ends(gns_server):
            with gns.connect(*gns_server(handler).address) as client:
                client.send(b"well")
                client.recv(timeout=5)
                client.close({code})

        def test_an_end_and_a_bug(gns_server):
            with gns.connect(*gns_server(handler).address) as client:
                client.send(b"bug")
                client.recv(timeout=5)
                client.close({code})
    """)
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_an_end_and_a_bug*", "*ZeroDivisionError: a bug*"])


@pytest.mark.parametrize("handlers", HANDLERS.values(), ids=HANDLERS)
def test_a_handler_that_does_not_end_makes_its_test_fail(run: Run, handlers: str) -> None:
    result = run(f"""
        import asyncio, threading
        import gns_py.sync as gns
        from gns_py.sim import pytest_plugin

        pytest_plugin._HANDLERS_END = 0.1
        {handlers}
        def test_it(gns_server):
            with gns.connect(*gns_server(stubborn).address):
                pass
    """)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*TimeoutError: the handlers did not end within 0.1 s*"])


def test_clients_that_vanish_are_no_failure_of_the_handler(run: Run) -> None:
    result = run("""
        import gns_py.sync as gns

        def handler(connection):
            connection.recv()

        def test_it(gns_server):
            server = gns_server(handler)
            with gns.connect(*server.address) as client:
                client.close(1711, "bye")
            with gns.connect(*server.address) as client:
                assert server.connections  # and ends when the server closes
    """)
    result.assert_outcomes(passed=1)


@pytest.mark.clone
def test_the_example_s_tests_pass(run: Run) -> None:
    result = run((ROOT / "examples" / "test_my_netcode.py").read_text())
    result.assert_outcomes(passed=6)


def test_the_fixtures_explain_themselves(run: Run) -> None:
    result = run("", "--fixtures")
    for name in ("gns_network", "gns_pair", "gns_server"):
        result.stdout.fnmatch_lines([f"{name} *", "    ``*gns_*(*"])


# ---- as a guest in every run of pytest -------------------------------------------------------------------------------


def test_loading_it_starts_nothing(peer: Callable[..., Peer]) -> None:
    program = peer(f"""
    import sys, threading
    import gns_py.sim
    print("pytest" in sys.modules)
    import {PLUGIN}
    import gns_py
    print(gns_py.is_running(), threading.active_count())
    print(sorted(sys.modules.keys() & {{"asyncio", "gns_py.sync", "gns_py.asyncio"}}))
    """)
    assert [program.line() for _ in range(3)] == ["False", "False 1", "[]"]


@pytest.mark.clone
def test_pytest_is_told_where_it_is() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    assert re.search(rf'^\[project.entry-points.pytest11\]\ngns_py = "{re.escape(PLUGIN)}"$', text, re.MULTILINE)


@pytest.mark.skipif(not INSTALLED, reason="gns_py is run from its folder")
def test_it_can_be_kept_out(run: Run) -> None:
    result = run("def test_it(gns_pair): pass", "-p", "no:gns_py")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fixture 'gns_pair' not found*"])
