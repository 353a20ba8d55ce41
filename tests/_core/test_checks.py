"""Checks of an application's arguments: types, bounds, and texts for the core."""

from __future__ import annotations

import pytest

from gns_py import Config, _native
from gns_py._core.checks import check_goodbye, check_int, check_lane, check_options, check_text


def test_options() -> None:
    options = Config(nagle_time=1)
    assert check_options(None, None) == Config()
    assert check_options(options, print) is options
    with pytest.raises(TypeError, match="config must be a Config, not str"):
        check_options("fast", None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="on_status_changed"):
        check_options(None, "print")  # type: ignore[arg-type]


def test_lanes() -> None:
    check_lane(0)
    check_lane(_native.MAX_LANES - 1)
    for outside in (-1, _native.MAX_LANES):
        with pytest.raises(ValueError, match=f"lane is {outside}: a connection has lanes 0 to 254 at most"):
            check_lane(outside)
    for other in (True, 1.0, "1", None):
        with pytest.raises(TypeError, match=f"lane must be an int, not {type(other).__name__}"):
            check_lane(other)  # type: ignore[arg-type]


@pytest.mark.parametrize("code", [1000, 1999, 2000, 2999])
def test_codes_of_an_application(code: int) -> None:
    assert check_goodbye(code, "tschüss") == "tschüss".encode()


@pytest.mark.parametrize(
    ("code", "error"), [(999, ValueError), (3000, ValueError), (True, TypeError), (1e3, TypeError)]
)
def test_codes_that_cannot_be_sent(code: int, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"^code "):
        check_goodbye(code, "")


def test_texts() -> None:
    assert check_text("note", "é" * 4, 8) == b"\xc3\xa9" * 4
    assert check_text("note", "", 0) == b""
    with pytest.raises(ValueError, match="note has 10 bytes: at most 8 are allowed"):
        check_text("note", "é" * 5, 8)
    with pytest.raises(ValueError, match="note has a NUL byte"):
        check_text("note", "a\0", 8)
    with pytest.raises(ValueError, match="note cannot be encoded as UTF-8"):
        check_text("note", "\udc80", 8)
    with pytest.raises(TypeError, match="note must be a str, not bytes"):
        check_text("note", b"a", 8)  # type: ignore[arg-type]


def test_ints() -> None:
    for inside in (-1, 0, 5):
        check_int("size", inside, -1, 5)
    for outside in (-2, 6):
        with pytest.raises(ValueError, match=f"size is {outside}: it must be -1 to 5"):
            check_int("size", outside, -1, 5)
    for other in (False, 2.0, None):
        with pytest.raises(TypeError, match=f"size must be an int, not {type(other).__name__}"):
            check_int("size", other, -1, 5)
