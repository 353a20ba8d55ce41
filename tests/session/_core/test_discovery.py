"""Functions of a program that give addresses: well, wrongly, late or never."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any

import pytest

from gns_py.session._core.addresses import Source
from gns_py.session._core.discovery import Inquiry


def inquiry(function: Any) -> Inquiry:
    return Inquiry(Source(function, None, may_await=True))


def test_the_function_runs_in_a_thread_of_its_own() -> None:
    names: list[str] = []
    asked = inquiry(lambda: names.append(threading.current_thread().name))
    asked.ask(lambda: names.append(threading.current_thread().name)).result(5.0)
    assert names == ["gns_py addresses"]


def test_one_that_hangs_is_not_asked_again_meanwhile() -> None:
    may_go = threading.Event()
    calls: list[int] = []

    def hang() -> list[str]:
        calls.append(1)
        may_go.wait(10.0)
        return ["a:1"]

    asked = inquiry(hang)
    futures = [asked.ask(hang) for _ in range(5)]
    assert not futures[0].cancel()
    with pytest.raises(FutureTimeoutError):
        futures[0].result(0.01)
    may_go.set()
    assert asked.take(futures[-1].result(5.0)) == (("a", 1),)
    assert len(calls) == 1
    assert asked.ask(hang).result(5.0) == ["a:1"]
    assert len(calls) == 2


@pytest.mark.parametrize("error", [LookupError("as planned"), StopIteration(), SystemExit(1), KeyboardInterrupt()])
def test_what_it_raises_is_an_exception_of_the_future(error: BaseException) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(Exception, match=r".*") as caught:
        inquiry(fail).ask(fail).result(5.0)
    assert isinstance(caught.value, LookupError if isinstance(error, LookupError) else RuntimeError)


@pytest.mark.parametrize("wrong", [None, [], "a:1", ["a"], [("a", 0)], 7])
def test_garbage_leaves_the_known_addresses_as_they_are(wrong: Any) -> None:
    asked = inquiry(lambda: wrong)
    asked.take(["a:1"])
    with pytest.raises((TypeError, ValueError)):
        asked.take(wrong)
    assert asked.source.known == (("a", 1),)


def test_a_failure_is_logged_once_until_it_works_again(caplog: pytest.LogCaptureFixture) -> None:
    asked = inquiry(list)
    with caplog.at_level(logging.ERROR, "gns_py"):
        for _ in range(3):
            asked.failed(LookupError("as planned"))
        assert len(caplog.records) == 1
        asked.take(["a:1"])
        asked.failed(LookupError("as planned"))
    assert len(caplog.records) == 2
