"""Sessions: data and consent at the set-up, data at the end, flow control, and one reason for every end.

This package holds what the APIs share. To connect and to listen, import an API: ``gns_py.session.sync`` for threads,
``gns_py.session.asyncio`` for asyncio. Both ends must speak sessions: the protocol, inside of GNS's messages, is
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
from .protocol.reasons import CloseReason, SessionEnd

__all__ = [
    "AdmissionCounters",
    "AdmissionRules",
    "CloseReason",
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
