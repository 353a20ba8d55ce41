"""The peer that is expected."""

from __future__ import annotations

from typing import Any

import pytest

from gns_py import Identity
from gns_py.certs import Expect

KEY = bytes(range(32))


def test_values_in_all_forms() -> None:
    expect = Expect("str:eu-1", [KEY, KEY.hex(), KEY.hex(" ").upper()])
    assert expect.identity == Identity.string("eu-1")
    assert expect.keys == (KEY, KEY, KEY)
    assert expect == Expect(Identity.string("eu-1"), [KEY] * 3)
    assert hash(expect) == hash(Expect("str:eu-1", [KEY] * 3))
    assert Expect(keys=iter([KEY])).identity is None
    assert Expect("str:a").keys == ()


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({}, ValueError, "expect an identity"),
        ({"keys": []}, ValueError, "expect an identity"),
        ({"identity": "alice"}, ValueError, "alice"),
        ({"identity": 5}, TypeError, "int"),
        ({"keys": KEY}, TypeError, "into a list"),
        ({"keys": KEY.hex()}, TypeError, "into a list"),
        ({"keys": [KEY[1:]]}, ValueError, "32 bytes, not 31"),
        ({"keys": ["xyz"]}, ValueError, "hex digits"),
        ({"keys": [5]}, TypeError, "int"),
    ],
)
def test_anything_else_is_refused(arguments: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        Expect(**arguments)
