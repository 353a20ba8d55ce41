"""The exceptions of session stores.

GNSError
└── StoreError
    ├── StoreUnavailable (ConnectionError)   no answer in time, or none that helps: try again
    ├── StoreMisconfigured                   wrong password, missing permissions, not the kind of server that was named
    ├── Fenced                               the session is another server's, or was ended by one
    ├── RecordMissing                        the store has no such record
    │   ├── RecordExpired                    its time is over, or it was deleted
    │   └── RecordLost                       the store has lost data
    └── RecordTooLarge (ValueError)          can never be stored
"""

from __future__ import annotations

from ...errors import GNSError


class StoreError(GNSError):
    """The base class of what a session store raises, or returns for a session."""


class StoreUnavailable(StoreError, ConnectionError):
    """The store did not answer in time, or cannot work now; ``__cause__`` is the client library's exception, if any.

    The operation may have been carried out. Every operation can be repeated.
    """


class StoreMisconfigured(StoreError):
    """The store refuses this program: a wrong password, no permission, or a server of another kind."""


class Fenced(StoreError):
    """The session is another owner's, or has been ended by another server.

    Attributes:
        epoch: The epoch that the store has.
        reason: The number of the reason with which the session was ended, or None if it lives, at its new owner.
    """

    def __init__(self, epoch: int, reason: int | None = None) -> None:
        super().__init__(epoch, reason)
        self.epoch = epoch
        self.reason = reason

    def __str__(self) -> str:
        if self.reason is None:
            return f"the session has another owner, since epoch {self.epoch}"
        return f"the session was ended by another server, in epoch {self.epoch}, with reason {self.reason}"


class RecordMissing(StoreError):
    """The store has no record of the session, or one that is incomplete."""


class RecordExpired(RecordMissing):
    """The record's time is over, or it was deleted, or it has never existed."""


class RecordLost(RecordMissing):
    """The store has lost data since the record was made or last written."""


class RecordTooLarge(StoreError, ValueError):
    """The record or commit is larger than the store's ``max_size``."""
