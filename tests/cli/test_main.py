"""The common part of all commands: help, usage errors, colour."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support import PATIENCE

import gns_py
from gns_py.cli import main

Run = Callable[..., "subprocess.CompletedProcess[str]"]
ESCAPE = "\x1b["


def test_without_arguments_prints_help(run: Run) -> None:
    result = run()
    assert result.returncode == 0
    assert result.stderr == ""
    for command in ("demo", "echo", "ping", "doctor", "certs", "--version"):
        assert command in result.stdout


@pytest.mark.parametrize("command", ["demo", "echo", "ping", "doctor", "certs"])
def test_each_command_has_help(run: Run, command: str) -> None:
    result = run(command, "--help")
    assert result.returncode == 0
    assert f"usage: gns-py {command}" in result.stdout


def test_a_program_that_calls_it_keeps_its_log() -> None:
    log = logging.getLogger("gns_py.native")
    before = log.filters.copy()
    assert main(["--version"]) == 0
    assert log.filters == before


def test_version(run: Run) -> None:
    result = run("--version")
    assert result.returncode == 0
    assert result.stdout == f"gns-py {gns_py.__version__} (GNS {gns_py.build_info().gns_version})\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["dance"], "'dance'"),
        (["--dance"], "--dance"),
        (["doctor", "dance"], "dance"),
        (["ping"], "HOST[:PORT]"),
        (["ping", ""], "'' is not a host"),
        (["ping", "a b"], "'a b' is not a host"),
        (["ping", "1.2.3.400:5"], "'1.2.3.400' is not a numeric"),
        (["ping", "[::g]:5"], "'::g' is not a numeric"),
        (["ping", "fe80::1%eth0"], "has a scope"),
        (["ping", "localhost:"], "'' is not a port"),
        (["ping", "localhost:http"], "'http' is not a port"),
        (["ping", "localhost:65536"], "'65536' is not a port"),
        (["ping", "localhost:0"], "port 0"),
        (["ping", "localhost", "-c", "0"], "out of range: 1 to"),
        (["ping", "localhost", "-c", "many"], "'many' is not an integer"),
        (["ping", "localhost", "-i", "nan"], "out of range: 0.001 to"),
        (["ping", "localhost", "-i", "soon"], "'soon' is not a number"),
        (["ping", "localhost", "-s", "11"], "out of range: 12 to 524288"),
        (["ping", "localhost", "-s", "16501"], "add --reliable"),
        (["echo", "--port", "70000"], "'70000' is not a port"),
        (["echo", "--port", "-1"], "'-1' is not a port"),
        (["echo", "--host", "1.2.3"], "'1.2.3' is not a numeric"),
        (["echo", "--require-authentication"], "refuses everyone without --trust"),
        (["echo", "--expect", "str:eu-1"], "unrecognized arguments"),
        (["doctor", "--cert", "alice.gns"], "--cert needs --trust"),
        (["doctor", "--password-file", "word"], "--password-file needs --cert"),
        (["ping", "localhost", "--expect", "str:eu-1"], "--expect needs --trust or --expect-key"),
        (["ping", "localhost", "--expect", "eu-1"], "'eu-1'"),
        (["ping", "localhost", "--expect-key", "12"], "32 bytes, not 1"),
        (["ping", "localhost", "--expect-key", "key"], "'key' is not a key in hex digits"),
        (["demo", "--loss", "101"], "out of range: 0 to 100"),
        (["demo", "--lag", "-1"], "out of range: 0 to 1000"),
        (["demo", "--players", "2"], "--players needs --failover"),
        (["demo", "--failover", "--loss", "5"], "--loss does not go with --failover"),
        (["demo", "--failover", "--seconds", "4"], "out of range: 5 to 86400"),
        (["demo", "--failover", "--players", "0"], "out of range: 1 to 50"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(run: Run, arguments: list[str], said: str) -> None:
    result = run(*arguments)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("gns-py")
    assert said in result.stderr
    assert "--help" in result.stderr


def doctor_in_a_terminal(directory: Path, environment: dict[str, str]) -> str:
    """Return what `gns-py doctor` prints to a terminal."""
    import pty

    leader, follower = pty.openpty()
    try:
        command = [sys.executable, "-m", "gns_py", "doctor"]
        process = subprocess.Popen(command, cwd=directory, env=environment, stdout=follower, stderr=follower)
        os.close(follower)
        output = b""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                some = os.read(leader, 65536)
            except OSError:  # Linux's end of file
                break
            if not some:
                break
            output += some
        assert process.wait(timeout=5 * PATIENCE) == 0
    finally:
        os.close(leader)
    return output.decode().replace("\r\n", "\n")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
class TestColour:
    def test_in_a_terminal(self, tmp_path: Path, environment: dict[str, str]) -> None:
        pytest.importorskip("rich")
        output = doctor_in_a_terminal(tmp_path, environment)
        assert ESCAPE in output
        assert gns_py.build_info().crypto in output

    def test_none_with_no_color(self, tmp_path: Path, environment: dict[str, str]) -> None:
        output = doctor_in_a_terminal(tmp_path, environment | {"NO_COLOR": "1"})
        assert ESCAPE not in output
        assert gns_py.build_info().crypto in output

    def test_none_without_rich(self, tmp_path: Path, environment: dict[str, str]) -> None:
        (tmp_path / "rich.py").write_text("raise ImportError('not installed')")  # first on the path
        output = doctor_in_a_terminal(tmp_path, environment)
        assert ESCAPE not in output
        assert gns_py.build_info().crypto in output

    def test_none_into_a_pipe(self, run: Run) -> None:
        assert ESCAPE not in run("doctor").stdout
