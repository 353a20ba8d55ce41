"""Reading until an event has happened."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from gns_py import ConnectionRequest, ConnectionState, StatusChanged
from gns_py.sync import Connection, ListenSocket
from gns_py.sync.connection import Event

from .deadline import PATIENCE

E = TypeVar("E")


class Polled(Protocol):
    """A connection, a listen socket or a poll group."""

    def poll(self, timeout: float | None = 0.0) -> list[Event]: ...


def poll_until(polled: Polled, done: Callable[[Event], object], timeout: float = 5.0) -> list[Event]:
    """Return all events up to the batch with the one that is waited for. Raises AssertionError without it."""
    timeout *= PATIENCE
    end = time.monotonic() + timeout
    events: list[Event] = []
    while time.monotonic() < end:
        batch = polled.poll(max(0.0, min(end - time.monotonic(), 0.1)))
        events += batch
        if any(done(event) for event in batch):
            return events
    raise AssertionError(f"not within {timeout} s, only {events}")


def next_event(polled: Polled, kind: type[E], timeout: float = 5.0) -> E:
    """Return the first event of a kind; those before it are dropped, and so are the rest of its batch."""
    events = poll_until(polled, lambda event: isinstance(event, kind), timeout)
    return next(event for event in events if isinstance(event, kind))


def until_connected(polled: Polled) -> list[Event]:
    """Return all events until a connection is established."""
    return poll_until(polled, lambda event: isinstance(event, StatusChanged) and event.new is ConnectionState.CONNECTED)


def until_ended(polled: Polled, timeout: float = 5.0) -> list[Event]:
    """Return all events until a connection ends."""
    return poll_until(polled, lambda event: isinstance(event, StatusChanged) and event.end, timeout)


def next_request(listener: ListenSocket) -> ConnectionRequest[Connection]:
    """Return the next request for a connection, in each API."""
    return next(iter(listener))
