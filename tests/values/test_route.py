"""Routes."""

from __future__ import annotations

from gns_py.p2p import Route


def test_their_texts_are_their_names() -> None:
    assert [str(route) for route in Route] == ["unknown", "local", "direct", "relayed"]
