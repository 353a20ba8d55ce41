"""A peer with a changed GNS (tests/core/changed_peer.cpp) attacks a whole server: other clients notice nothing."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from support import PATIENCE
from support.attacked import attack
from support.native import build_changed_peer

pytestmark = [
    pytest.mark.clone,
    pytest.mark.skipif(
        sys.platform != "linux", reason="the changed peer is built, and the address space limited, on Linux"
    ),
]

MIB = 1 << 20
# Unmended, these take many seconds, or gigabytes; these bounds prove no more than that.
SLOWEST = 1.0 * PATIENCE


@pytest.fixture(scope="session")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_changed_peer(tmp_path_factory.mktemp("native"))


@pytest.mark.parametrize("kind", ["connections", "sessions"])
@pytest.mark.parametrize(
    ("what", "memory"),
    [
        ("gap 1 200000000", 16),
        ("gap 255 200000000", 16),
        ("consume 1000000", 200),
        ("descending 300000", 200),
        ("fragments 255", 32),
        ("lane 255", 16),
        ("varint", 16),
        ("acks 100", 16),
        ("jump", 16),
    ],
)
def test_a_good_client_is_served_meanwhile(peer: Path, tmp_path: Path, kind: str, what: str, memory: int) -> None:
    figures = attack(peer, tmp_path, kind, *what.split())
    assert re.search(r"^packets [1-9]\d* state ", figures.said, re.MULTILINE), figures.said
    assert figures.slowest < SLOWEST
    assert figures.grown < memory * MIB


@pytest.mark.parametrize("kind", ["connections", "sessions"])
def test_a_server_without_memory_goes_on(
    peer: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The C library reserves 64 MiB of addresses for each thread, in addition to what is spare.
    monkeypatch.setenv("MALLOC_ARENA_MAX", "1")
    figures = attack(peer, tmp_path, kind, "unfinished", 255, spare=24 * MIB)  # it would make the server keep 64
    assert re.search(r"^packets \d+ state 4 ", figures.said, re.MULTILINE), figures.said
    if kind == "connections":  # sessions end it for sending anything but HELLO first
        assert "Out of memory" in figures.said
    assert figures.slowest < SLOWEST


def test_random_packets(peer: Path, tmp_path: Path) -> None:
    figures = attack(peer, tmp_path, "connections", "random", 5, 1)
    assert int(re.search(r"^connections (\d+)", figures.said, re.MULTILINE)[1]) > 1  # type: ignore[index]
    assert figures.slowest < SLOWEST
