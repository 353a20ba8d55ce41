"""The entries of an authority's lists, and their lines in files: one JSON object each."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, NamedTuple

from ..identity import Identity

DAMAGED = (ValueError, KeyError, TypeError)
"""The exceptions of the functions that read a line, if it is damaged."""


class Issued(NamedTuple):
    """A certificate that an authority has issued."""

    key_id: int
    """The number of its key."""
    identity: Identity | None
    """The identity that it was issued to; None for another authority."""
    created: datetime
    """The time at which it was issued."""
    expires: datetime
    """The last moment at which it is valid."""


class Revocation(NamedTuple):
    """A key that an authority has revoked."""

    key_id: int
    """The number of the key."""
    revoked: datetime
    """The time at which it was revoked."""


def issued_to_line(issued: Issued) -> str:
    """Return the line of a certificate, without a line break."""
    line = {
        "key_id": str(issued.key_id),
        "identity": None if issued.identity is None else str(issued.identity),
        "created": issued.created.isoformat(),
        "expires": issued.expires.isoformat(),
    }
    return json.dumps(line)


def issued_from_line(text: str) -> Issued:
    """Return the certificate of a line. Raises one of DAMAGED."""
    line: dict[str, Any] = json.loads(text)
    identity = None if line["identity"] is None else Identity.parse(line["identity"])
    return Issued(int(line["key_id"]), identity, _time(line["created"]), _time(line["expires"]))


def revocation_to_line(revocation: Revocation) -> str:
    """Return the line of a revocation, without a line break."""
    return json.dumps({"key_id": str(revocation.key_id), "revoked": revocation.revoked.isoformat()})


def revocation_from_line(text: str) -> Revocation:
    """Return the revocation of a line. Raises one of DAMAGED."""
    line: dict[str, Any] = json.loads(text)
    return Revocation(int(line["key_id"]), _time(line["revoked"]))


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("a time without a time zone")
    return time
