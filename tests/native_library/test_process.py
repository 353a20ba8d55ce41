"""The life cycle of GNS, and what the library is built from."""

from __future__ import annotations

import pytest

import gns_py
from gns_py import _native
from gns_py._native import library
from gns_py.errors import InvalidStateError, NotRunningError


def test_only_the_first_start_starts() -> None:
    assert _native.start("str:me") is True
    assert _native.start("str:me") is False
    assert (_native.is_running(), _native.is_forked(), _native.identity()) == (True, False, "str:me")
    with pytest.raises(InvalidStateError):
        _native.start("str:other")
    assert not _native.is_lingering()
    _native.stop(0)
    _native.stop(0)
    assert not _native.is_running()
    with pytest.raises(NotRunningError):
        _native.identity()


def test_the_clock_needs_no_runtime() -> None:
    before = _native.time_us()
    assert 0 < before <= _native.time_us()


def test_build_info_knows_its_file() -> None:
    info = gns_py.build_info()
    assert info.library == library.PATH
    assert info.library.is_file()
