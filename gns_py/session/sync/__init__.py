"""Sessions for threads: connect(), listen() and serve(), with the names of gns_py.session.asyncio.

Timeouts are in seconds. One that is not a number raises TypeError, a negative one ValueError.
"""

from ...limits import ConnectionLimits, LimitCounters
from .. import (
    AdmissionCounters,
    AdmissionRules,
    CloseReason,
    GoingAway,
    Phase,
    SessionClosed,
    SessionClosedError,
    SessionClosedOK,
    SessionConfig,
    SessionEnd,
    SessionFailed,
    SessionRejected,
    SessionRequest,
    SessionTimeout,
)
from .client import connect, connect_again
from .listener import ListenSocket, listen
from .server import Server, serve
from .session import Session
from .signals import drain_on_signal

__all__ = [
    "AdmissionCounters",
    "AdmissionRules",
    "CloseReason",
    "ConnectionLimits",
    "GoingAway",
    "LimitCounters",
    "ListenSocket",
    "Phase",
    "Server",
    "Session",
    "SessionClosed",
    "SessionClosedError",
    "SessionClosedOK",
    "SessionConfig",
    "SessionEnd",
    "SessionFailed",
    "SessionRejected",
    "SessionRequest",
    "SessionTimeout",
    "connect",
    "connect_again",
    "drain_on_signal",
    "listen",
    "serve",
]
