"""poll(), for everything that has a mailbox."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._core.deadline import Deadline
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
