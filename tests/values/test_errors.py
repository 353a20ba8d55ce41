"""Exceptions: their tree and their attributes."""

from __future__ import annotations

import copy
import errno
import inspect
import pickle
import re
from typing import Any

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
    closed_error,
    connect_error,
)
from gns_py.session import CloseReason, SessionEnd
from gns_py.session import errors as session_errors
from gns_py.session.errors import SessionClosed, SessionFailed

EXCEPTIONS = [each for _, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, Exception)]
SESSION_EXCEPTIONS = [
    each
    for _, each in inspect.getmembers(session_errors, inspect.isclass)
    if issubclass(each, Exception) and each.__module__ == session_errors.__name__
]
OK = ConnectionEnd(ClosedBy.PEER, 1000, "bye")
FAULT = ConnectionEnd(ClosedBy.PEER, 2001, "a handler failed")
TIMEOUT = ConnectionEnd(ClosedBy.PROBLEM, EndReason.MISC_TIMEOUT, "silence")


def test_the_module_s_docstring_draws_the_tree_as_it_is() -> None:
    assert errors.__doc__ is not None
    drawn = re.findall(r"^([│├└─ ]*)(\w+)(?: \(([\w, ]+)\))?", errors.__doc__.partition("\n\n")[2], re.MULTILINE)
    path: list[str] = []
    tree: dict[str, tuple[str, ...]] = {}
    for indent, name, builtin in drawn:
        depth = len(indent) // 4
        path[depth:] = [name]
        tree[name] = (path[depth - 1] if depth else "Exception", *(builtin.split(", ") if builtin else []))
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
    assert type(closed_error(end)) is of_a_connection
    assert type(connect_error(end)) is of_connect
    assert closed_error(end).end is end


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
    assert str(closed_error(ConnectionEnd(ClosedBy.LOCAL, 1234, ""))) == "closed by this end, 1234 APP_1234"


def test_gns_own_results_are_told_where_there_are_some() -> None:
    assert SendQueueFull("full").result is Result.LIMIT_EXCEEDED
    assert SendQueueFull("full").sent == 0
    assert MessageDropped("dropped").result is Result.IGNORED
    assert GNSError("anything").result is None


def test_time_outs_can_be_caught_as_python_s_own() -> None:
    assert issubclass(ConnectTimeout, TimeoutError)
    assert not issubclass(ConnectFailed, TimeoutError)
    with pytest.raises(TimeoutError):
        raise connect_error(TIMEOUT)


# ---- system errors ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exception", [each for each in EXCEPTIONS if issubclass(each, OSError)])
def test_each_os_error_has_errno_and_strerror(exception: type[OSError]) -> None:
    if issubclass(exception, ConnectionClosed):
        return  # it has an end instead
    error = exception(errno.EMFILE, "too many")
    assert (error.errno, error.strerror) == (errno.EMFILE, "too many")
    assert str(error) == f"[Errno {errno.EMFILE}] too many"


# ---- copies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exception", [*EXCEPTIONS, *SESSION_EXCEPTIONS], ids=lambda each: str(each.__name__))
def test_each_survives_pickling_and_copying_with_all_it_carries(exception: type[Exception]) -> None:
    if issubclass(exception, ConnectionClosed):
        error: Any = exception(ConnectionEnd(ClosedBy.PEER, EndReason.GOING_AWAY, "bye"))
    elif issubclass(exception, SessionClosed):
        error = exception(SessionEnd(ClosedBy.PEER, CloseReason.REJECTED, EndReason.GOING_AWAY, "bye", b"data"))
    elif issubclass(exception, OSError):
        error = exception(errno.ENFILE, "too many")
    else:
        error = exception("text")
    error.result = Result.LIMIT_EXCEEDED
    error.sent = 7
    error.__notes__ = ["a note"]
    for again in (
        *(pickle.loads(pickle.dumps(error, protocol)) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)),
        copy.copy(error),
        copy.deepcopy(error),
    ):
        assert type(again) is exception
        assert str(again) == str(error)
        assert again.args == error.args
        assert vars(again) == vars(error)
        for name in ("code", "text", "data", "reason", "errno", "strerror"):
            assert getattr(again, name, None) == getattr(error, name, None)


# ---- codes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [EndReason.MISC_TIMEOUT, EndReason(5777), 5003, 1000])
def test_a_code_is_an_int_that_formats_as_one(code: int) -> None:
    end = ConnectionEnd(ClosedBy.PROBLEM, code, "")
    session_end = SessionEnd(ClosedBy.PROBLEM, CloseReason.CONNECTION_LOST, code, "")
    for each in (end.code, ConnectFailed(end).code, session_end.code, SessionFailed(session_end).code):
        assert type(each) is int
        assert each == code
        assert f"{each}" == str(each) == "%d" % each == repr(each) == str(int(code))  # noqa: UP031 - a way to format
        assert f"{each:06d}" == f"00{int(code)}"
    assert end == ConnectionEnd(ClosedBy.PROBLEM, int(code), "")
    assert str(int(code)) in str(end)
    assert f"code={int(code)}," in repr(end)
