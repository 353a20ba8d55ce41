"""GNS's log as records of Python's logging."""

from __future__ import annotations

import logging
import re

from .. import _native
from .._generated.enums import LogLevel
from .._printable import printable

_log = logging.getLogger("gns_py.native")
_LEVELS = {
    LogLevel.BUG: logging.ERROR,
    LogLevel.ERROR: logging.ERROR,
    LogLevel.IMPORTANT: logging.INFO,
    LogLevel.WARNING: logging.WARNING,
    LogLevel.MSG: logging.INFO,
}
# "[#123 UDP str:alice@10.0.0.1:27015 'name'] connected", perhaps with what comes before all lines of its sort. The
# identity may have "] " in it, so the description ends after a port; where there is none (P2P), at the first "] ".
_CONNECTION = re.compile(
    r"(?:\d+ more like this within 3 s: )?(?:\S+\(\d+\): )?(?:Assertion Failed: )?"
    r"\[(#\d+ (?:.*?:\d+(?: '.*?')?(?=\](?: |$))|.*?))\](?: |$)"
)


def set_log_level(level: LogLevel) -> None:
    """Which lines of GNS's log become records of the logger "gns_py.native": this level and the graver ones.

    WARNING to begin with; any time, also while connections run. BUG and ERROR become logging.ERROR, WARNING
    logging.WARNING, IMPORTANT and MSG logging.INFO, the rest logging.DEBUG. Each record has the line's own level as
    ``record.gns_level``, and GNS's description of the connection that it is about, with its name if it has one, as
    ``record.gns_connection``, or "". What is not printable, peers' texts included, is escaped.
    Records are made on the threads that use gns_py, when they do. Of warnings and errors that are alike, ten within
    three seconds become records, and one more tells how many were left out.
    Some details GNS logs only where an option asks for them (log_level_ack_rtt, log_level_packet_decode,
    log_level_message, log_level_packet_gaps, log_level_p2p_rendezvous), which may be set on one connection: their lines
    come whatever this level is, except NONE.
    Errors: ValueError, ForkedError. Native: SetDebugOutputFunction.
    """
    _native.set_log_level(LogLevel(level))


def dispatch_logs() -> None:
    """Makes log records of what GNS has logged. Called wherever gns_py waits or closes; rarely needed elsewhere."""
    lines, lost = _native.receive_logs()
    if lost:
        _log.warning("%d lines of GNS's log were lost: nobody fetched them", lost, extra=_extra(LogLevel.WARNING, ""))
    for line in lines:
        text = printable(line.text)  # it may have a peer's identity or goodbye in it
        about = _CONNECTION.match(text)
        # GNS says itself where it blames the application.
        ours = line.level is LogLevel.BUG and "application code" not in text
        hint = " (a bug in gns_py or in GNS: please report it)" if ours else ""
        extra = _extra(line.level, about[1] if about else "")
        _log.log(_LEVELS.get(line.level, logging.DEBUG), "%s%s", text, hint, extra=extra)


def _extra(level: LogLevel, connection: str) -> dict[str, object]:
    return {"gns_level": level, "gns_connection": connection}
