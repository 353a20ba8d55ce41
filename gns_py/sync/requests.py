"""Requests that wait in a mailbox."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .._core.connection import BaseConnection
from .._core.deadline import Deadline
from .._core.listener import Listener
from .._core.mailbox import Mailbox
from .._core.request import ConnectionRequest
from .._core.waiting import take_matching
from .connection import Connection


class MailboxRequests:
    """The requests of a listener, among the events of its mailbox: a poll() returns both."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    def put(self, request: ConnectionRequest[Any]) -> None:
        """See Requests."""
        BaseConnection.endpoint_of(request.connection).redirect_events(self._mailbox.events)
        self._mailbox.events.append(request)

    def withdraw(self, connection: Connection) -> None:
        """See Requests. A poll() returns the request, and the end after it."""

    def close(self) -> None:
        """See Requests. The listener itself says so."""

    def wake(self) -> None:
        """See Requests."""
        self._mailbox.wake()


def requests_of(listener: Listener[Connection], deadline: Deadline) -> Iterator[ConnectionRequest[Connection]]:
    """Iterate over requests as they arrive, until the listener is closed or the deadline is over."""
    mailbox = listener.mailbox
    while True:
        for request in take_matching(mailbox.events, lambda event: isinstance(event, ConnectionRequest), 1):
            BaseConnection.endpoint_of(request.connection).redirect_events(None)  # no one polls for its events
            yield request
            del request  # the generator may wait long for the next one
            break
        else:
            if listener.is_closed or (not mailbox.receive(deadline.remaining()) and deadline.is_over()):
                return
