"""Session ids that name the data set they belong to.

An id is the number of a bucket, that bucket's epoch, and random bytes. The epoch is a random value that lives in the
store, with the records of its bucket: if the store loses its data, the next epoch is a different one, and a missing
record is known to be lost, not expired. There are many buckets because a cluster can lose a part of its data.
"""

from __future__ import annotations

import secrets

SIZE = 16
"""Bytes of a session id."""
BUCKETS = 256
"""The first byte of an id is the number of its bucket."""
EPOCH_SIZE = 5
_RANDOM_SIZE = SIZE - 1 - EPOCH_SIZE


def new_epoch() -> bytes:
    """Return an epoch for a store, or a part of it, that has none."""
    return secrets.token_bytes(EPOCH_SIZE)


def new_id(bucket: int, epoch: bytes) -> bytes:
    """Return an id that no other session has."""
    return bytes([bucket]) + epoch + secrets.token_bytes(_RANDOM_SIZE)


def bucket_of(session_id: bytes) -> int:
    """Return the number of the bucket that a session belongs to."""
    return session_id[0]


def epoch_of(session_id: bytes) -> bytes:
    """Return the epoch in which an id was made."""
    return session_id[1 : 1 + EPOCH_SIZE]
