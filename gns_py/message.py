"""A received message."""

from __future__ import annotations

from typing import NamedTuple


class Message(NamedTuple):
    """One message as the peer sent it."""

    data: bytes
    number: int
    """Its number on its lane, from 1, counted by the sender; reliable and unreliable ones share the count."""
    lane: int
    reliable: bool
    received_us: int
    """When it arrived, in microseconds of gns_py.runtime.time_us()."""
