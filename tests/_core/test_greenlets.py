"""Waits in small steps where a library has turned threads into greenlets; the real ones are in tests/coexistence."""

from __future__ import annotations

import sys
import threading
import time
from types import ModuleType

import pytest
from support import PATIENCE

import gns_py.sync as gns


class Greenlets:
    """A library whose sleep is counted."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        time.sleep(seconds)


@pytest.fixture(params=["gevent", "eventlet"])
def greenlets(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Greenlets:
    """Make threads look as if the library had patched them."""
    library, greenlets = ModuleType(request.param), Greenlets()
    monkeypatch.setattr(library, "sleep", greenlets.sleep, raising=False)
    names = {"gevent": ("gevent.monkey", "is_module_patched"), "eventlet": ("eventlet.patcher", "is_monkey_patched")}
    name, asked = names[request.param]
    patcher = ModuleType(name)
    monkeypatch.setattr(patcher, asked, lambda module: module in ("thread", "threading"), raising=False)
    for each, module in names.items():
        monkeypatch.delitem(sys.modules, module[0], raising=False)
        monkeypatch.delitem(sys.modules, each, raising=False)
    monkeypatch.setitem(sys.modules, request.param, library)
    monkeypatch.setitem(sys.modules, name, patcher)
    return greenlets


def test_a_wait_sleeps_in_steps_that_grow(greenlets: Greenlets) -> None:
    first, second = gns.socket_pair()
    with first, second:
        with pytest.raises(TimeoutError):
            first.recv(timeout=0.1)
        assert len(greenlets.pauses) > 5
        assert greenlets.pauses[0] < 0.001
        assert 0.001 < max(greenlets.pauses) <= 0.005
        assert sum(greenlets.pauses) <= 0.1


def test_a_wait_ends_with_its_event(greenlets: Greenlets) -> None:
    first, second = gns.socket_pair()
    with first, second:
        timer = threading.Timer(0.1, second.send, (b"x",))
        timer.start()
        assert first.recv(timeout=10.0 * PATIENCE) == b"x"
        assert greenlets.pauses
        timer.join()


def test_a_call_that_does_not_wait_does_not_sleep(greenlets: Greenlets) -> None:
    first, second = gns.socket_pair()
    with first, second:
        assert first.poll() is not None
        assert greenlets.pauses == []


def test_a_library_that_has_not_patched_threads_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, asked in (("gevent.monkey", "is_module_patched"), ("eventlet.patcher", "is_monkey_patched")):
        patcher = ModuleType(name)
        monkeypatch.setattr(patcher, asked, lambda _: False, raising=False)
        monkeypatch.setitem(sys.modules, name, patcher)
    first, second = gns.socket_pair()
    with first, second, pytest.raises(TimeoutError):
        first.recv(timeout=0.01)
