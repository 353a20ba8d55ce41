"""Exceptions: their tree, and what they carry."""

from __future__ import annotations

import inspect
import pickle
import re

import pytest

from gns_py import ClosedBy, ConnectionEnd, EndReason, Result, errors
from gns_py.errors import (
    ConnectFailed,
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    ConnectTimeout,
    GNSError,
    MessageDropped,
    SendQueueFull,
    closed,
    connect_failed,
)

EXCEPTIONS = [each for _, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, Exception)]
OK = ConnectionEnd(ClosedBy.PEER, 1000, "bye")
FAULT = ConnectionEnd(ClosedBy.PEER, 2001, "a handler failed")
TIMEOUT = ConnectionEnd(ClosedBy.PROBLEM, EndReason.MISC_TIMEOUT, "silence")


def test_the_module_s_docstring_draws_the_tree_as_it_is() -> None:
    assert errors.__doc__ is not None
    drawn = re.findall(r"^([│├└─ ]*)(\w+)(?: \((\w+)\))?", errors.__doc__.partition("\n\n")[2], re.MULTILINE)
    path: list[str] = []
    tree: dict[str, tuple[str, ...]] = {}
    for indent, name, builtin in drawn:
        depth = len(indent) // 4
        path[depth:] = [name]
        tree[name] = (path[depth - 1] if depth else "Exception", *([builtin] if builtin else []))
    assert tree == {each.__name__: tuple(base.__name__ for base in each.__bases__) for each in EXCEPTIONS}


@pytest.mark.parametrize("exception", EXCEPTIONS, ids=lambda each: str(each.__name__))
def test_each_is_a_gns_error_and_says_when_it_is_raised(exception: type[Exception]) -> None:
    assert issubclass(exception, GNSError)
    assert exception.__doc__
    assert "result" in dir(exception)


@pytest.mark.parametrize(
    ("end", "of_a_connection", "of_connect"),
    [
        (OK, ConnectionClosedOK, ConnectFailed),
        (FAULT, ConnectionClosedError, ConnectFailed),
        (TIMEOUT, ConnectionClosedError, ConnectTimeout),
        (ConnectionEnd(ClosedBy.LOCAL, 1999, ""), ConnectionClosedOK, ConnectFailed),
        (ConnectionEnd(ClosedBy.LOCAL, 2999, ""), ConnectionClosedError, ConnectFailed),
        (ConnectionEnd(ClosedBy.PROBLEM, 77, ""), ConnectionClosedError, ConnectFailed),
    ],
)
def test_an_end_becomes_an_exception(
    end: ConnectionEnd, of_a_connection: type[Exception], of_connect: type[Exception]
) -> None:
    assert type(closed(end)) is of_a_connection
    assert type(connect_failed(end)) is of_connect
    assert closed(end).end is end


@pytest.mark.parametrize(
    "exception", [ConnectionClosedOK(OK), ConnectionClosedError(FAULT), ConnectFailed(FAULT), ConnectTimeout(TIMEOUT)]
)
def test_what_a_connection_ended_with_is_told_and_survives_pickling(exception: ConnectionClosed) -> None:
    again = pickle.loads(pickle.dumps(exception))
    for each in (exception, again):
        assert type(each) is type(exception)
        assert each.end == exception.end
        assert (each.code, each.text) == (each.end.code, each.end.text)
        assert str(each) == str(each.end)
        assert isinstance(each, ConnectionError)


def test_the_text_names_who_why_and_what_was_said() -> None:
    assert str(ConnectionClosedOK(OK)) == "closed by the peer, 1000 APP_GENERIC: bye"
    assert str(ConnectionClosedError(FAULT)) == "closed by the peer, 2001 INTERNAL_ERROR: a handler failed"
    assert str(ConnectTimeout(TIMEOUT)) == "ended by a problem, 5003 MISC_TIMEOUT: silence"
    assert str(closed(ConnectionEnd(ClosedBy.LOCAL, 1234, ""))) == "closed by this end, 1234 APP_1234"


def test_gns_own_results_are_told_where_there_are_some() -> None:
    assert SendQueueFull("full").result is Result.LIMIT_EXCEEDED
    assert SendQueueFull("full").sent == 0
    assert MessageDropped("dropped").result is Result.IGNORED
    assert GNSError("anything").result is None


def test_time_outs_can_be_caught_as_python_s_own() -> None:
    assert issubclass(ConnectTimeout, TimeoutError)
    assert not issubclass(ConnectFailed, TimeoutError)
    with pytest.raises(TimeoutError):
        raise connect_failed(TIMEOUT)
