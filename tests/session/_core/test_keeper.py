"""The keeper of durable sessions: its checks. For its work see test_durable.py."""

from __future__ import annotations

import pytest

from gns_py.session._core import keeper


def test_states_are_bytes() -> None:
    keeper.check_state(None)
    keeper.check_state(b"")
    with pytest.raises(TypeError, match="bytes"):
        keeper.check_state("text")  # type: ignore[arg-type]
