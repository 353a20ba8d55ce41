"""Checks of arguments: the limits themselves are allowed, one more is not."""

from __future__ import annotations

from typing import Any

import pytest

from gns_py.session._core.admission import AdmissionRules
from gns_py.session._core.checks import check_data, check_goodbye, check_key, check_rules, check_session_config
from gns_py.session.protocol.config import SessionConfig
from gns_py.session.protocol.frames import MAX_DATA, MAX_KEY, MAX_TEXT


@pytest.mark.parametrize("code", [1000, 1899, 2000, 2899])
def test_goodbyes_up_to_their_limits(code: int) -> None:
    check_goodbye(code, "ü" * (MAX_TEXT // 2), bytes(MAX_DATA))


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        *(((code, "", b""), ValueError) for code in (-1, 0, 999, 1900, 1999, 2900, 2**32)),
        ((True, "", b""), TypeError),
        ((1000.0, "", b""), TypeError),
        ((1000, b"", b""), TypeError),
        ((1000, "ü" * (MAX_TEXT // 2) + "x", b""), ValueError),
        ((1000, "", "text"), TypeError),
        ((1000, "", bytes(MAX_DATA + 1)), ValueError),
    ],
    ids=lambda value: f"{value!r:.30}",
)
def test_goodbyes_that_cannot_be_sent(arguments: tuple[Any, Any, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        check_goodbye(*arguments)


def test_data_has_to_be_bytes() -> None:
    check_data(b"")
    for data in (bytearray(b"x"), memoryview(b"x"), None):
        with pytest.raises(TypeError, match="data must be bytes"):
            check_data(data)  # type: ignore[arg-type]


def test_settings_and_rules_have_defaults() -> None:
    config, rules = SessionConfig(max_message=100), AdmissionRules(max_sessions=1)
    assert check_session_config(config) is config
    assert check_rules(rules) is rules
    assert (check_session_config(None), check_rules(None)) == (SessionConfig(), AdmissionRules())
    with pytest.raises(TypeError, match="session_config must be a SessionConfig, not AdmissionRules"):
        check_session_config(rules)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="rules must be AdmissionRules, not SessionConfig"):
        check_rules(config)  # type: ignore[arg-type]


def test_keys() -> None:
    for size in (1, MAX_KEY):
        check_key(bytes(size), reliable=False, no_delay=False)
    for size in (0, MAX_KEY + 1):
        with pytest.raises(ValueError, match=f"key has {size} bytes"):
            check_key(bytes(size), reliable=False, no_delay=False)
    with pytest.raises(TypeError, match="key must be bytes"):
        check_key("x", reliable=False, no_delay=False)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="only unreliable messages have a key"):
        check_key(b"x", reliable=True, no_delay=False)
    with pytest.raises(ValueError, match="cannot have no_delay"):
        check_key(b"x", reliable=False, no_delay=True)
