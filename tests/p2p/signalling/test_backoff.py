"""Pauses between attempts: they grow, up to a bound, and differ."""

from __future__ import annotations

from gns_py.p2p.signalling.backoff import Backoff


def test_pauses_double_with_jitter_up_to_a_bound() -> None:
    backoff = Backoff(1.0, 30.0)
    pauses = [backoff.next() for _ in range(2000)]
    for number, pause in enumerate(pauses[:5]):
        assert 0.5 * 2**number <= pause <= 1.5 * 2**number
    assert max(pauses) <= 30.0
    assert min(pauses[10:]) >= 10.0
    assert len(set(pauses[100:])) > 1000
    backoff.reset()
    assert 0.5 <= backoff.next() <= 1.5
