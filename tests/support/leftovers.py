"""Objects that tests have left open. Only this module looks into private attributes of gns_py's connections."""

from __future__ import annotations

import gc
from typing import Any

from gns_py._core.endpoint import Endpoint
from gns_py._core.listener import Listener
from gns_py._generated.enums import EndReason
from gns_py.asyncio.mailbox import LoopMailbox


class Leftover:
    """An object that has not been closed."""

    def __init__(self, thing: Endpoint | Listener[Any] | LoopMailbox) -> None:
        self._thing = thing

    def __repr__(self) -> str:
        return repr(self._thing)

    def abandon(self) -> None:
        """Close or detach the object at once, without waiting."""
        if isinstance(self._thing, LoopMailbox):
            self._thing.detach()
        else:
            self._thing.close(EndReason.APP_GENERIC, "", linger=False)


def leftovers() -> list[Leftover]:
    """Return all open connections and listen sockets, and all mailboxes attached to an event loop.

    This walks through all objects, so it is slow.
    """
    return [Leftover(each) for each in gc.get_objects() if _is_left(each)]


def _is_left(thing: object) -> bool:
    if isinstance(thing, Endpoint):
        return thing.is_alive
    if isinstance(thing, Listener):
        return not thing.is_closed
    return isinstance(thing, LoopMailbox) and thing.is_attached
