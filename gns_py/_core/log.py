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
# "[#123 UDP str:alice@10.0.0.1:27015 'name'] connected", perhaps after what begins all lines of its kind. The
# identity may contain "] ", so the description ends after a port or, without one (P2P), at the first "] ".
_CONNECTION = re.compile(
    r"(?:\d+ more like this within 3 s: )?(?:\S+\(\d+\): )?(?:Assertion Failed: )?"
    r"\[(#\d+ (?:.*?:\d+(?: '.*?')?(?=\](?: |$))|.*?))\](?: |$)"
)


def set_log_level(level: LogLevel) -> None:
    """Choose which lines of GNS's log become records of the logger "gns_py.native": this level and more severe ones.

    The level is WARNING at first, and can be changed at any time. BUG and ERROR become logging.ERROR, WARNING becomes
    logging.WARNING, IMPORTANT and MSG logging.INFO, the rest logging.DEBUG. Each record has the line's own level as
    ``record.gns_level``, and as ``record.gns_connection`` GNS's description of the connection that it is about, with
    its name if it has one, or "". Unprintable characters, including those of peers' texts, are escaped.

    Records are made on the threads that use gns_py, when they do. At most ten similar warnings or errors are logged
    per three seconds; one more record says how many were suppressed.

    GNS logs some details only where an option asks for them (``log_level_ack_rtt``, ``log_level_packet_decode``,
    ``log_level_message``, ``log_level_packet_gaps``, ``log_level_p2p_rendezvous``), which can be set on one
    connection: their lines are logged whatever this level is, except NONE.

    Raises:
        ValueError: ``level`` is not a LogLevel.
        ForkedError: This process is a fork of one in which GNS ran.

    Note:
        Native function: ``SetDebugOutputFunction``.
    """
    _native.set_log_level(LogLevel(level))


def dispatch_logs() -> None:
    """Make log records of the lines that GNS has logged.

    gns_py calls this wherever it waits or closes; it is rarely needed elsewhere. Any thread.
    """
    lines, lost = _native.receive_logs()
    if lost:
        _log.warning("%d lines of GNS's log were lost: not fetched in time", lost, extra=_extra(LogLevel.WARNING, ""))
    for line in lines:
        text = printable(line.text)  # it may contain a peer's identity or goodbye
        about = _CONNECTION.match(text)
        # GNS says so itself where it blames the application.
        ours = line.level is LogLevel.BUG and "application code" not in text
        hint = " (a bug in gns_py or in GNS: please report it)" if ours else ""
        extra = _extra(line.level, about[1] if about else "")
        _log.log(_LEVELS.get(line.level, logging.DEBUG), "%s%s", text, hint, extra=extra)


def _extra(level: LogLevel, connection: str) -> dict[str, object]:
    return {"gns_level": level, "gns_connection": connection}
