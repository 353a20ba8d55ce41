"""interop and its peer_program: two Pythons exchange messages and say goodbye."""

from __future__ import annotations

from pathlib import Path

import pytest

from build_native.wheels import interop

from .fakes import FakeEnvironment

pytestmark = pytest.mark.clone


def test_each_pair_talks_in_both_directions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = {name: FakeEnvironment(name, tmp_path) for name in ("this-python", "musl")}
    assert interop.talk({**known}, {"linux-x86_64": tmp_path / "the.whl"})
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["musl -> this-python", "this-python -> musl"]
    assert all("exit codes 0 and 0; 4 reliable messages and" in line for line in lines)
    assert all(each.installed == [tmp_path / "the.whl"] for each in known.values())


def test_without_another_python_nothing_is_shown(tmp_path: Path) -> None:
    assert not interop.talk({"this-python": FakeEnvironment("this-python", tmp_path)}, {"linux-x86_64": tmp_path})
