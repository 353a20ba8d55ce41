"""GNS's log."""

from __future__ import annotations

from typing import NamedTuple

from .._generated.enums import LogLevel
from .failures import check
from .library import ffi, lib
from .text import text_of


class LogRecord(NamedTuple):
    """A line of GNS's log."""

    time_us: int
    level: LogLevel
    text: str


def set_log_level(level: LogLevel) -> None:
    """Keep lines of this level and more severe ones."""
    check(lib.gns_log_set_level(level))


def receive_logs() -> tuple[list[LogRecord], int]:
    """Return the pending lines, oldest first, and how many were lost."""
    out, dropped = ffi.new("gns_log_record[]", 32), ffi.new("int64_t *")
    lines: list[LogRecord] = []
    lost = 0
    while True:
        count = check(lib.gns_log_receive(out, len(out), dropped))
        lost += dropped[0]
        lines += [LogRecord(line.time_us, LogLevel(line.level), text_of(line.text)) for line in out[0:count]]
        if count < len(out):
            return lines, lost
