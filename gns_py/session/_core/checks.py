"""Checks of an application's arguments."""

from __future__ import annotations

from ..protocol.config import SessionConfig
from ..protocol.fields import Text
from ..protocol.frames import CODES, MAX_DATA, MAX_KEY, MAX_TEXT
from .admission import AdmissionRules

_TEXT = Text(MAX_TEXT)
_MAX_SESSION_KEY = 255


def check_goodbye(code: int, text: str, data: bytes) -> None:
    """Check the contents of a goodbye.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: The code is out of range, or the text or the data is too long.
    """
    if not isinstance(code, int) or isinstance(code, bool):
        raise TypeError(f"code must be an int, not {type(code).__name__}")
    if not any(code in each for each in CODES):
        raise ValueError(f"code is {code}: it must be from 1000 to 1899, or from 2000 to 2899")
    check_text(text)
    check_data(data)


def check_text(text: str) -> None:
    """Check a text for people.

    Raises:
        TypeError: It is not a str.
        ValueError: It is too long, or has a NUL.
    """
    if not isinstance(text, str):
        raise TypeError(f"text must be a str, not {type(text).__name__}")
    _TEXT.write(text)


def check_data(data: bytes) -> None:
    """Check the data of a handshake or a goodbye.

    Raises:
        TypeError: It is not bytes.
        ValueError: It is too long.
    """
    if not isinstance(data, bytes):
        raise TypeError(f"data must be bytes, not {type(data).__name__}")
    if len(data) > MAX_DATA:
        raise ValueError(f"data has {len(data)} bytes: at most {MAX_DATA} are allowed")


def check_session_config(config: SessionConfig | None) -> SessionConfig:
    """Return the settings, or the defaults; raise TypeError for anything else."""
    if config is not None and not isinstance(config, SessionConfig):
        raise TypeError(f"session_config must be a SessionConfig, not {type(config).__name__}")
    return SessionConfig() if config is None else config


def check_rules(rules: AdmissionRules | None) -> AdmissionRules:
    """Return the rules, or the defaults; raise TypeError for anything else."""
    if rules is not None and not isinstance(rules, AdmissionRules):
        raise TypeError(f"rules must be AdmissionRules, not {type(rules).__name__}")
    return AdmissionRules() if rules is None else rules


def check_session_key(key: str | None) -> None:
    """Check the key under which a server has only one session.

    Raises:
        TypeError: It is not a str.
        ValueError: It is empty, or too long.
    """
    if key is None:
        return
    if not isinstance(key, str):
        raise TypeError(f"key must be a str, not {type(key).__name__}")
    if not 1 <= len(key.encode()) <= _MAX_SESSION_KEY:
        raise ValueError(f"key has {len(key.encode())} bytes: it must have 1 to {_MAX_SESSION_KEY}")


def check_key(key: bytes, *, reliable: bool, no_delay: bool) -> None:
    """Check the key of an unreliable message.

    Raises:
        TypeError: It is not bytes.
        ValueError: It is empty or too long, or the message cannot have a key.
    """
    if reliable:
        raise ValueError("only unreliable messages have a key: reliable ones all arrive")
    if no_delay:
        raise ValueError("a message with a key may wait: it cannot have no_delay")
    if not isinstance(key, bytes):
        raise TypeError(f"key must be bytes, not {type(key).__name__}")
    if not 1 <= len(key) <= MAX_KEY:
        raise ValueError(f"key has {len(key)} bytes: it must have 1 to {MAX_KEY}")
