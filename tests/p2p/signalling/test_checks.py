"""Checks of what is sent; the contract tests show them for each signalling."""

from __future__ import annotations

import pytest

from gns_py import Identity
from gns_py.p2p.signalling.checks import check_signal


def test_good_and_bad_signals() -> None:
    bob = Identity.string("bob")
    check_signal(bob, b"x")
    check_signal(bob, bytes(8192))
    with pytest.raises(ValueError, match="1 to 8192 bytes, not 8193"):
        check_signal(bob, bytes(8193))
    with pytest.raises(ValueError, match="1 to 100 bytes, not 101"):
        check_signal(bob, bytes(101), 100)
    with pytest.raises(TypeError, match="must be bytes, not bytearray"):
        check_signal(bob, bytearray(b"x"))  # type: ignore[arg-type]
