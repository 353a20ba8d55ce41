"""Waiting for messages, and poll(), for everything that has a mailbox."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._core.deadline import Deadline
from .._core.endpoint import Endpoint
from .._core.mailbox import Mailbox
from .._core.waiting import take
from ..errors import NotRunningError


def poll(mailbox: Mailbox, timeout: float | None, is_over: Callable[[], bool]) -> list[Any]:
    """Wait for the first event, unless none can arrive any longer, and return all events.

    Args:
        mailbox: Where the events arrive.
        timeout: Seconds, or None for no limit.
        is_over: Returns whether no event can arrive.
    """
    deadline = Deadline(0.0 if is_over() else timeout)
    try:
        mailbox.receive(0.0 if mailbox.events else deadline.remaining())
        while not mailbox.events and not deadline.is_over() and not is_over():
            mailbox.receive(deadline.remaining())
    except NotRunningError:
        if not mailbox.events and not is_over():
            raise
    return take(mailbox.events)


def wait_for_message(endpoint: Endpoint, deadline: Deadline) -> None:
    """Wait until a message is in a connection's inbox.

    Raises:
        TimeoutError: None arrived in time.
        ConnectionClosed: The connection has ended, and everything that had arrived has been read.
        ConcurrencyError: Another thread is reading.
        InvalidStateError: A poll group reads the connection.
    """
    endpoint.check_own_reader()
    endpoint.redirect_events(None)
    inbox = endpoint.inbox
    while not inbox and endpoint.end is None:
        if not endpoint.mailbox.receive(deadline.remaining()) and deadline.is_over():
            raise TimeoutError(f"no message within {deadline.timeout} s")
    if endpoint.end is not None and not inbox:  # in this order: the last message comes before the end
        # Another thread may have closed it: its callback must learn of the end, too.
        endpoint.mailbox.receive_if_idle()
        raise endpoint.closed_error()
