"""Callbacks of an application that wants to know of lost connections, and of servers that go away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from ..._core.callbacks import check_plain, in_context
from ..protocol.going_away import GoingAway
from ..protocol.reasons import SessionEnd
from ..protocol.resuming import Dropped, Notice, Resumed

OnDropped: TypeAlias = Callable[[Any, SessionEnd], None]
OnResumed: TypeAlias = Callable[[Any, int], None]
OnGoAway: TypeAlias = Callable[[Any, GoingAway], None]


class OutageCallbacks:
    """The functions to call when a session has lost its connection, when it goes on, and when its server goes away.

    Raises:
        TypeError: A callback is not a plain function.
    """

    def __init__(
        self,
        on_dropped: OnDropped | None = None,
        on_resumed: OnResumed | None = None,
        on_goaway: OnGoAway | None = None,
    ) -> None:
        check_plain("on_dropped", on_dropped)
        check_plain("on_resumed", on_resumed)
        check_plain("on_goaway", on_goaway)
        self._on_dropped = on_dropped
        self._on_resumed = on_resumed
        self._on_goaway = on_goaway
        names = "on_dropped or on_resumed" if on_goaway is None else "on_dropped, on_resumed or on_goaway"
        self._call: Callable[[Callable[[], object]], object] = in_context(names, _call)

    @property
    def moves_at_once(self) -> bool:
        """False if the application chooses the moment at which it leaves a server that is going away."""
        return self._on_goaway is None

    def __call__(self, session: object, notice: Notice) -> None:
        """Tell the application. Raises what its callback raises."""
        if isinstance(notice, Dropped):
            self._tell(self._on_dropped, session, notice.why)
        elif isinstance(notice, Resumed):
            self._tell(self._on_resumed, session, notice.replayed)
        else:
            self._tell(self._on_goaway, session, notice)

    def _tell(self, callback: Callable[[Any, Any], None] | None, session: object, news: object) -> None:
        if callback is not None:
            self._call(lambda: callback(session, news))


def _call(function: Callable[[], object]) -> object:
    return function()


NO_CALLBACKS = OutageCallbacks()
