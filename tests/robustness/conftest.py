"""Fixtures of the robustness tests: real processes with deadlines, and options for bulk traffic."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gns_py import Config, ConfigValue, set_config
from gns_py import reset_config as reset

Process = subprocess.Popen[str]


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Yield a function that starts a program, killed afterwards: a file of any folder, or source (with newlines)."""
    started: list[Process] = []

    def start(program: str, *args: object, **environment: str) -> Process:
        what = ["-c", program] if "\n" in program else [str(Path(__file__).parent / program)]
        process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", *what, *map(str, args)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent), **environment},
            cwd=tmp_path,  # -c has the current folder on its path: not that of the sources
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        process.wait(10)


@pytest.fixture
def bulk() -> Callable[..., Config]:
    """Return options for bulk traffic: GNS's highest rate, a large send buffer, and what the test adds."""

    def make(**options: Any) -> Config:
        rates = {"send_rate_min": 100 << 20, "send_rate_max": 100 << 20, "send_buffer_size": 64 << 20}
        return Config(**{**rates, **options})

    return make


@pytest.fixture
def simulate() -> Iterator[Callable[..., None]]:
    """Yield a function that sets process-wide faults, which are taken back after the test."""
    used: list[ConfigValue] = []

    def start(**options: Any) -> None:
        config = Config(**options)
        used.extend(option for option, _ in config.options())
        set_config(config)

    yield start
    if used:
        reset(*used)
