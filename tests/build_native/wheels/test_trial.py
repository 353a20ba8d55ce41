"""trial runs the tests and the demo in environments, and reports them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from build_native.wheels import trial

from .fakes import FakeEnvironment

pytestmark = pytest.mark.clone

WHEEL = "gns_py-0.1.0-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl"
SUITE = """
import pytest

def test_good():
    pass

@pytest.mark.skip(reason="for the count")
def test_skipped():
    pass

@pytest.mark.skipif({is_good}, reason="not wanted")
def test_bad():
    raise AssertionError("on purpose")
"""


@pytest.fixture
def environments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, FakeEnvironment]:
    """Replace the environments, which start empty, and dist/, which has one wheel."""
    known: dict[str, FakeEnvironment] = {}
    dist = tmp_path / "dist"
    dist.mkdir()
    (dist / WHEEL).touch()
    monkeypatch.setattr(trial, "environments", lambda: known)
    monkeypatch.setattr(trial, "DIST", dist)
    monkeypatch.setattr(trial, "ROOT", tmp_path)
    monkeypatch.setattr(trial, "_REPORTS", tmp_path / "reports")
    return known


def add(environments: dict[str, FakeEnvironment], folder: Path, name: str, *, is_good: bool, demo: str) -> None:
    (folder / name / "tests").mkdir(parents=True)
    (folder / name / "pytest.ini").write_text("[pytest]\nmarkers = soak\n  slow\n  clone\n")
    (folder / name / "tests" / "test_it.py").write_text(SUITE.format(is_good=is_good))
    environments[name] = FakeEnvironment(name, folder / name, demo)


def test_reports_say_what_passed_and_failed(environments: dict[str, FakeEnvironment], tmp_path: Path) -> None:
    add(environments, tmp_path, "good", is_good=True, demo="print('the demo')")
    add(environments, tmp_path, "bad", is_good=False, demo="raise SystemExit(3)")
    assert trial.main(["good"]) == 0
    assert trial.main(["bad"]) == 1
    assert environments["good"].installed == [tmp_path / "dist" / WHEEL]
    good, bad = (json.loads((tmp_path / f"reports/{name}.json").read_text()) for name in ("good", "bad"))
    assert (good["passed"], good["failed"], good["skipped"], good["suite"], good["demo"]) == (1, 0, 2, 0, 0)
    assert (bad["passed"], bad["failed"], bad["skipped"], bad["suite"], bad["demo"]) == (1, 1, 1, 1, 3)
    assert "the demo\n" in (tmp_path / "reports/good.log").read_text()
    table = (tmp_path / "reports/table.md").read_text()
    assert "| good | linux-x86_64 |" in table
    assert "FAILED: suite 1, demo 3" in table


def test_a_program_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = trial.run(FakeEnvironment("slow", tmp_path), log, "-c", "import time; time.sleep(60)", timeout=0.5)
    assert code != 0
    assert "killed after 0 s" in log.read_text()


def test_unknown_environments_and_missing_wheels(
    environments: dict[str, FakeEnvironment], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trial.main(["mars"]) == 2
    assert "unknown, or not possible here: mars" in capsys.readouterr().err
    environments["one"] = FakeEnvironment("one", tmp_path)
    (tmp_path / "dist" / WHEEL).unlink()
    assert trial.main(["one"]) == 2
    assert "dist/ has no wheel for linux-x86_64" in capsys.readouterr().err
    assert trial.main([], list_only=True) == 0
    assert "one            linux-x86_64     no wheel" in capsys.readouterr().out
