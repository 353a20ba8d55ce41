"""What tests have left open: the only place in the tests that looks into objects of gns_py."""

from __future__ import annotations

import asyncio
import contextlib
import gc

import gns_py
from gns_py._core.endpoint import Endpoint
from gns_py._core.listener import Listener
from gns_py.asyncio import mailbox as mailboxes
from gns_py.asyncio.mailbox import LoopMailbox


class Leftover:
    """An object that has not been closed."""

    def __init__(self, thing: Endpoint | Listener[Endpoint] | LoopMailbox) -> None:
        self._thing = thing

    def __repr__(self) -> str:
        return repr(self._thing)

    def abandon(self) -> None:
        """Close or detach the object at once, without waiting."""
        if isinstance(self._thing, LoopMailbox):
            self._thing._detach()  # noqa: SLF001
            return
        with contextlib.suppress(gns_py.GNSError):
            (self._thing._close if isinstance(self._thing, Endpoint) else self._thing.close)()  # noqa: SLF001


def leftovers() -> list[Leftover]:
    """Return all open connections and listen sockets, and all mailboxes attached to an event loop.

    This walks through all objects, so it is slow.
    """
    return [Leftover(each) for each in gc.get_objects() if _is_left(each)]


def attached_mailbox(loop: asyncio.AbstractEventLoop) -> LoopMailbox | None:
    """Return the mailbox that the loop serves at present, if any."""
    mailbox = mailboxes._mailboxes.get(loop)  # noqa: SLF001
    return mailbox if mailbox is not None and mailbox.is_attached else None


def loop_mailboxes() -> list[LoopMailbox]:
    """Return the mailboxes of all loops that still exist, attached or not."""
    return list(mailboxes._mailboxes.values())  # noqa: SLF001


def _is_left(thing: object) -> bool:
    if isinstance(thing, Endpoint):
        return thing.end is None and not thing._closed_here  # noqa: SLF001
    if isinstance(thing, Listener):
        return not thing._closed  # noqa: SLF001
    return isinstance(thing, LoopMailbox) and thing.is_attached
