"""Fixtures: an authority, which takes the library cryptography, and identities for all tests."""

from __future__ import annotations

import pytest

from gns_py.certs import Authority


@pytest.fixture
def authority() -> Authority:
    """Return a new authority."""
    pytest.importorskip("cryptography")
    return Authority.create()
