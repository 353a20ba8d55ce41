"""The forge's workflows: their commands exist, actions are pinned, and only one job can publish."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))

pytestmark = pytest.mark.clone

each_workflow = pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)


def commands() -> list[str]:
    texts = [workflow.read_text(encoding="utf-8") for workflow in WORKFLOWS]
    return [command for text in texts for command in re.findall(r"^ +- run: (.+)$", text, re.MULTILINE)]


@pytest.mark.skipif(shutil.which("go") is None, reason="actionlint needs Go")
@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not in PATH")
def test_actionlint_and_shellcheck_find_nothing() -> None:
    done = subprocess.run([".ci/workflows"], cwd=ROOT, capture_output=True, text=True, timeout=110)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


@each_workflow
def test_actions_are_pinned_by_commit(workflow: Path) -> None:
    uses = re.findall(r"uses: (\S+)(.*)", workflow.read_text(encoding="utf-8"))
    assert uses
    for action, comment in uses:
        if action.startswith("./"):
            assert (ROOT / action).is_file()
        else:
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action)
            assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment)


@each_workflow
def test_jobs_have_a_time_limit_and_few_rights(workflow: Path) -> None:
    text = workflow.read_text(encoding="utf-8")
    assert text.count("runs-on: ") == text.count("timeout-minutes: ")
    assert re.search(r"^permissions:\n  contents: read$", text, re.MULTILINE)
    assert text.count("actions/checkout@") == text.count("persist-credentials: false")


def test_only_the_publishing_job_may_publish() -> None:
    holders = [workflow.name for workflow in WORKFLOWS if "id-token" in workflow.read_text(encoding="utf-8")]
    assert holders == ["release.yml"]
    before, publish = (ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8").split("  publish:\n")
    assert "id-token" not in before
    assert "name: pypi\n" in publish
    # It runs nothing of the clone.
    assert "run:" not in publish
    assert "checkout" not in publish


def test_no_logic_lives_in_them() -> None:
    """Each step is one existing command, which a person would run, too."""
    assert len(commands()) > 5
    for command in commands():
        assert not re.search(r"[|&;`]|\$\(", command), command
        if script := re.search(r"(?:^|sudo )(\.ci/\S+)", command):
            assert os.access(ROOT / script[1], os.X_OK), command
        else:
            module, *arguments = command.partition("-m ")[2].split()
            assert (ROOT / module.replace(".", "/")).with_suffix(".py").is_file() or module == "build_native.wheels"
            if arguments and not arguments[0].startswith("-"):
                shown = subprocess.run(
                    [sys.executable, "-m", module, arguments[0], "--help"], cwd=ROOT, capture_output=True, timeout=30
                )
                assert shown.returncode == 0, command
