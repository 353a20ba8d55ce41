"""Callbacks of an application that wants to know of lost connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from ..._core.callbacks import check_plain, in_context
from ..protocol.reasons import SessionEnd
from ..protocol.resuming import Dropped, Resumed

OnDropped: TypeAlias = Callable[[Any, SessionEnd], None]
OnResumed: TypeAlias = Callable[[Any, int], None]


class OutageCallbacks:
    """The functions to call when a session has lost its connection, and when it goes on.

    Raises:
        TypeError: A callback is not a plain function.
    """

    def __init__(self, on_dropped: OnDropped | None = None, on_resumed: OnResumed | None = None) -> None:
        check_plain("on_dropped", on_dropped)
        check_plain("on_resumed", on_resumed)
        self._on_dropped = on_dropped
        self._on_resumed = on_resumed
        self._call: Callable[[Callable[[], object]], object] = in_context("on_dropped or on_resumed", _call)

    def __call__(self, session: object, notice: Dropped | Resumed) -> None:
        """Tell the application. Raises what its callback raises."""
        if isinstance(notice, Dropped):
            if (on_dropped := self._on_dropped) is not None:
                why = notice.why
                self._call(lambda: on_dropped(session, why))
        elif (on_resumed := self._on_resumed) is not None:
            replayed = notice.replayed
            self._call(lambda: on_resumed(session, replayed))


def _call(function: Callable[[], object]) -> object:
    return function()


NO_CALLBACKS = OutageCallbacks()
