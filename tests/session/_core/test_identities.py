"""Identities that GNS has verified. Which ones it verifies is shown with certificates."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from gns_py import InfoFlags
from gns_py.session._core import identities


def end_of(identity: str | None, flags: InfoFlags) -> Any:
    """Return the end of a connection about which GNS says this; None: nothing yet."""
    info = None if identity is None else SimpleNamespace(identity=identity, flags=flags)
    return SimpleNamespace(endpoint=SimpleNamespace(last_info=info, info=lambda: info))


VERIFIED = end_of("str:alice", InfoFlags(0))
CLAIMED = end_of("str:alice", InfoFlags.UNAUTHENTICATED)
OTHER = end_of("str:mallory", InfoFlags(0))


@pytest.mark.parametrize(
    ("end", "identity"), [(VERIFIED, "str:alice"), (CLAIMED, ""), (end_of(None, InfoFlags(0)), "")]
)
def test_what_is_verified(end: Any, identity: str) -> None:
    assert identities.verified_identity(end) == identity


@pytest.mark.parametrize(
    ("verified", "handshake", "may"),
    [
        ("str:alice", VERIFIED, True),
        ("str:alice", CLAIMED, False),
        ("str:alice", OTHER, False),
        ("", CLAIMED, True),
        ("", OTHER, True),
    ],
)
def test_who_may_go_on(verified: str, handshake: Any, may: bool) -> None:
    assert identities.may_go_on(verified, handshake) is may
