"""The transport's constants: those of the native library, without importing it."""

from __future__ import annotations

from gns_py import _native
from gns_py.session.protocol.transport import Hold


def test_holds_are_those_of_the_native_library() -> None:
    assert {hold.name: hold.value for hold in Hold} == {
        "NONE": _native.HOLD_NONE,
        "DATA": _native.HOLD_DATA,
        "ALL": _native.HOLD_ALL,
    }
