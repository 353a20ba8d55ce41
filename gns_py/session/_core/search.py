"""One connect(): which addresses it tries, in which order and for how long, and when it gives up. Pure."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable

from ..._core.deadline import Deadline
from ..errors import SessionFailed, SessionRejected, SessionTimeout
from ..protocol.reasons import CloseReason
from .addresses import Where

_log = logging.getLogger("gns_py")
# Seconds for an address if connect() has no time limit, but other addresses.
_PATIENCE = 10.0


class Search:
    """Tries addresses one after another, and those to which a server redirects before the rest."""

    def __init__(self, addresses: Iterable[Where], timeout: float | None, max_redirects: int) -> None:
        self._left = deque(addresses)
        self._seen = set(self._left)
        self._deadline = Deadline(timeout)
        self._redirects = max_redirects
        self._named_by: dict[Where, SessionRejected] = {}

    @property
    def timeout(self) -> float | None:
        """Seconds for the next address: its share of the time that is left."""
        left = self._deadline.remaining()
        if left is None:
            return None if len(self._seen) == 1 else _PATIENCE
        return left / max(len(self._left), 1)

    def next(self) -> Where:
        """Return the address to try next."""
        return self._left.popleft()

    def failed(self, where: Where, error: OSError) -> None:
        """Take the failure at an address.

        Raises:
            OSError: This one, if no other address is to be tried; or the answer of the server that has named this
                address, if there was nothing to be had here.
        """
        if isinstance(error, SessionRejected) and error.reason is CloseReason.SERVER_SHUTTING_DOWN:
            self._follow(error)
        is_final = isinstance(error, SessionFailed) and not (error.end.can_retry or isinstance(error, SessionTimeout))
        if is_final:
            raise error
        if not self._left or self._deadline.is_over():
            if (rejected := self._named_by.get(where)) is not None:
                raise rejected from error
            raise error
        _log.info("connecting to %s:%s failed, the next address is tried: %s", *where, error)

    def _follow(self, rejected: SessionRejected) -> None:
        new = [each for each in rejected.addresses if each not in self._seen]  # servers may redirect to each other
        if new and self._redirects:
            self._redirects -= 1
            self._seen.update(new)
            self._left.extendleft(reversed(new))
            self._named_by.update(dict.fromkeys(new, rejected))
