"""How many connections the system lets a server have."""

from __future__ import annotations

import pytest

from gns_py.p2p.signalling.descriptors import most_connections

resource = pytest.importorskip("resource")


@pytest.mark.parametrize(
    ("limit", "most"),
    [(65536, 10_000), (10_160, 10_000), (1024, 864), (256, 128), (60, 30), (1, 1), (resource.RLIM_INFINITY, 10_000)],
)
def test_connections_leave_descriptors_for_everything_else(
    monkeypatch: pytest.MonkeyPatch, limit: int, most: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    assert most_connections(10_000) == most
