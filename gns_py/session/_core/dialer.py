"""When a client that has lost its connection tries to get another one."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .resumable import ResumableEndpoint

# Seconds: the bound of the second pause, which doubles with each attempt, and the longest one. The first attempt is
# made at once.
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
ATTEMPT_TIMEOUT = 5.0
"""Seconds that an attempt may take."""


class Dialer(ABC):
    """Connects a client to its server again. It makes one attempt at a time."""

    def __init__(self) -> None:
        self.is_dialing = False
        """True from the beginning of the pause until the attempt has ended, well or not."""
        self._attempts = 0

    def rest(self) -> None:
        """Begin anew with the next attempt: the session has a connection."""
        self._attempts = 0

    def dial(self, endpoint: ResumableEndpoint) -> None:
        """Begin an attempt, unless one is under way: after a random pause, so that many clients do not come at once."""
        if self.is_dialing:
            return
        longest = min(_FIRST_PAUSE * 2.0 ** min(self._attempts - 1, 16), _LONGEST_PAUSE) if self._attempts else 0.0
        self._attempts += 1
        self.is_dialing = True
        try:
            self.begin(endpoint, random.uniform(0.0, longest))
        except BaseException:
            self.is_dialing = False
            raise

    @abstractmethod
    def begin(self, endpoint: ResumableEndpoint, pause: float) -> None:
        """Begin an attempt: pause, connect, and hand the connection to ResumableEndpoint.welcome().

        Sets ``is_dialing`` to False in the end. Must not keep the endpoint.
        """

    @abstractmethod
    def cancel(self) -> None:
        """Give up the attempt that is under way, if any. Any thread, any moment."""

    @abstractmethod
    def hurry(self) -> None:
        """End a pause at once. Any thread."""
