"""Asks a program's function for addresses, in an event loop."""

from __future__ import annotations

import asyncio
import inspect

from ..._core.callbacks import is_coroutine_function
from .._core.addresses import AsyncDiscovery, Where
from .._core.discovery import DISCOVERY_TIMEOUT, Inquiry


class LoopInquiry(Inquiry):
    """Asks a coroutine function in the loop, any other in a thread."""

    async def addresses(self, timeout: float | None) -> tuple[Where, ...]:
        """Return the addresses for a connect().

        Raises:
            TimeoutError: The function has not given any in time.
            Exception: The function's own, or one of take().
        """
        function = self.source.function
        if function is None:
            return self.source.known
        try:
            answer = await asyncio.wait_for(self._call(function), timeout)
        except asyncio.TimeoutError:  # not the builtin one before Python 3.11
            raise TimeoutError("the function did not give the addresses in time") from None
        return self.take(answer)

    async def _call(self, function: AsyncDiscovery) -> object:
        if is_coroutine_function(function):
            answer: object = function()
        else:
            answer = await asyncio.wrap_future(self.ask(function))
        return await answer if inspect.isawaitable(answer) else answer

    async def refresh(self) -> None:
        """Ask again, for another round of attempts; if that fails, the addresses stay as they are."""
        try:
            await self.addresses(DISCOVERY_TIMEOUT)
        except Exception as error:
            self.failed(error)
