"""Error codes of the core become exceptions in one place."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from gns_py import Result, errors
from gns_py._native.failures import EXCEPTIONS, ConnectionGoneError, check, check_connection, exception_for
from gns_py._native.library import ffi, lib

ERRORS = sorted(name for name in dir(lib) if name.startswith("GNS_ERROR_"))


@pytest.mark.parametrize("name", ERRORS)
def test_every_error_of_the_core_has_a_sentence_and_an_exception(name: str) -> None:
    code = getattr(lib, name)
    assert -1100 < code < -1000
    assert len(ffi.string(lib.gns_error_text(code)).split()) >= 2
    if name not in ("GNS_ERROR_BUFFER_TOO_SMALL", "GNS_ERROR_NATIVE", "GNS_ERROR_SYSTEM"):  # handled where they arise
        assert code in EXCEPTIONS


def test_error_numbers_are_all_different() -> None:
    codes = [getattr(lib, name) for name in ERRORS]
    assert len(set(codes)) == len(codes) == 22
    assert ffi.string(lib.gns_error_text(-9999)) == b""


@pytest.mark.parametrize(
    ("call", "exception", "text"),
    [
        (lambda: lib.gns_mailbox_wake(12345), errors.InvalidStateError, "the handle is not valid or is closed"),
        (lambda: lib.gns_start(b"nonsense", 8), ValueError, "not an identity"),
        (lambda: lib.gns_log_set_level(99), ValueError, "the value is out of range"),
        (lambda: lib.gns_flush(1), errors.NotRunningError, "the runtime is not running"),
        (lambda: lib.gns_close(1, 999, b"", 0, 0), ValueError, "a close reason must be from 1000 to 2999"),
        (lambda: lib.gns_close(1, 1000, b"a\0b", 3, 0), ValueError, "the text is too long or holds a NUL byte"),
    ],
)
def test_an_error_becomes_an_exception_with_its_text(
    call: Callable[[], int], exception: type[Exception], text: str
) -> None:
    with pytest.raises(exception) as raised:
        check(call())
    assert type(raised.value) is exception
    assert str(raised.value) == text


@pytest.mark.parametrize(
    ("result", "exception"),
    [
        (Result.INVALID_PARAM, ValueError),
        (Result.INVALID_STATE, errors.InvalidStateError),
        (Result.LIMIT_EXCEEDED, errors.SendQueueFull),
        (Result.IGNORED, errors.MessageDropped),
        (Result.HANDSHAKE_FAILED, errors.GNSError),
        (Result.FAIL, errors.GNSError),
    ],
)
def test_gns_own_results_are_kept_in_the_exception(result: Result, exception: type[Exception]) -> None:
    error = exception_for(-result)
    assert type(error) is exception
    if isinstance(error, errors.GNSError):
        assert error.result is result


def test_each_thread_has_its_own_last_error() -> None:
    lib.gns_flush(1)
    other: list[bytes] = []
    thread = threading.Thread(target=lambda: other.append(ffi.string(lib.gns_last_error_text())))
    thread.start()
    thread.join()
    assert other == [b""]
    assert ffi.string(lib.gns_last_error_text()) == b"the runtime is not running"


def test_success_is_passed_on() -> None:
    assert check(0) == 0
    assert check(17) == 17


def test_a_connection_that_is_gone_is_its_own_exception() -> None:
    for code in (lib.GNS_ERROR_BAD_HANDLE, lib.GNS_ERROR_NOT_RUNNING, -Result.NO_CONNECTION):
        with pytest.raises(ConnectionGoneError):
            check_connection(code)
    with pytest.raises(errors.InvalidStateError):
        check_connection(-Result.INVALID_STATE)
    assert check_connection(17) == 17
