"""Peers that GNS has verified. Which ones it verifies is shown with certificates."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from gns_py.session._core import identities
from gns_py.session.protocol.durable import VerifiedPeer

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
ALICE = VerifiedPeer("str:alice", KEY)


def end_of(**info: Any) -> Any:
    """Return the end of a connection about which GNS says this; nothing: nothing yet."""
    return SimpleNamespace(endpoint=SimpleNamespace(last_info=SimpleNamespace(**info) if info else None))


@pytest.mark.parametrize(
    ("end", "peer"),
    [
        (end_of(identity="str:alice", authenticated=True, remote_key=KEY), ALICE),
        (end_of(identity="str:alice", authenticated=False, remote_key=KEY), None),
        (end_of(identity="str:alice", authenticated=False, remote_key=None), None),
        (end_of(), None),
    ],
)
def test_who_is_verified(end: Any, peer: VerifiedPeer | None) -> None:
    assert identities.verified_peer(end) == peer


@pytest.mark.parametrize(
    ("owner", "newcomer", "refusal"),
    [
        (ALICE, VerifiedPeer("str:alice", bytes(KEY)), ""),
        (ALICE, None, "the session belongs to an authenticated client"),
        (ALICE, VerifiedPeer("str:mallory", KEY), "the session belongs to another identity"),
        (ALICE, VerifiedPeer("str:alice", OTHER_KEY), "the session belongs to another key of this identity"),
        (None, None, ""),
        (None, ALICE, ""),
    ],
)
def test_who_may_go_on(owner: VerifiedPeer | None, newcomer: VerifiedPeer | None, refusal: str) -> None:
    assert identities.refusal(owner, newcomer) == refusal
