"""Functions that give addresses to clients of threads."""

from __future__ import annotations

import contextvars
import threading
from typing import Any

import pytest

from gns_py.session._core.addresses import Source
from gns_py.session.sync import connect
from gns_py.session.sync.discovery import ThreadInquiry

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")


def inquiry(function: Any) -> ThreadInquiry:
    return ThreadInquiry(Source(function, None, may_await=False))


def test_it_runs_in_a_thread_and_in_the_context_of_connect() -> None:
    seen: list[object] = []

    def find() -> list[str]:
        seen.extend((threading.get_ident() == caller, variable.get()))
        return ["a:1"]

    caller = threading.get_ident()
    token = variable.set("mine")
    try:
        assert inquiry(find).addresses(5.0) == (("a", 1),)
    finally:
        variable.reset(token)
    assert seen == [False, "mine"]


@pytest.mark.parametrize("error", [LookupError("as planned"), TimeoutError("its own"), StopIteration()])
def test_its_exception_is_raised_at_first_and_logged_later(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise error

    asked = inquiry(fail)
    with pytest.raises((LookupError, TimeoutError, RuntimeError), match=r"planned|own|StopIteration"):
        asked.addresses(5.0)
    asked.source.known = (("a", 1),)
    asked.refresh()
    asked.refresh()
    assert asked.source.known == (("a", 1),)
    assert len([each for each in caplog.records if each.name == "gns_py"]) == 1


def test_one_that_hangs_is_given_up() -> None:
    may_go = threading.Event()
    try:
        with pytest.raises(TimeoutError, match="in time"):
            inquiry(lambda: may_go.wait(10.0)).addresses(0.05)
    finally:
        may_go.set()


def test_a_coroutine_function_is_for_asyncio() -> None:
    async def find() -> list[str]:
        return ["a:1"]

    with pytest.raises(TypeError, match="host must be a plain function"):
        connect(find)  # type: ignore[arg-type]
