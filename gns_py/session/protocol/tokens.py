"""The tokens with which a client shows that a session is its own."""

from __future__ import annotations

import secrets
from hmac import compare_digest, digest

from .frames import FIRST_EPOCH

_SIZE = 16
SECRET_SIZE = 32
_OWNER_SHIFT = 20


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

    @property
    def confirmed_epoch(self) -> int:
        """The last epoch that the client has confirmed."""
        return self._confirmed[0]

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


class DerivedTokens(Tokens):
    """The tokens of a durable session: each follows from a secret, so that another server knows it, too.

    A server that takes the session over begins with an epoch that no server before it has used: ``owner << 20`` counts
    the owners. So the tokens of an owner that has lost the session, and does not know, are not valid elsewhere; and an
    epoch shows it that there is a newer one.
    """

    def __init__(self, secret: bytes) -> None:
        super().__init__()
        self._secret = secret
        self.newest = token_of(secret, self.epoch)
        self._confirmed = self.epoch, self.newest

    def renew(self) -> None:
        """See Tokens."""
        self.epoch += 1
        self.newest = token_of(self._secret, self.epoch)

    def accept(self, epoch: int, token: bytes) -> bool:
        """See Tokens. An owner before this one may have let the client go on meanwhile: it did not know better."""
        if super().accept(epoch, token):
            return True
        first = self.epoch >> _OWNER_SHIFT << _OWNER_SHIFT
        is_of_older_owner = self._confirmed[0] < epoch < first and compare_digest(token, token_of(self._secret, epoch))
        if is_of_older_owner:
            self._confirmed = epoch, token
        return is_of_older_owner

    def begin_ownership(self, owner: int, epoch: int) -> bool:
        """Begin as the owner with this number, for a client that has shown the token of this epoch.

        Returns:
            False if the client has had the session from an owner that is not older: the store has lost that.
        """
        first = owner << _OWNER_SHIFT
        if epoch >= first:
            return False
        self._confirmed = epoch, token_of(self._secret, epoch)
        self.epoch = first  # the next one is the first that is used
        return True

    def is_of_newer_owner(self, epoch: int, token: bytes) -> bool:
        """Return whether a newer owner has given this token to the client."""
        is_newer = epoch >> _OWNER_SHIFT > self.epoch >> _OWNER_SHIFT
        return is_newer and compare_digest(token, token_of(self._secret, epoch))


def token_of(secret: bytes, epoch: int) -> bytes:
    """Return the token of an epoch of a durable session."""
    return digest(secret, epoch.to_bytes(8, "big"), "sha256")[:_SIZE]
