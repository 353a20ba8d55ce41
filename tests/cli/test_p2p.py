"""``gns-py p2p``: what its commands take."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("check", "give at least one --stun or --turn"),
        ("check --turn t:1", "--turn needs either --turn-user and --turn-password, or --turn-secret"),
        ("check --turn t:1 --turn-user u", "--turn needs either"),
        ("check --turn t:1 --turn-user u --turn-password p --turn-secret f", "--turn needs either"),
        ("", "COMMAND"),
        ("demo --lab", "--lab"),
    ],
)
def test_wrong_usage(run: Run, arguments: str, text: str) -> None:
    result = run("p2p", *arguments.split())
    assert (result.returncode, result.stdout) == (2, "")
    assert len(result.stderr.splitlines()) == 1
    assert text in result.stderr


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("--stun nowhere", "'nowhere' is not the address of a STUN server"),
        ("--stun stun:s:1", "is a URI"),
        ("--turn t:1 --turn-user a,b --turn-password p", "no comma"),
        ("--turn t:1 --turn-secret missing", "missing"),
        ("--turn t:1 --turn-secret empty", "empty is empty"),
    ],
)
def test_wrong_values(run: Run, tmp_path: Path, arguments: str, text: str) -> None:
    (tmp_path / "empty").write_text("\n", encoding="utf-8")
    result = run("p2p", "check", *arguments.split())
    assert (result.returncode, result.stdout) == (1, "")
    assert text in result.stderr
    assert result.stderr.startswith("gns-py p2p check: error: ")
