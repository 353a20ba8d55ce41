"""Base classes of the generated enums, with enums of the test's own."""

from __future__ import annotations

import pickle

import pytest

from gns_py._generated.bases import NamedIntEnum, OpenIntEnum


class Size(NamedIntEnum):
    SMALL = 1
    LARGE = 2


class Kind(OpenIntEnum):
    PLAIN = 1, "A plain one."
    FANCY = 2, "A fancy one."


def test_it_prints_as_its_name() -> None:
    assert str(Size.SMALL) == f"{Size.SMALL}" == "SMALL"
    assert f"{Size.SMALL:>7}|{Kind.FANCY:^7}|" == "  SMALL| FANCY |"
    assert Size.LARGE + 1 == 3
    with pytest.raises(ValueError, match="3 is not a valid Size"):
        Size(3)


def test_members_are_looked_up_by_number() -> None:
    assert Kind(2) is Kind.FANCY
    assert (Kind.FANCY.value, Kind.FANCY.explanation) == (2, "A fancy one.")
    assert pickle.loads(pickle.dumps(Kind.FANCY)) is Kind.FANCY


@pytest.mark.parametrize(("number", "name"), [(77, "UNKNOWN_77"), (0, "UNKNOWN_0"), (-5, "UNKNOWN_MINUS_5")])
def test_other_numbers_are_unknown_ones(number: int, name: str) -> None:
    kind = Kind(number)
    assert (kind.name, str(kind), kind.value) == (name, name, number)
    assert kind == number == Kind(number)
    assert hash(kind) == hash(number)
    assert kind.explanation == "A number that this version of gns_py does not know."
    assert pickle.loads(pickle.dumps(kind)) == kind
    assert [each.name for each in Kind] == ["PLAIN", "FANCY"]


@pytest.mark.parametrize("other", ["PLAIN", None, 1.5])
def test_other_kinds_of_values_are_refused(other: object) -> None:
    with pytest.raises(ValueError, match="is not a valid Kind"):
        Kind(other)  # type: ignore[arg-type]
