"""The table of targets, and the target of a file name."""

from __future__ import annotations

import pytest

from build_native.wheels.targets import TARGETS, Target, target_of

pytestmark = pytest.mark.clone


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_a_wheel_has_the_target_of_its_name(target: Target) -> None:
    assert target_of(f"gns_py-0.1.0-{target.tag}.whl") is target
    several = ".".join(reversed(target.platform.split(".")))
    assert target_of(f"gns_py-0.1.0-py3-none-{several}.whl") is target


@pytest.mark.parametrize("name", ["gns_py-0.1.0-py3-none-any.whl", "gns_py-0.1.0.tar.gz", "README"])
def test_other_files_have_none(name: str) -> None:
    assert target_of(name) is None


def test_libraries_and_c_libraries() -> None:
    assert {each.library for each in TARGETS.values()} == {"libgns_core.so", "libgns_core.dylib", "gns_core.dll"}
    assert {name for name, each in TARGETS.items() if each.is_musl} == {"musl-x86_64", "musl-aarch64"}
