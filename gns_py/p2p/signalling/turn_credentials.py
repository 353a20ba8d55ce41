"""Credentials for a TURN server that end by themselves, as coturn takes them with ``use-auth-secret``."""

from __future__ import annotations

import base64
import hmac
from datetime import datetime, timedelta, timezone

from ...identity import Identity
from ..ice_servers import Turn


def turn_credentials(
    address: str,
    secret: str | bytes,
    user: Identity | str = "",
    lifetime: timedelta | float = timedelta(hours=1),
    *,
    now: datetime | None = None,
) -> Turn:
    """Return a TURN server with credentials that are valid for a while.

    They are those of ``draft-uberti-behave-turn-rest``: the user is the time of their end and a name, the password
    a code of it with a secret that the TURN server has, too (HMAC-SHA1). An allocation lasts beyond their end only
    until it is next refreshed, so let the lifetime be longer than a match.

    Args:
        address: Host and port of the TURN server.
        secret: The secret, coturn's ``static-auth-secret``.
        user: A name for the logs of the TURN server, the identity for example. Characters that TURN or GNS cannot take
            become ``_``.
        lifetime: How long they are valid, as a timedelta or in seconds; at least one second.
        now: The time, with a time zone; None for the system's.

    Raises:
        TypeError: A value is of another type.
        ValueError: The secret is empty, the lifetime too short, or the address is not one.
    """
    if not isinstance(secret, str | bytes):
        raise TypeError(f"the secret must be a str or bytes, not {type(secret).__name__}")
    key = secret.encode() if isinstance(secret, str) else secret
    if not key:
        raise ValueError("the secret is empty")
    if not isinstance(user, Identity | str):
        raise TypeError(f"the user must be an Identity or a str, not {type(user).__name__}")
    span = lifetime if isinstance(lifetime, timedelta) else timedelta(seconds=lifetime)
    if span < timedelta(seconds=1):
        raise ValueError(f"the lifetime must be at least one second, not {span}")
    end = int(((now or datetime.now(timezone.utc)) + span).timestamp())
    name = "".join(each if each.isprintable() and each not in ",\\" else "_" for each in str(user))
    username = f"{end}:{name}" if name else str(end)
    password = base64.b64encode(hmac.digest(key, username.encode(), "sha1")).decode()
    return Turn(address, username, password, datetime.fromtimestamp(end, timezone.utc))
