"""The kinds of event loops, and running a test in them."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

LOOPS = ["asyncio"]
# uvloop is for these; it imports ssl, which a Python without OpenSSL does not have.
if sys.platform != "win32" and sys.implementation.name == "cpython" and importlib.util.find_spec("_ssl"):
    LOOPS.append("uvloop")
if sys.platform == "win32":  # where asyncio's own is the Proactor loop
    LOOPS.append("selector")
if sys.version_info >= (3, 12):
    LOOPS.append("eager")

Main = Callable[[], Coroutine[Any, Any, object]]


class Runner(Protocol):
    def __call__(self, main: Main, *, debug: bool = True) -> None: ...


def new_loop(kind: str) -> asyncio.AbstractEventLoop:
    """Return a new event loop of a kind in LOOPS."""
    if kind == "uvloop":
        import uvloop

        return uvloop.new_event_loop()
    loop = asyncio.SelectorEventLoop() if kind == "selector" else asyncio.new_event_loop()
    if kind == "eager":
        loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined,unused-ignore]
    return loop


def run_in(loop: asyncio.AbstractEventLoop, main: Main, *, debug: bool = True) -> None:
    """Do what asyncio.run() does, in that loop, and close it; any complaint of the loop fails the test."""
    complaints: list[dict[str, Any]] = []
    loop.set_debug(debug)
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    loop.slow_callback_duration = 5.0  # other work on the machine is not our fault
    try:
        loop.run_until_complete(asyncio.wait_for(main(), 60.0))
        left = asyncio.all_tasks(loop)
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()
    assert not left
    assert not complaints


class NoReaders(asyncio.SelectorEventLoop):
    """Like Windows' Proactor loop: without add_reader(), with sock_recv()."""

    def add_reader(self, *_: Any) -> None:  # type: ignore[override]
        raise NotImplementedError
