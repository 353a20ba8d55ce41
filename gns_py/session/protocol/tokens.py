"""The tokens with which a client shows that a session is its own."""

from __future__ import annotations

import secrets
from hmac import compare_digest

from .frames import FIRST_EPOCH

_SIZE = 16


class Tokens:
    """The tokens of one session: a new one for each epoch.

    Two are valid while the client may not have the newest: the answer that carries it can be lost.
    """

    def __init__(self) -> None:
        self.epoch = FIRST_EPOCH
        """The newest epoch."""
        self.newest = secrets.token_bytes(_SIZE)
        """The token of that epoch."""
        self._confirmed = self.epoch, self.newest

    def renew(self) -> None:
        """Begin an epoch. The token that the client has is valid until it confirms the new one."""
        self.epoch += 1
        self.newest = secrets.token_bytes(_SIZE)

    def confirm(self) -> None:
        """Record that the client has the newest token: the older one is void."""
        self._confirmed = self.epoch, self.newest

    def accept(self, epoch: int, token: bytes) -> bool:
        """Return whether a client that shows these owns the session. The newest ones are confirmed by that."""
        is_newest = compare_digest(token, self.newest) and epoch == self.epoch
        is_confirmed = compare_digest(token, self._confirmed[1]) and epoch == self._confirmed[0]
        if is_newest:
            self.confirm()
        return is_newest or is_confirmed
