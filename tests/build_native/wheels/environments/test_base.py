"""The common part of environments."""

from __future__ import annotations

from pathlib import Path

import pytest

from build_native.wheels.environments import base

from ..fakes import FakeEnvironment

pytestmark = pytest.mark.clone


def test_programs_run_in_the_folder_of_the_suite_and_know_the_patience(tmp_path: Path) -> None:
    environment = FakeEnvironment("fake", tmp_path)
    environment.patience = 2.5
    program = "import os; print(os.getcwd(), os.environ['GNS_PY_TEST_PATIENCE'])"
    process = environment.start("-c", program)
    assert process.communicate(timeout=20) == (f"{tmp_path} 2.5\n", "")


def test_the_suite_replaces_an_older_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "clone"
    for name in ("tests/__pycache__", "docs", "gns_py"):
        (root / name).mkdir(parents=True)
    for name in ("tests/test_it.py", "tests/__pycache__/x.pyc", "docs/index.md", "README.md", "pyproject.toml"):
        (root / name).touch()
    monkeypatch.setattr(base, "ROOT", root)
    suite = tmp_path / "suite"
    suite.mkdir()
    (suite / "old.py").touch()
    base.copy_suite(suite)
    copied = {path.relative_to(suite).as_posix() for path in suite.rglob("*") if path.is_file()}
    assert copied == {"tests/test_it.py", "docs/index.md", "README.md", "pyproject.toml"}
