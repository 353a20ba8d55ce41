"""drain_on_signal()."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable
from types import FrameType
from typing import TypeAlias

from .._core.draining import Redirect, plan_departure
from .server import Server

_Handler: TypeAlias = Callable[[int, FrameType | None], object] | int | None


@contextlib.asynccontextmanager
async def drain_on_signal(
    server: Server,
    *signals: signal.Signals,
    deadline: float | None = 20.0,
    redirect: Redirect = (),
    text: str = "",
) -> AsyncIterator[None]:
    """Drain a server when a signal arrives while the block of this context manager runs.

    The signal interrupts nothing and raises nothing: the event loop drains the server. ``await server.wait_closed()``
    returns when that is done, and so does the end of the block, if a signal has arrived. A second signal makes the
    deadline the present. Afterwards the previous handlers of the signals are back, except those that were set with
    ``loop.add_signal_handler()``.

    Args:
        server: The server.
        *signals: The signals; SIGTERM if none is given.
        deadline: See Server.drain(), counted from the signal.
        redirect: See Server.drain().
        text: See Server.drain().

    Raises:
        TypeError: See Server.drain().
        ValueError: See Server.drain(); or this is not the main thread, or not a signal that can be handled.
        RuntimeError: As ValueError: it depends on the loop.
    """
    addresses = plan_departure(deadline, redirect, text).addresses
    loop = asyncio.get_running_loop()
    arrived: list[int] = []

    def on_signal(number: int) -> None:
        arrived.append(number)
        server.start_draining(plan_departure(deadline if len(arrived) == 1 else 0.0, addresses, text))

    with contextlib.ExitStack() as previous:
        for number in signals or (signal.SIGTERM,):
            before = signal.getsignal(number)
            _handle(loop, number, on_signal)
            previous.callback(_restore, loop, number, before)
        yield
        if arrived:
            await server.drain(deadline, redirect=addresses, text=text)


def _handle(loop: asyncio.AbstractEventLoop, number: int, function: Callable[[int], None]) -> None:
    try:
        loop.add_signal_handler(number, function, number)
    except NotImplementedError:  # Windows

        def call(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
            with contextlib.suppress(RuntimeError):  # the loop was closed just now
                loop.call_soon_threadsafe(function, number)

        signal.signal(number, call)


def _restore(loop: asyncio.AbstractEventLoop, number: int, before: _Handler) -> None:
    with contextlib.suppress(NotImplementedError):
        loop.remove_signal_handler(number)
    signal.signal(number, signal.SIG_DFL if before is None else before)
