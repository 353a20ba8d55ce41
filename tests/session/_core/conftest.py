"""Sessions without an API, for tests of what all APIs share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.plain import Ends, begin, establish


@pytest.fixture
def handshake() -> Iterator[Ends]:
    """Yield both ends of a session in memory whose handshake has just begun."""
    ends = begin(data=b"the client's")
    yield ends
    ends.abort()


@pytest.fixture
def plain_ends(handshake: Ends) -> Ends:
    """Return both ends of an established session in memory."""
    return establish(handshake)
