"""The callbacks that tell an application of lost connections."""

from __future__ import annotations

import contextvars
from typing import Any

import pytest

from gns_py import ClosedBy
from gns_py._core.callbacks import NeverRunError
from gns_py.session import CloseReason, SessionEnd
from gns_py.session._core.outages import NO_CALLBACKS, OutageCallbacks
from gns_py.session.protocol.resuming import Dropped, Resumed

WHY = SessionEnd(ClosedBy.PROBLEM, CloseReason.CONNECTION_LOST, 5003, "no answer", is_confirmed=False)
NOTICES = (Dropped(WHY), Resumed(3))
variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")


async def coroutine_function(*_: object) -> None:
    """Do nothing."""


def test_each_callback_gets_the_session_and_its_news() -> None:
    told: list[Any] = []
    callbacks = OutageCallbacks(lambda *news: told.append(news), lambda *news: told.append(news))
    for notice in NOTICES:
        callbacks("session", notice)
    assert told == [("session", WHY), ("session", 3)]


@pytest.mark.parametrize("given", ["on_dropped", "on_resumed", None])
def test_each_of_them_may_be_missing(given: str | None) -> None:
    told: list[Any] = []
    callbacks = OutageCallbacks(**{given: lambda *news: told.append(news)}) if given else NO_CALLBACKS
    for notice in NOTICES:
        callbacks("session", notice)
    assert len(told) == (given is not None)


@pytest.mark.parametrize("name", ["on_dropped", "on_resumed"])
@pytest.mark.parametrize("wrong", [coroutine_function, "text", (lambda: (yield))])
def test_only_plain_functions_are_taken(name: str, wrong: Any) -> None:
    with pytest.raises(TypeError, match=name):
        OutageCallbacks(**{name: wrong})


@pytest.mark.parametrize("notice", NOTICES)
def test_a_coroutine_that_nothing_awaits_is_an_error(notice: Dropped | Resumed) -> None:
    def hidden(session: object, news: object) -> Any:
        return coroutine_function(session, news)

    with pytest.raises(NeverRunError):
        OutageCallbacks(hidden, hidden)("session", notice)


@pytest.mark.parametrize("notice", NOTICES)
def test_the_exception_of_a_callback_is_raised(notice: Dropped | Resumed) -> None:
    def fail(*_: object) -> None:
        raise LookupError("as planned")

    with pytest.raises(LookupError, match="as planned"):
        OutageCallbacks(fail, fail)("session", notice)


def test_they_run_in_the_context_in_which_they_were_given() -> None:
    seen: list[str] = []

    def look(*_: object) -> None:
        seen.append(variable.get())
        variable.set("changed")

    def give() -> OutageCallbacks:
        variable.set("given")
        return OutageCallbacks(look, look)

    callbacks = contextvars.copy_context().run(give)
    for notice in NOTICES:
        callbacks("session", notice)
    assert seen == ["given", "given"]
    assert variable.get() == "none"
