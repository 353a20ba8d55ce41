"""The Pythons of this machine."""

from __future__ import annotations

import platform
import sys
import sysconfig

import pytest

from build_native.wheels.environments.interpreters import PyenvPython, ThisPython, this_target
from build_native.wheels.targets import TARGETS

pytestmark = pytest.mark.clone


@pytest.mark.parametrize(
    ("system", "machine", "triplet", "target"),
    [
        ("linux", "x86_64", "x86_64-pc-linux-gnu", "linux-x86_64"),
        ("linux", "aarch64", "aarch64-unknown-linux-gnu", "linux-aarch64"),
        ("linux", "x86_64", "x86_64-pc-linux-musl", "musl-x86_64"),
        ("win32", "AMD64", None, "windows-x86_64"),
        ("win32", "ARM64", None, "windows-arm64"),
        ("darwin", "arm64", "aarch64-apple-darwin", "macos-arm64"),
    ],
)
def test_this_target(
    monkeypatch: pytest.MonkeyPatch, system: str, machine: str, triplet: str | None, target: str
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(sysconfig, "get_config_var", lambda _: triplet)
    assert this_target() == target
    assert target in TARGETS


def test_programs_do_not_see_this_pythons_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    monkeypatch.setenv("VIRTUAL_ENV", "elsewhere")
    monkeypatch.setenv("OTHER", "kept")
    variables = ThisPython().environment()
    assert variables["OTHER"] == "kept"
    assert not {"PYTHONPATH", "VIRTUAL_ENV"} & variables.keys()
    assert ThisPython().prepare() == sys.executable


def test_without_pyenv_there_are_none_of_its_pythons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert not PyenvPython("3.10").is_possible()
    with pytest.raises(RuntimeError, match=r"pyenv install 3\.10"):
        PyenvPython("3.10").prepare()
