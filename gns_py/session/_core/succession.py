"""Sessions one after another: when a client begins the next one, and where. Pure."""

from __future__ import annotations

import logging
import random

from ...errors import InitializationError
from ..errors import SessionFailed, SessionTimeout
from ..protocol.going_away import GoingAway
from ..protocol.reasons import CloseReason, SessionEnd
from .addresses import Where

_log = logging.getLogger("gns_py")
# Seconds, as for connections: the first pause is random, so that the clients of a restarted server do not all arrive at
# once; each further one is longer, up to a limit.
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_LONGER = 1.6
# A session that has lived this long was a success: the next pause is a first one again.
_SUCCESS = 10.0


class Succession:
    """Decides what follows when a session has ended, or could not be established."""

    def __init__(self) -> None:
        self.previous: SessionEnd | None = None
        """How the last session ended."""
        self.goes_on = True
        """False if another session must not follow: it would end the one that has ended this one."""
        self.redirect: tuple[Where, ...] = ()
        """Where the next session should begin."""
        self._pause = 0.0

    def ended(self, end: SessionEnd, going_away: GoingAway | None, lived: float) -> float:
        """Take the end of a session that has lived for this many seconds, and return for how many to pause."""
        self.previous = end
        self.redirect = () if going_away is None else going_away.addresses
        self.goes_on = end.reason is not CloseReason.SESSION_TAKEN_OVER
        is_first = self._grow(lived)
        return self._log(0.0 if is_first and going_away is not None else self._pause, end)

    def failed(self, error: OSError, lasted: float) -> float:
        """Take the failure to establish a session, and return for how many seconds to pause.

        Raises:
            OSError: This one, if trying again cannot help.
        """
        self.redirect = ()
        if isinstance(error, SessionFailed) and not (error.end.can_retry or isinstance(error, SessionTimeout)):
            raise error
        if isinstance(error, InitializationError) and error.errno is None:  # it was not the system that refused
            raise error
        self._grow(lasted)
        return self._log(self._pause, error)

    def _grow(self, lasted: float) -> bool:
        """Set the next pause, and return whether it is a first one."""
        if lasted > max(_SUCCESS, self._pause):
            self._pause = 0.0
        is_first = not self._pause
        self._pause = (
            random.uniform(0.0, _FIRST_PAUSE) + 1e-3 if is_first else min(self._pause * _LONGER, _LONGEST_PAUSE)
        )
        return is_first

    def _log(self, pause: float, why: object) -> float:
        if self.goes_on:
            _log.info("another session begins in %.1f s: %s", pause, why)
        return pause
