"""Signalling: the way on which two peers exchange a few small messages before they have a connection."""

from .errors import (
    Refusal,
    RoomError,
    SignallingClosed,
    SignallingError,
    SignallingRefused,
    SignallingUnavailable,
)
from .limits import SignallingLimits
from .signalling import Signal, Signalling

__all__ = [
    "Refusal",
    "RoomError",
    "Signal",
    "Signalling",
    "SignallingClosed",
    "SignallingError",
    "SignallingLimits",
    "SignallingRefused",
    "SignallingUnavailable",
]
