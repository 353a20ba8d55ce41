"""ConnectionLimits: valid and invalid limits."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

from gns_py import ConnectionLimits
from gns_py.limits import DEFAULT_LIMITS, check_limits

COUNTS = ["max_half_open", "max_half_open_per_address", "max_connections_per_address", "burst_per_address"]


def test_none_is_no_limit() -> None:
    for field in dataclasses.fields(ConnectionLimits):
        limits: dict[str, Any] = {field.name: None}
        if field.name == "burst_per_address":
            with pytest.raises(TypeError, match="burst_per_address must be an int, not NoneType"):
                ConnectionLimits(**limits)
        else:
            assert getattr(ConnectionLimits(**limits), field.name) is None


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("value", ["1", 1.0, True, b"1", [1]])
def test_a_count_of_another_type(name: str, value: Any) -> None:
    with pytest.raises(TypeError, match=f"^{name} must be an int, not {type(value).__name__}$"):
        ConnectionLimits(**{name: value})


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("value", [0, -1, 2**31])
def test_a_count_out_of_range(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"^{name} is {value}: it must be from 1 to 2147483647$"):
        ConnectionLimits(**{name: value})


@pytest.mark.parametrize("value", [0, 0.0, -1.0, math.nan, math.inf])
def test_a_rate_out_of_range(value: float) -> None:
    with pytest.raises(ValueError, match=r"^rate_per_address is .*: it must be more than 0, or None for no limit$"):
        ConnectionLimits(rate_per_address=value)


def test_a_rate_of_another_type() -> None:
    with pytest.raises(TypeError, match=r"^rate_per_address must be a number, not str$"):
        ConnectionLimits(rate_per_address="1")  # type: ignore[arg-type]


def test_they_are_values() -> None:
    assert ConnectionLimits(max_half_open=5) == ConnectionLimits(max_half_open=5)
    assert hash(ConnectionLimits()) == hash(ConnectionLimits())
    with pytest.raises(dataclasses.FrozenInstanceError):
        ConnectionLimits().max_half_open = 5  # type: ignore[misc]


def test_other_types_are_refused_where_limits_are_given() -> None:
    check_limits(None)
    check_limits(DEFAULT_LIMITS)
    with pytest.raises(TypeError, match=r"^limits must be ConnectionLimits or None, not dict$"):
        check_limits({})  # type: ignore[arg-type]
