"""Fixtures for all tests: a test must close what it opens, and errors in GNS's log fail it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import faulthandler
import gc
import logging
import os
import re
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
from support import Api, Peer, eventually, open_descriptors
from support.leftovers import leftovers
from support.loops import LOOPS, new_loop
from support.platforms import RATE

import gns_py
import gns_py.sync
from gns_py import Config, ConfigValue
from gns_py.sim.nat_lab import NatLab
from gns_py.sim.nat_lab import why_not as why_no_lab
from gns_py.sync import Connection, ListenSocket

# Logged by GNS when another program was faster to take the port that was free; listen() then tries another.
_PORT_TAKEN = rf"Failed to bind socket\. +Error code 0x{errno.EADDRINUSE:08x}"
_PROCESS = psutil.Process()
# On other implementations (PyPy), walking all objects takes up to a second, which is too long for each test.
_IS_CPYTHON = sys.implementation.name == "cpython"
_OPTIONS = {each for each in ConfigValue if each.option_name in Config.__dataclass_fields__}
_TERMINAL = pytest.StashKey[int]()
# How much longer than its time limit a test may take, in seconds: it still has to clean up.
_CLEANUP = 60.0


def pytest_configure(config: pytest.Config) -> None:
    """Keep the terminal's descriptor, which pytest captures during tests."""
    config.stash[_TERMINAL] = os.dup(2)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Close it."""
    os.close(config.stash[_TERMINAL])


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """End the process, and show where its threads are, if a test does not end although its time is up.

    The time limit raises an exception in the main thread. That does not help while the thread is in native code, or if
    the exception is lost in a callback, or if the cleanup after it waits for ever; without this, the whole run would.
    """
    marker = item.get_closest_marker("timeout")
    limit = float(marker.args[0] if marker else item.config.getoption("timeout") or item.config.getini("timeout"))
    if limit and not item.config.getoption("usepdb"):
        faulthandler.dump_traceback_later(limit + _CLEANUP, exit=True, file=item.config.stash[_TERMINAL])
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


class _Errors(logging.Handler):
    """A handler that keeps the lines of GNS's log of level error or bug."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture(scope="session", autouse=True)
def _warmed_up() -> None:
    """Open what is opened once per process, before anything is counted, and freeze the existing objects."""
    gns_py.start()
    gns_py.stop()
    for kind in LOOPS:
        loop = new_loop(kind)
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
    gc.collect()
    if hasattr(gc, "freeze"):  # not on PyPy
        gc.freeze()


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves connections, threads, descriptors or options behind, or errors in GNS's log.

    The runtime is stopped after each test. ``@pytest.mark.native_errors("pattern", ...)`` names lines of GNS's log that
    the test provokes.
    """
    expected = [pattern for mark in request.node.iter_markers("native_errors") for pattern in mark.args]
    expected.append(_PORT_TAKEN)
    errors = _Errors()
    log = logging.getLogger("gns_py.native")
    log.addHandler(errors)
    threads = set(threading.enumerate())
    native_threads = _PROCESS.num_threads()
    descriptors = open_descriptors()
    yield
    problems: list[str] = []
    if _IS_CPYTHON or gns_py.is_running():
        gc.collect()
    if _IS_CPYTHON:  # a thread that was told to close a connection may be about to
        with contextlib.suppress(AssertionError):
            eventually(lambda: not leftovers(), 2.0)
    for thing in leftovers() if _IS_CPYTHON else []:
        problems.append(f"left open: {thing!r}")
        thing.abandon()
    if gns_py.is_running():
        now = gns_py.list_config()
        problems += [f"left set: {each}" for each in _OPTIONS & now.keys() if now[each] != pytest.approx(each.default)]
        gns_py.reset_config()
    gns_py.stop(linger=0)
    log.removeHandler(errors)
    problems += [
        f"GNS's log: {line}" for line in errors.lines if not any(re.search(pattern, line) for pattern in expected)
    ]
    try:
        eventually(lambda: set(threading.enumerate()) <= threads, 2.0, "the end of the test's threads")
        eventually(lambda: _PROCESS.num_threads() <= native_threads, 2.0, "the end of native threads")
        eventually(lambda: open_descriptors() <= descriptors, 2.0, "the closing of the test's descriptors")
    except AssertionError as error:
        problems.append(str(error))
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)


class Pair(NamedTuple):
    """Two connected ends."""

    client: Connection
    server: Connection


PairMaker = Callable[..., Pair]


@pytest.fixture
def fast() -> Config:
    """Return options for tests that move data."""
    return Config(send_rate_min=RATE, send_rate_max=RATE)


@pytest.fixture
def api() -> Api:
    """Return the API that the fixtures below use; contract tests override it to run with each API."""
    return gns_py.sync


@pytest.fixture
def listener(api: Api) -> Iterator[ListenSocket]:
    """Yield a listen socket on IPv4 loopback."""
    with api.listen("127.0.0.1", 0) as socket:
        yield socket


@pytest.fixture
def make_pair(api: Api) -> Iterator[PairMaker]:
    """Yield a function (config for both, server_config=...) that connects a client to a server over UDP on loopback."""
    with ExitStack() as stack:

        def make(config: Config | None = None, server_config: Config | None = None) -> Pair:
            socket = stack.enter_context(api.listen("127.0.0.1", 0, config=server_config or config))
            with ThreadPoolExecutor(1) as pool:
                accepting = pool.submit(socket.accept, timeout=5.0)
                client = stack.enter_context(api.connect("127.0.0.1", socket.address.port, config=config))
                return Pair(client, stack.enter_context(accepting.result()))

        yield make


@pytest.fixture
def pair(make_pair: PairMaker, fast: Config) -> Pair:
    """Return a client and the server's end of its connection, over UDP on loopback, each read by itself."""
    return make_pair(fast)


@pytest.fixture
def process_config() -> Iterator[Callable[[Config], None]]:
    """Yield gns_py.set_config(); the options are reset after the test."""
    yield gns_py.set_config
    gns_py.reset_config()


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[Callable[..., Peer]]:
    """Yield a function that starts Python source, with arguments, as a program of its own, killed after the test."""
    with ExitStack() as stack:
        yield lambda source, *arguments: stack.enter_context(Peer(source, tmp_path, *arguments))


@pytest.fixture(scope="session")
def _why_no_lab() -> str | None:
    return why_no_lab()


@pytest.fixture
def needs_nat_lab(_why_no_lab: str | None) -> None:
    """Skip where there can be no laboratory of NATs."""
    if _why_no_lab:
        pytest.skip(_why_no_lab)


@pytest.fixture
def nat_lab(needs_nat_lab: None) -> Iterator[NatLab]:  # noqa: ARG001
    """Yield two hosts behind routers, in network namespaces; skip where that is not possible."""
    with NatLab() as lab:
        yield lab
