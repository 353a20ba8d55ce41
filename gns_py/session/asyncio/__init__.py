"""Sessions for asyncio: connect(), listen() and serve(), with the names of gns_py.session.sync.

A session belongs to the loop that it was made in: waiting for it in another one raises RuntimeError.
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
from .client import connect
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
    "drain_on_signal",
    "listen",
    "serve",
]
