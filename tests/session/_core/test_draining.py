"""The arguments of drain()."""

from __future__ import annotations

import time
from math import inf
from typing import Any

import pytest

from gns_py.address import Address
from gns_py.session._core.draining import plan_departure


def test_a_plan() -> None:
    before = time.monotonic()
    departure = plan_departure(5.0, ["game2.example:27015", ("::1", 7), Address("1.2.3.4", 8), "[::2]:9"], "update")
    assert before + 5.0 <= departure.at <= time.monotonic() + 5.0
    assert departure.addresses == ("game2.example:27015", "[::1]:7", "1.2.3.4:8", "[::2]:9")
    assert departure.text == "update"


@pytest.mark.parametrize("deadline", [None, inf, 1e12])
def test_no_deadline(deadline: float | None) -> None:
    assert plan_departure(deadline, (), "").at == inf


@pytest.mark.parametrize(
    "address",
    [
        "",
        ":1",
        "host",
        "host:",
        "host:0",
        "host:65536",
        "host:1:2",
        "::1",
        "a b:1",
        "a\0:1",
        "\ud800:1",
        "x" * 254 + ":1",
    ],
)
def test_what_is_not_an_address(address: str) -> None:
    with pytest.raises(ValueError, match="is not an address"):
        plan_departure(None, [address], "")


@pytest.mark.parametrize("address", [1, None, b"host:1", ("host",), (1, 2), ["host", 1]])
def test_what_cannot_be_an_address(address: Any) -> None:
    with pytest.raises(TypeError, match="an address is"):
        plan_departure(None, [address], "")


@pytest.mark.parametrize("redirect", ["host:1", b"host:1", 1, None])
def test_what_is_not_a_list(redirect: Any) -> None:
    with pytest.raises(TypeError, match="a sequence of addresses"):
        plan_departure(None, redirect, "")
