"""gns_py.asyncio with the blocking names of gns_py.sync, so that one test can use both.

Its event loop runs in a thread of its own. Every call and every wait happens there, while the test's thread waits for
the result.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import queue
import threading
import time
import traceback
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from types import TracebackType
from typing import Any, cast
from weakref import WeakValueDictionary

import gns_py.asyncio as gns
from gns_py import Config, ConnectionLimits, Identity, sync
from gns_py._core.checks import StatusCallback
from gns_py.asyncio.mailbox import attached_mailbox
from gns_py.certs import Expect
from gns_py.limits import DEFAULT_LIMITS

_HANDLERS = 64
_SETTLING = 3.0


class BlockingAsyncio:
    """The names of gns_py.sync for gns_py.asyncio, in a loop of its own, which close() ends."""

    __name__ = gns.__name__

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._loop.set_debug(True)
        self._loop.slow_callback_duration = 5.0  # other work on the machine is not our fault
        self._complaints: list[str] = []
        self._loop.set_exception_handler(lambda _, context: self._complaints.append(_complaint(context)))
        self._handlers = ThreadPoolExecutor(_HANDLERS, "handler")
        self._shown: WeakValueDictionary[int, Shown] = WeakValueDictionary()
        self._showing = threading.RLock()
        self._thread = threading.Thread(target=self._run, name=f"{self._loop}")
        self._thread.start()

    def connect(
        self,
        host: str,
        port: int,
        *,
        timeout: float | None = 10.0,
        config: Config | None = None,
        expect: Expect | None = None,
        on_status_changed: StatusCallback | None = None,
        wait: bool = True,
    ) -> sync.Connection:
        """Connect; wait=False returns the connection of the first status change while connecting goes on."""
        begun: queue.SimpleQueue[sync.Connection] = queue.SimpleQueue()

        def tell(event: gns.StatusChanged[gns.Connection]) -> None:
            shown = self.show(event)
            begun.put(shown.connection)
            if on_status_changed is not None:
                on_status_changed(shown)

        callback = tell if on_status_changed is None or callable(on_status_changed) else on_status_changed

        async def opening() -> gns.Connection:
            return await gns.connect(
                host, port, timeout=timeout, config=config, expect=expect, on_status_changed=callback
            )

        if wait:
            return cast("sync.Connection", self.call(opening))
        connecting = self._begin(opening())
        try:
            return begun.get(timeout=5.0)
        except queue.Empty:
            raise connecting.exception(0) or AssertionError("connect() has not begun") from None

    def listen(
        self,
        host: str,
        port: int,
        *,
        config: Config | None = None,
        limits: ConnectionLimits | None = DEFAULT_LIMITS,
        require_authentication: bool | None = None,
        on_status_changed: StatusCallback | None = None,
    ) -> sync.ListenSocket:
        async def opening() -> gns.ListenSocket:
            told = self._told(on_status_changed)
            return await gns.listen(
                host,
                port,
                config=config,
                limits=limits,
                require_authentication=require_authentication,
                on_status_changed=told,
            )

        return cast("sync.ListenSocket", self.call(opening))

    def serve(
        self,
        handler: Callable[[sync.Connection], None],
        host: str,
        port: int,
        *,
        config: Config | None = None,
        limits: ConnectionLimits | None = DEFAULT_LIMITS,
        require_authentication: bool | None = None,
        on_status_changed: StatusCallback | None = None,
    ) -> sync.Server:
        """Serve; the handler runs in a thread, and the coroutine function that the server is given waits for it."""

        async def handle(connection: gns.Connection) -> None:
            await self._loop.run_in_executor(self._handlers, handler, self.show(connection))

        async def opening() -> gns.Server:
            return await gns.serve(
                handle if callable(handler) else handler,
                host,
                port,
                config=config,
                limits=limits,
                require_authentication=require_authentication,
                on_status_changed=self._told(on_status_changed),
            )

        return cast("sync.Server", self.call(opening))

    def socket_pair(
        self, *, network: bool = False, identities: tuple[Identity | None, Identity | None] = (None, None)
    ) -> tuple[sync.Connection, sync.Connection]:
        first, second = self.call(gns.socket_pair, network=network, identities=identities)
        return first, second

    def PollGroup(self) -> sync.PollGroup:  # noqa: N802 - it stands for a class
        return cast("sync.PollGroup", self.call(gns.PollGroup))

    def forget_shown(self) -> None:
        """Keep no shown object, so that each is collected with the test's last reference."""
        self._shown.clear()

    def call(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Call it in the loop's thread, and wait there if it is a coroutine function, up to ``timeout`` seconds."""
        if threading.get_ident() == self._thread.ident:
            assert not inspect.iscoroutinefunction(function), "a callback cannot wait"
            return self.show(function(*arguments, **named))
        waits = inspect.iscoroutinefunction(function)
        limited = waits and "timeout" not in inspect.signature(function).parameters
        timeout = named.pop("timeout", None) if limited else None
        given = [inner(each) for each in arguments]

        async def calling() -> Any:
            if not waits:
                return function(*given, **named)
            # Not wait_for(): with 0 seconds it would not even look.
            task = asyncio.ensure_future(function(*given, **named))
            if not (await asyncio.wait([task], timeout=timeout))[0]:
                task.cancel()
            try:
                return await task
            except asyncio.CancelledError:
                raise TimeoutError(f"not within {timeout} s") from None

        return self.show(self._begin(calling()).result())

    def show(self, thing: Any) -> Any:
        """Return a connection, or an object with one, as the test is to see it; always the same for the same object."""
        match thing:
            case gns.Connection() | gns.ListenSocket() | gns.Server() | gns.PollGroup():
                return self.shown(thing, _ShownPollGroup if isinstance(thing, gns.PollGroup) else Shown)
            case gns.StatusChanged() | gns.ConnectionRequest() | gns.MessageReceived() | gns.SendFailed():
                return replace(thing, connection=self.show(thing.connection))
            case list():
                return [self.show(each) for each in thing]
            case (gns.Connection(), gns.Connection()):
                return tuple(self.show(each) for each in thing)
        return thing

    def shown(self, thing: object, kind: type[Shown]) -> Shown:
        """Return the object that stands for it."""
        with self._showing:
            shown = self._shown.get(id(thing))
            if shown is None:
                shown = self._shown[id(thing)] = kind(self, thing)
        return shown

    def close(self) -> list[str]:
        """End the loop; return a list of what the test has left in it."""
        left: list[str] = self._begin(self._settle()).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._handlers.shutdown()
        return left + self._complaints

    def _told(self, callback: StatusCallback | None) -> StatusCallback | None:
        return (lambda event: callback(self.show(event))) if callable(callback) else callback

    def _begin(self, coroutine: Coroutine[Any, Any, Any]) -> Future[Any]:
        """Like asyncio.run_coroutine_threadsafe(), which leaves the result in a reference cycle."""
        future: Future[Any] = Future()

        def begin() -> None:
            self._loop.create_task(coroutine).add_done_callback(functools.partial(_finish, future))

        self._loop.call_soon_threadsafe(begin)
        return future

    async def _settle(self) -> list[str]:
        """Wait until nothing of gns_py runs or is watched in the loop; return what still is."""
        deadline = time.monotonic() + _SETTLING
        while True:
            left = [str(task) for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            mailbox = attached_mailbox(self._loop)
            if mailbox is not None:
                left.append(f"{mailbox} in {self._loop}")
            if not left or time.monotonic() > deadline:
                return left
            await asyncio.sleep(0.001)

    def _run(self) -> None:
        self._loop.run_forever()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()


def _complaint(context: dict[str, Any]) -> str:
    """Return the text of what a loop tells its exception handler."""
    error = context.get("exception")
    return f"{context}\n{''.join(traceback.format_exception(error)) if error is not None else ''}"


def _finish(future: Future[Any], task: asyncio.Task[Any]) -> None:
    error = task.exception()
    if error is None:
        future.set_result(task.result())
    else:
        future.set_exception(error)


def inner(thing: Any) -> Any:
    """Return the asyncio object behind one that is shown, and any other object itself."""
    return thing.inner if isinstance(thing, Shown) else thing


class Shown:
    """An object of gns_py.asyncio that is used in the loop's thread only."""

    __slots__ = ("__weakref__", "_api", "inner")

    _api: BlockingAsyncio
    inner: Any

    def __init__(self, api: BlockingAsyncio, inner: object) -> None:
        object.__setattr__(self, "_api", api)
        object.__setattr__(self, "inner", inner)

    def __getattr__(self, name: str) -> Any:
        value = self._api.call(getattr, self.inner, name)
        return functools.partial(self._api.call, value) if callable(value) else value

    def __setattr__(self, name: str, value: object) -> None:
        self._api.call(setattr, self.inner, name, value)

    def __repr__(self) -> str:
        return str(self._api.call(repr, self.inner))

    def __iter__(self) -> Iterator[Any]:
        while True:
            try:
                each = self._api.call(self.inner.__anext__)
            except StopAsyncIteration:
                return
            yield each

    def __contains__(self, thing: object) -> bool:
        return bool(self._api.call(self.inner.__contains__, thing))

    def __enter__(self) -> Any:
        return self._api.call(self.inner.__aenter__)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._api.call(self.inner.__aexit__, kind, value, traceback)


class _ShownPollGroup(Shown):
    """A plain context manager in both APIs; poll() gets the timeout that it has in gns_py.sync."""

    __slots__ = ()

    def __enter__(self) -> Any:
        return self._api.call(self.inner.__enter__)

    def __exit__(self, *raised: object) -> None:
        self._api.call(self.inner.__exit__, *raised)

    def poll(self, timeout: float | None = 0.0) -> list[Any]:
        try:
            return list(self._api.call(self.inner.poll, timeout=timeout))
        except TimeoutError:
            return []
