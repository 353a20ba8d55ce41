"""Limits: token buckets, what counts as one client, and values that make no sense."""

from __future__ import annotations

from typing import Any

import pytest

from gns_py.p2p.signalling import SignallingLimits
from gns_py.p2p.signalling.limits import Bucket, Buckets, network_of


def test_a_bucket_allows_a_burst_and_then_a_rate() -> None:
    bucket = Bucket(rate=2.0, burst=3, now=10.0)
    assert [bucket.take(10.0) for _ in range(4)] == [True, True, True, False]
    assert bucket.delay(10.0) == pytest.approx(0.5)
    assert bucket.delay(10.4) == pytest.approx(0.1)
    assert [bucket.take(10.5) for _ in range(2)] == [True, False]
    assert [bucket.take(1000.0) for _ in range(4)] == [True, True, True, False]
    assert not bucket.take(0.0)  # a clock that goes back gives nothing


def test_a_bucket_for_each() -> None:
    buckets = Buckets[str](rate=1.0, burst=1, capacity=2)
    assert buckets.has_one("a", 0.0)
    assert buckets.take("a", 0.0)
    assert not buckets.has_one("a", 0.0)
    assert not buckets.take("a", 0.0)
    assert buckets.take("b", 0.0)
    assert not buckets.take("a", 0.0)  # used last, so "b" is forgotten
    assert buckets.take("c", 0.0)
    assert len(buckets) == 2
    assert not buckets.take("a", 0.0)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("/run/socket", "/run/socket"),
        ("", ""),
    ],
)
def test_the_network_of_an_address(address: str, network: str) -> None:
    assert network_of(address) == network


@pytest.mark.parametrize(
    ("values", "error", "text"),
    [
        ({"max_signal": 8193}, ValueError, "max_signal must be at most 8192, not 8193"),
        ({"max_signal": 0}, ValueError, "max_signal must be above 0"),
        ({"max_capacity": 257}, ValueError, "max_capacity must be at most 256"),
        ({"signal_burst": 1.5}, TypeError, "signal_burst must be an int, not float"),
        ({"hello_timeout": "1"}, TypeError, "hello_timeout must be a number, not str"),
        ({"hello_timeout": float("inf")}, ValueError, "finite"),
        ({"signals_per_second": float("nan")}, ValueError, "finite"),
        ({"max_rooms": True}, TypeError, "not bool"),
    ],
)
def test_bad_limits(values: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        SignallingLimits(**values)


def test_the_defaults() -> None:
    limits = SignallingLimits(hello_timeout=1)
    assert (limits.max_signal, limits.signals_per_second, limits.signal_burst) == (4096, 20.0, 40)
    assert (limits.signal_queue, limits.rooms_per_client, limits.connects_per_second) == (64, 8, 5.0)
