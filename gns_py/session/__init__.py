"""Sessions: data and consent in the handshake, data at the end, flow control, and one reason for every end.

A session outlives its connection: it goes on, on a new one, without losing a message.

This package contains what the two APIs share. To connect or to listen, import one of them: ``gns_py.session.sync`` for
threads, ``gns_py.session.asyncio`` for asyncio. Both ends must use sessions: their protocol, inside GNS messages, is
documented for other languages.
"""

from ._core.admission import AdmissionCounters, AdmissionRules
from ._core.request import SessionRequest
from .errors import (
    SessionClosed,
    SessionClosedError,
    SessionClosedOK,
    SessionFailed,
    SessionRejected,
    SessionTimeout,
)
from .protocol.config import SessionConfig
from .protocol.going_away import GoingAway
from .protocol.reasons import CloseReason, SessionEnd
from .protocol.state import Phase

__all__ = [
    "AdmissionCounters",
    "AdmissionRules",
    "CloseReason",
    "GoingAway",
    "Phase",
    "SessionClosed",
    "SessionClosedError",
    "SessionClosedOK",
    "SessionConfig",
    "SessionEnd",
    "SessionFailed",
    "SessionRejected",
    "SessionRequest",
    "SessionTimeout",
]
