"""Exceptions of handlers, alone and in groups: logged, left out, or raised again."""

from __future__ import annotations

import asyncio
import logging

import pytest
from support.groups import BaseExceptionGroup, ExceptionGroup

from gns_py._core import failures


class Served:
    """A connection whose own end is a ConnectionError."""

    def is_own_end(self, error: BaseException) -> bool:
        return isinstance(error, ConnectionError)


def reported(caplog: pytest.LogCaptureFixture, error: BaseException) -> tuple[int, BaseException | None]:
    """Return how many records were logged, and the exception that was raised again."""
    with caplog.at_level(logging.ERROR, "gns_py"):
        try:
            failures.report(Served(), error)
        except BaseException as raised:
            return len(caplog.records), raised
    return len(caplog.records), None


@pytest.mark.parametrize(
    ("error", "records", "raised"),
    [
        (ConnectionError(), 0, None),
        (ValueError(), 1, None),
        (KeyboardInterrupt(), 0, KeyboardInterrupt),
        (asyncio.CancelledError(), 0, asyncio.CancelledError),
        (ExceptionGroup("", [ConnectionError(), ConnectionError()]), 0, None),
        (ExceptionGroup("", [ConnectionError(), ValueError()]), 1, None),
        (BaseExceptionGroup("", [ConnectionError(), asyncio.CancelledError()]), 0, asyncio.CancelledError),
        (BaseExceptionGroup("", [ValueError(), asyncio.CancelledError()]), 1, asyncio.CancelledError),
        (BaseExceptionGroup("", [asyncio.CancelledError(), KeyboardInterrupt()]), 0, BaseExceptionGroup),
        (BaseExceptionGroup("", [ExceptionGroup("", [ValueError()]), SystemExit()]), 1, BaseExceptionGroup),
    ],
    ids=repr,
)
def test_reporting(
    caplog: pytest.LogCaptureFixture, error: BaseException, records: int, raised: type[BaseException] | None
) -> None:
    count, again = reported(caplog, error)
    assert count == records
    assert (again is None) if raised is None else isinstance(again, raised)


@pytest.mark.parametrize(
    ("error", "is_leaving"),
    [
        (None, True),
        (ConnectionError(), True),
        (SystemExit(), True),
        (ValueError(), False),
        (asyncio.CancelledError(), False),
        (BaseExceptionGroup("", [ConnectionError(), ExceptionGroup("", [ConnectionError()])]), True),
        (BaseExceptionGroup("", [KeyboardInterrupt(), ValueError()]), False),
    ],
    ids=repr,
)
def test_leaving_a_block(error: BaseException | None, is_leaving: bool) -> None:
    assert failures.is_leaving(error, Served()) is is_leaving
    if isinstance(error, asyncio.CancelledError):
        assert failures.is_leaving(error, Served(), asyncio.CancelledError)


def test_taking_out_an_expected_kind() -> None:
    own, bug = ConnectionError(), ValueError()
    assert failures.without(own, ConnectionError) is None
    assert failures.without(bug, ConnectionError) is bug
    assert failures.without(ExceptionGroup("", [own]), ConnectionError) is None
    rest = failures.without(ExceptionGroup("", [own, bug]), ConnectionError)
    assert isinstance(rest, ExceptionGroup)
    assert rest.exceptions == (bug,)
