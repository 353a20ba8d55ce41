"""GNS's log, as far as _native knows it."""

from __future__ import annotations

import pytest

from gns_py import LogLevel, _native


def test_a_level_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="the value is out of range"):
        _native.set_log_level(99)  # type: ignore[arg-type]


def test_lines_are_kept_from_a_level_on_and_handed_out_once() -> None:
    _native.receive_logs()
    _native.set_log_level(LogLevel.DEBUG)
    try:
        _native.start("")
        lines, lost = _native.receive_logs()
    finally:
        _native.stop(0)
        _native.set_log_level(LogLevel.WARNING)
    assert lost == 0
    assert lines
    assert all(line.text and line.level <= LogLevel.DEBUG and line.time_us > 0 for line in lines)
    assert not {line.time_us for line in _native.receive_logs()[0]} & {line.time_us for line in lines}
