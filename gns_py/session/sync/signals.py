"""drain_on_signal()."""

from __future__ import annotations

import contextlib
import queue
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from .._core.draining import Redirect, plan_departure
from .server import Server


@contextlib.contextmanager
def drain_on_signal(
    server: Server,
    *signals: signal.Signals,
    deadline: float | None = 20.0,
    redirect: Redirect = (),
    text: str = "",
) -> Iterator[None]:
    """Drain a server when a signal arrives while the block of this context manager runs.

    The signal interrupts nothing and raises nothing: another thread drains the server. ``server.wait_closed()`` returns
    when that is done, and so does the end of the block, if a signal has arrived. A second signal makes the deadline the
    present. Afterwards the previous handlers of the signals are back.

    Args:
        server: The server.
        *signals: The signals; SIGTERM if none is given.
        deadline: See Server.drain(), counted from the signal.
        redirect: See Server.drain().
        text: See Server.drain().

    Raises:
        TypeError: See Server.drain().
        ValueError: See Server.drain(); or this is not the main thread, or not a signal that can be handled.
    """
    addresses = plan_departure(deadline, redirect, text).addresses
    arrived: list[int] = []
    news: queue.SimpleQueue[int] = queue.SimpleQueue()  # of how many signals; its put() may interrupt itself

    def on_signal(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        arrived.append(number)
        news.put(len(arrived))

    def wait_for_signals() -> None:
        while count := news.get():
            server.start_draining(plan_departure(deadline if count == 1 else 0.0, addresses, text))

    thread = threading.Thread(target=wait_for_signals, name="gns_py drain", daemon=True)
    previous = {}
    thread.start()
    try:
        for number in signals or (signal.SIGTERM,):
            previous[number] = signal.signal(number, on_signal)
        yield
        if arrived:  # the thread may not have begun
            server.drain(deadline, redirect=addresses, text=text)
    finally:
        for number, handler in previous.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        news.put(0)
        thread.join()
