"""Opening connections and logging in; the client's tests show the rest."""

from __future__ import annotations

import pytest

from gns_py.p2p.signalling import Refusal, SignallingRefused
from gns_py.p2p.signalling.link import host_of, refused
from gns_py.p2p.signalling.wire import Error


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("wss://sig.example.org", "sig.example.org"),
        ("wss://SIG.example.org:8443/path?query", "sig.example.org"),
        ("ws://[::1]:8765", "::1"),
    ],
)
def test_hosts(url: str, host: str) -> None:
    assert host_of(url) == host


@pytest.mark.parametrize("url", ["", "sig.example.org", "https://a", "wss://", "wss://a:b", "wss://a#b", "wss://[::1"])
def test_other_urls(url: str) -> None:
    with pytest.raises(ValueError, match=r'like "wss://sig.example.org"'):
        host_of(url)


def test_refusals() -> None:
    error = refused(Error(0, 3, "no"))
    assert isinstance(error, SignallingRefused)
    assert (error.reason, error.text) == (Refusal.NOT_AUTHENTICATED, "no")
