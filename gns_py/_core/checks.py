"""Checks of an application's arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import _native
from ..config import Config
from ..events import StatusChanged
from .callbacks import check_plain

StatusCallback = Callable[[StatusChanged[Any]], None]


def check_options(config: Config | None, on_status_changed: StatusCallback | None) -> Config:
    """Check the arguments that connect() and listen() share, and return the options, which may be empty.

    Raises:
        TypeError: ``config`` is not a Config, or the callback is not a plain function.
    """
    if config is not None and not isinstance(config, Config):
        raise TypeError(f"config must be a Config, not {type(config).__name__}")
    check_plain("on_status_changed", on_status_changed)
    return Config() if config is None else config


def check_lane(lane: int) -> None:
    """Check that some connection could have this lane; the core checks whether this one has it.

    Raises:
        TypeError: ``lane`` is not an int.
        ValueError: No connection has this many lanes.
    """
    if not isinstance(lane, int) or isinstance(lane, bool):
        raise TypeError(f"lane must be an int, not {type(lane).__name__}")
    if not 0 <= lane < _native.MAX_LANES:
        raise ValueError(f"lane is {lane}: a connection has lanes 0 to {_native.MAX_LANES - 1} at most")


def check_goodbye(code: int, text: str) -> bytes:
    """Check the code and text of a close, and return the text as bytes for the core.

    Raises:
        TypeError: ``code`` is not an int, or ``text`` is not a str.
        ValueError: ``code`` is out of range, or ``text`` is too long or cannot be sent.
    """
    if not isinstance(code, int) or isinstance(code, bool):
        raise TypeError(f"code must be an int, not {type(code).__name__}")
    if not 1000 <= code <= 2999:
        raise ValueError(f"code is {code}: use 1000 to 1999 for a normal end, 2000 to 2999 for a fault")
    return check_text("text", text, _native.MAX_END_TEXT)


def check_text(name: str, text: str, longest: int) -> bytes:
    """Check a text for the core, and return its bytes.

    Args:
        name: The argument's name, for the error.
        text: The text.
        longest: The maximum length in bytes of UTF-8.

    Raises:
        TypeError: ``text`` is not a str.
        ValueError: It is too long, has a NUL byte, or cannot be encoded.
    """
    if not isinstance(text, str):
        raise TypeError(f"{name} must be a str, not {type(text).__name__}")
    if "\0" in text:
        raise ValueError(f"{name} has a NUL byte")
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name} cannot be encoded as UTF-8") from None
    if len(data) > longest:
        raise ValueError(f"{name} has {len(data)} bytes: at most {longest} are allowed")
    return data


def check_int(name: str, number: object, low: int, high: int) -> None:
    """Check that an argument is an int within bounds.

    Raises:
        TypeError: It is not an int.
        ValueError: It is out of bounds.
    """
    if not isinstance(number, int) or isinstance(number, bool):
        raise TypeError(f"{name} must be an int, not {type(number).__name__}")
    if not low <= number <= high:
        raise ValueError(f"{name} is {number}: it must be {low} to {high}")
