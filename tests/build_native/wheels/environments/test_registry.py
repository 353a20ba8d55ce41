"""The environments that are possible here."""

from __future__ import annotations

import pytest

from build_native.wheels.environments.interpreters import this_target
from build_native.wheels.environments.registry import environments
from build_native.wheels.targets import TARGETS

pytestmark = pytest.mark.clone


def test_this_python_is_first_and_all_have_a_target() -> None:
    known = environments()
    assert next(iter(known)) == "this-python"
    assert known["this-python"].target == this_target()
    assert {each.target for each in known.values()} <= TARGETS.keys()
    assert all(each.is_possible() and each.name == name for name, each in known.items())
