"""Mistakes that a type checker must find before a program runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy")

# Each line whose number is given is wrong, and no other.
PROGRAM = """
from typing import Any

import gns_py.asyncio as aio
import gns_py.session.asyncio as aio_session
import gns_py.session.sync as session
import gns_py.sync as gns


async def handler(connection: Any) -> None: ...


def plain(connection: Any) -> None: ...


async def changed(event: gns.StatusChanged[Any]) -> None: ...


def told(event: gns.StatusChanged[Any]) -> None: ...


async def decide(request: session.SessionRequest[Any]) -> None: ...


def accept(request: session.SessionRequest[session.Session]) -> session.Session:
    return request.accept()


def reject(request: session.SessionRequest[session.Session]) -> None:
    request.reject()


gns.serve(plain, "", 1)
gns.serve(handler, "", 1)  # wrong
gns.serve(plain, "", 1, on_status_changed=told)
gns.serve(plain, "", 1, on_status_changed=changed)  # wrong
gns.listen("", 1, on_status_changed=changed)  # wrong
gns.connect("", 1, on_status_changed=changed)  # wrong
session.serve(plain, "", 1, on_request=accept)
session.serve(plain, "", 1, on_request=reject)
session.serve(plain, "", 1, on_request=lambda request: request.accept(b"welcome"))
session.serve(handler, "", 1)  # wrong
session.serve(plain, "", 1, on_request=decide)  # wrong
session.serve(plain, "", 1, on_status_changed=changed)  # wrong
session.listen("", 1, on_status_changed=changed)  # wrong
session.connect("", 1, on_status_changed=changed)  # wrong
aio.serve(handler, "", 1)
aio.serve(lambda connection: handler(connection), "", 1)
aio.serve(plain, "", 1)  # wrong
aio.serve(handler, "", 1, on_status_changed=told)
aio.serve(handler, "", 1, on_status_changed=changed)  # wrong
aio.listen("", 1, on_status_changed=changed)  # wrong
aio.connect("", 1, on_status_changed=changed)  # wrong
aio_session.serve(handler, "", 1, on_request=decide)
aio_session.serve(plain, "", 1)  # wrong
aio_session.serve(handler, "", 1, on_status_changed=changed)  # wrong
aio_session.listen("", 1, on_status_changed=changed)  # wrong
aio_session.connect("", 1, on_status_changed=changed)  # wrong
"""


@pytest.mark.slow
def test_functions_of_the_wrong_kind_are_found(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    result = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--no-incremental", program.name],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    found = {int(line.split(":")[1]) for line in result.stdout.splitlines() if ": error:" in line}
    wrong = {number for number, line in enumerate(PROGRAM.splitlines(), 1) if line.endswith("# wrong")}
    assert found == wrong, result.stdout + result.stderr
