"""build: the parts that do not take minutes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("fcntl", reason="wheels are built on POSIX")

from build_native.wheels import build, tools

pytestmark = pytest.mark.clone


def test_failures_are_reported_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wheel = tmp_path / "one.whl"
    wheel.write_bytes(bytes(1234))
    monkeypatch.setattr(build, "build", lambda target, _: None if target.is_musl else wheel)
    assert build.main(["musl-x86_64", "linux-x86_64"]) == 1
    out, error = capsys.readouterr()
    assert "==> musl-x86_64: FAILED after 0 s" in out
    assert "==> linux-x86_64: one.whl, 1,234 bytes, in 0 s" in out
    assert error == "not built: musl-x86_64\n"
    assert build.main(["linux-x86_64"]) == 0


def test_the_date_is_the_commits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.setattr(tools, "ROOT", tmp_path)
    assert build.source_date() == int((tmp_path / "pyproject.toml").stat().st_mtime)
    git = ["git", "-C", str(tmp_path), "-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run([*git, "init", "--quiet"], check=True)
    commit = [*git, "commit", "--quiet", "--allow-empty", "--message", "One", "--date", "2020-01-01T00:00:00Z"]
    subprocess.run(commit, check=True, env={"GIT_COMMITTER_DATE": "2020-01-02T00:00:00Z", "PATH": "/usr/bin:/bin"})
    assert build.source_date() == 1577923200


def test_processor_time_counts_children() -> None:
    before = build.cpu_seconds()
    subprocess.run([sys.executable, "-c", "sum(range(10**6))"], check=True)
    assert build.cpu_seconds() > before
