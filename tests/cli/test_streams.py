"""Closed, full or abandoned standard streams: the exit code says what happened, and there is no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from support import PATIENCE

import gns_py.sync as gns

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="streams break in other ways there")

NO_SPACE = "[Errno 28] No space left on device"
HELP, VERSION, DOCTOR, WRONG = ["--help"], ["--version"], ["doctor"], ["dance"]
FAILS = ["echo", "--host", "192.0.2.1"]  # an address that no machine has
DEMO = ["demo", "--lag", "0", "--loss", "0"]


class Ended(NamedTuple):
    """The result of a command."""

    code: int
    error: str


@pytest.fixture
def shell(tmp_path: Path, environment: dict[str, str]) -> Callable[..., Ended]:
    """Run a command with redirections by the shell. unbuffered: as with PYTHONUNBUFFERED."""

    def run(arguments: list[str], redirections: str, *, unbuffered: bool = False) -> Ended:
        result = subprocess.run(
            ["sh", "-c", f'exec "$@" {redirections}', "sh", sys.executable, "-m", "gns_py", *arguments],
            cwd=tmp_path,
            env=environment | ({"PYTHONUNBUFFERED": "1"} if unbuffered else {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=30 * PATIENCE,
            check=False,
        )
        return Ended(result.returncode, result.stderr)

    return run


@pytest.mark.parametrize(
    ("arguments", "closed"),
    [(VERSION, "<&-"), (HELP, ">&-"), (VERSION, ">&-"), (DOCTOR, ">&-"), ([], ">&-"), (DEMO, "<&- >&-")],
)
def test_a_command_does_without_streams(shell: Callable[..., Ended], arguments: list[str], closed: str) -> None:
    assert shell(arguments, closed) == Ended(0, "")


@pytest.mark.parametrize("closed", ["2>&-", ">&- 2>&-", "<&- >&- 2>&-", "2>/dev/full"])
@pytest.mark.parametrize(("arguments", "code"), [(VERSION, 0), (DOCTOR, 0), (WRONG, 2), (FAILS, 1)])
def test_the_exit_code_needs_no_stderr(
    shell: Callable[..., Ended], arguments: list[str], code: int, closed: str
) -> None:
    assert shell(arguments, closed) == Ended(code, "")


@pytest.mark.parametrize(("arguments", "code"), [(WRONG, 2), (FAILS, 1)])
def test_errors_are_reported_without_stdout(shell: Callable[..., Ended], arguments: list[str], code: int) -> None:
    ended = shell(arguments, "<&- >&-")
    assert ended.code == code
    assert ended.error.startswith("gns-py")
    assert ended.error.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("unbuffered", [False, True])
@pytest.mark.parametrize("arguments", [HELP, VERSION, DOCTOR, [], ["doctor", "--json"]])
def test_output_that_cannot_be_written_is_a_failure(
    shell: Callable[..., Ended], arguments: list[str], unbuffered: bool
) -> None:
    ended = shell(arguments, ">/dev/full", unbuffered=unbuffered)
    assert ended.code == 1
    assert ended.error.endswith(f"error: {NO_SPACE}\n")
    assert ended.error.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("arguments", [VERSION, DOCTOR])
def test_nothing_can_be_written_at_all(shell: Callable[..., Ended], arguments: list[str]) -> None:
    assert shell(arguments, ">/dev/full 2>/dev/full") == Ended(1, "")


@pytest.mark.parametrize("arguments", [DOCTOR, HELP, VERSION, []])
@pytest.mark.parametrize("stderr_too", [False, True])
def test_a_closed_pipe_ends_a_command_quietly(
    tmp_path: Path, environment: dict[str, str], arguments: list[str], stderr_too: bool
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        result = subprocess.run(
            [sys.executable, "-m", "gns_py", *arguments],
            cwd=tmp_path,
            env=environment,
            stdout=writer,
            stderr=writer if stderr_too else subprocess.PIPE,
            timeout=30 * PATIENCE,
            check=False,
        )
    finally:
        os.close(writer)
    assert (result.returncode, result.stderr or b"") == (1, b"")


def test_a_server_continues_when_its_output_is_closed(tmp_path: Path, environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "gns_py", "echo", "--host", "127.0.0.1", "--port", "0"]
    server = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline().rpartition(":")[2])
        server.stdout.close()
        server.stdout = None
        for _ in range(2):
            with gns.connect("127.0.0.1", port, timeout=5 * PATIENCE) as connection:
                connection.send(b"still there?")
                assert connection.recv(5 * PATIENCE) == b"still there?"
    finally:
        server.terminate()
        _, error = server.communicate(timeout=20 * PATIENCE)
    assert error == ""
