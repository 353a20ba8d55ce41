"""Asks a program's function for addresses, and waits for them in a thread."""

from __future__ import annotations

from concurrent.futures import TimeoutError as FutureTimeoutError

from .._core.addresses import Where
from .._core.discovery import DISCOVERY_TIMEOUT, Inquiry


class ThreadInquiry(Inquiry):
    """Asks in a thread of its own: a function that hangs must not keep its caller."""

    def addresses(self, timeout: float | None) -> tuple[Where, ...]:
        """Return the addresses for a connect().

        Raises:
            TimeoutError: The function has not given any in time.
            Exception: The function's own, or one of take().
        """
        function = self.source.function
        if function is None:
            return self.source.known
        future = self.ask(function)
        try:
            answer = future.result(timeout)
        except FutureTimeoutError:  # not the builtin one before Python 3.11
            if future.done():  # it is the function's own
                raise
            raise TimeoutError("the function did not give the addresses in time") from None
        return self.take(answer)

    def refresh(self) -> None:
        """Ask again, for another round of attempts; if that fails, the addresses stay as they are."""
        try:
            self.addresses(DISCOVERY_TIMEOUT)
        except Exception as error:
            self.failed(error)
