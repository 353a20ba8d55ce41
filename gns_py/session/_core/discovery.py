"""Asks a program's function for addresses: it may fail, or hang."""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future

from .addresses import Source, Where, parse_addresses

_log = logging.getLogger("gns_py")
DISCOVERY_TIMEOUT = 5.0
"""Seconds that a function may take to give addresses."""


class Inquiry:
    """Asks the function of one connect(), in a thread, since it may wait for something. Nothing in here waits."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._context = contextvars.copy_context()
        self._pending: Future[object] | None = None
        self._is_known_to_fail = False

    def ask(self, function: Callable[[], object]) -> Future[object]:
        """Call the function in a daemon thread; if one that hangs is still there, return the future of that call.

        Raises:
            RuntimeError: The system has no thread left.
        """
        if self._pending is None or self._pending.done():
            future: Future[object] = Future()
            future.set_running_or_notify_cancel()  # it cannot be cancelled
            context = self._context.copy()
            thread = threading.Thread(
                target=context.run, args=(_answer, future, function), name="gns_py addresses", daemon=True
            )
            thread.start()
            self._pending = future
        return self._pending

    def take(self, addresses: object) -> tuple[Where, ...]:
        """Check what the function has returned, keep it, and return it.

        Raises:
            TypeError: It has not returned addresses.
            ValueError: It has returned wrong ones, or none.
        """
        self.source.known = parse_addresses(addresses)
        self._is_known_to_fail = False
        return self.source.known

    def failed(self, error: BaseException) -> None:
        """Log a failure, once: while a session looks for a server, the function is asked again for each round."""
        if not self._is_known_to_fail:
            self._is_known_to_fail = True
            _log.error("the addresses of the server could not be found; the known ones are tried", exc_info=error)


def _answer(future: Future[object], function: Callable[[], object]) -> None:
    try:
        future.set_result(function())
    except Exception as error:
        # asyncio's futures do not take a StopIteration.
        future.set_exception(RuntimeError(repr(error)) if isinstance(error, StopIteration) else error)
    except BaseException as error:
        future.set_exception(RuntimeError(repr(error)))
