"""Any signalling for threads: it runs in an event loop of its own, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeoutError
from types import TracebackType
from typing import Any, TypeVar

from ..._loop_thread import LoopThread
from ..._uncopyable import Uncopyable
from ...identity import Identity
from ..ice_servers import IceServers
from .errors import SignallingClosed, SignallingError
from .signalling import Signal, Signalling

T = TypeVar("T")
_Self = TypeVar("_Self", bound="BlockingSignalling")
_QUEUE = 64


class BlockingSignalling(Uncopyable):
    """A signalling of asyncio that threads use. All methods may be called by several threads at once.

    Use it as a ``with`` block, or call ``close()``. It opens the signalling, in a thread of its own, and closes it::

        with BlockingSignalling(WebSocketSignalling(url, token=token)) as signalling:
            room = signalling.run(signalling.inner.join("lobby"))
            signalling.send(room.host, b"...")

    Args:
        inner: The signalling, not opened yet; or a function that makes it, which is called in the event loop, as
            MemorySignalling needs.

    Raises:
        Exception: The signalling cannot be opened: SignallingRefused, for example.
        RuntimeError: The system has no more threads.
    """

    def __init__(self, inner: Signalling | Callable[[], Signalling]) -> None:
        self._waiting: deque[Signal] = deque(maxlen=_QUEUE)
        self._changed = threading.Condition()
        self._has_ended = False
        self._error: Exception | None = None
        self._reader: asyncio.Task[None] | None = None
        self._closing = threading.Lock()
        self._thread = LoopThread("gns_py signalling")
        try:
            self._inner = self.run(self._open(inner))
        except BaseException:
            self._thread.stop()
            raise

    # ---- for threads ------------------------------------------------------------------------------------------------

    @property
    def inner(self) -> Any:  # noqa: ANN401 - whichever signalling it is, with its own methods
        """The signalling of asyncio. Call its methods by ``run()`` alone."""
        return self._inner

    @property
    def identity(self) -> Identity:
        """The identity of this end: see Signalling."""
        return self._inner.identity

    @property
    def ice_servers(self) -> IceServers | None:
        """The ICE servers of the service: see Signalling."""
        return self._inner.ice_servers

    def send(self, to: Identity, signal: bytes) -> None:
        """Send a signal, as well as it can be done: see Signalling.

        Args:
            to: The receiver.
            signal: At most 8,192 bytes.

        Raises:
            ValueError: The signal is larger or empty.
            SignallingClosed: The signalling was closed, or has ended.
        """
        self.run(self._inner.send(to, signal))

    def recv(self, timeout: float | None = None) -> Signal:
        """Wait for a signal, and return it. If more than 64 wait, the oldest ones are dropped.

        Args:
            timeout: The seconds to wait at most; 0 to return at once; None for ever.

        Raises:
            TimeoutError: There was no signal in time.
            SignallingClosed: The signalling was closed.
            SignallingError: The signalling has ended by itself: SignallingRefused, for example.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while not self._waiting:
                if self._has_ended:
                    if self._error is not None:
                        raise self._error.with_traceback(None)
                    raise SignallingClosed("the signalling was closed")
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    raise TimeoutError(f"no signal within {timeout:g} s")
                self._changed.wait(left)
            return self._waiting.popleft()

    def __iter__(self) -> Iterator[Signal]:
        """Yield the signals that arrive until the signalling is closed."""
        while True:
            try:
                signal = self.recv()
            except SignallingClosed:
                return
            yield signal

    def run(self, coroutine: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        """Run a coroutine in the signalling's event loop, and return what it returns.

        Args:
            coroutine: Such as ``signalling.inner.join("lobby")``.
            timeout: The seconds to wait at most, after which it is cancelled; None for ever.

        Raises:
            TimeoutError: It did not end in time.
            SignallingClosed: The signalling was closed.
            Exception: The coroutine has raised it.
        """
        return run_in(self._thread, coroutine, timeout)

    def close(self) -> None:
        """Close the signalling, and end the thread. Calling it again does nothing. Not from the thread itself."""
        with self._closing:
            if not self._thread.is_alive:
                return
            try:
                self.run(self._close())
            finally:
                self._thread.stop()

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # ---- in the loop ------------------------------------------------------------------------------------------------

    async def _open(self, inner: Signalling | Callable[[], Signalling]) -> Signalling:
        signalling: Any = inner if hasattr(inner, "send") else inner()
        if hasattr(signalling, "__aenter__"):
            await signalling.__aenter__()
        self._reader = asyncio.ensure_future(self._read(signalling))
        opened: Signalling = signalling
        return opened

    async def _read(self, signalling: Signalling) -> None:
        error: Exception | None = None
        try:
            async for signal in signalling:
                with self._changed:
                    self._waiting.append(signal)
                    self._changed.notify()
        except Exception as problem:
            error = problem if isinstance(problem, SignallingError) else SignallingError(f"it has failed: {problem!r}")
        finally:
            with self._changed:
                self._has_ended, self._error = True, error
                self._changed.notify_all()

    async def _close(self) -> None:
        try:
            await self._inner.aclose()
        finally:
            if self._reader is not None:
                self._reader.cancel()
                await asyncio.wait({self._reader})


def run_in(thread: LoopThread, coroutine: Coroutine[Any, Any, T], timeout: float | None) -> T:
    """Run a coroutine in a signalling's thread. See BlockingSignalling.run()."""
    try:
        future = thread.begin(coroutine)
    except RuntimeError:
        if not thread.has_ended:
            raise
        raise SignallingClosed("the signalling was closed") from None
    try:
        return future.result(timeout)
    except CancelledError:
        raise SignallingClosed("the signalling was closed") from None
    except BaseException as error:
        if not future.done():  # this thread waits no longer
            future.cancel()
            if isinstance(error, FutureTimeoutError):  # before Python 3.11 not the built-in one
                raise TimeoutError(f"not within {timeout:g} s") from None
        raise
