"""Settings of sessions: their checks, and the ping timeout on which both ends agree."""

from __future__ import annotations

from typing import Any

import pytest

from gns_py.session.protocol.config import SessionConfig


@pytest.mark.parametrize(("seconds", "milliseconds"), [(None, 0), (0.1, 100), (1, 1_000), (600.0, 600_000)])
def test_the_ping_timeout_in_frames(seconds: float | None, milliseconds: int) -> None:
    assert SessionConfig(ping_timeout=seconds).ping_timeout_ms == milliseconds


@pytest.mark.parametrize(
    ("server", "floor", "client_ms", "agreed_ms"),
    [
        (15.0, 1.0, 5_000, 5_000),
        (15.0, 1.0, 60_000, 15_000),
        (15.0, 1.0, 0, 15_000),
        (15.0, 1.0, 100, 1_000),
        (0.5, 1.0, 100, 500),
        (None, 1.0, 5_000, 5_000),
        (None, 1.0, 100, 1_000),
        (None, 1.0, 0, 0),
    ],
)
def test_the_shorter_timeout_applies_but_not_below_the_servers_minimum(
    server: float | None, floor: float, client_ms: int, agreed_ms: int
) -> None:
    config = SessionConfig(ping_timeout=server, min_ping_timeout=floor)
    assert config.agreed_ping_timeout_ms(client_ms) == agreed_ms


@pytest.mark.parametrize("setting", ["credit_bytes", "send_queue_messages", "unreliable_queue"])
def test_booleans_are_not_numbers(setting: str) -> None:
    with pytest.raises(TypeError, match=f"{setting} must be an int, not bool"):
        SessionConfig(**{setting: True})


@pytest.mark.parametrize(
    ("setting", "value", "error", "match"),
    [
        ("max_message", 0, ValueError, "it must be at least 1"),
        ("max_message", 524_273, ValueError, "at most 524272 is allowed"),
        ("credit_messages", "1", TypeError, "must be an int, not str"),
        ("close_timeout", None, TypeError, "must be seconds, not NoneType"),
        ("close_timeout", 0, ValueError, "it must be above 0, and at most 1000000000"),
        ("ping_timeout", 601, ValueError, "from 0.1 to 600, or None"),
    ],
)
def test_settings_beyond_their_limits_are_refused(setting: str, value: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=f"{setting} .*{match}"):
        SessionConfig(**{setting: value})
