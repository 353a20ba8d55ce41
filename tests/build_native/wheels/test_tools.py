"""The tools' virtual environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from build_native.wheels import tools

pytestmark = pytest.mark.clone


def test_it_is_made_again_only_after_a_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("one==1\n")
    folder = tmp_path / "tools"
    folder.mkdir()
    commands = []
    monkeypatch.setattr(tools, "ROOT", tmp_path)
    monkeypatch.setattr(tools, "_FOLDER", folder)
    monkeypatch.setattr(tools, "_REQUIREMENTS", requirements)
    monkeypatch.setattr("venv.create", lambda *_, **__: None)
    monkeypatch.setattr("subprocess.run", lambda command, **_: commands.append(command))
    for _ in range(2):
        tools.install()
    assert len(commands) == 1
    assert commands[0][-2:] == ["--requirement", str(requirements)]
    requirements.write_text("one==2\n")
    tools.install()
    assert len(commands) == 2


def test_the_tools_are_first_in_path() -> None:
    assert not tools.are_running()
    path = tools.environment()["PATH"]
    assert path.endswith(os.pathsep + os.environ["PATH"])
    assert path.startswith(str(tools.BUILD))
