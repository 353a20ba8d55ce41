"""An environment for tests: the Python that runs them, with a suite of the test's own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from build_native.wheels.environments.base import Environment


class FakeEnvironment(Environment):
    """This Python. Its demo is replaced by a given program."""

    target = "linux-x86_64"

    def __init__(self, name: str, folder: Path, demo: str = "pass") -> None:
        self.name = name
        self.installed: list[Path] = []
        self._here = folder
        self._demo = demo

    @property
    def _suite(self) -> Path:
        return self._here

    def prepare(self) -> None:
        pass

    def install(self, wheel: Path) -> None:
        self.installed.append(wheel)

    def _command(self, *arguments: str) -> list[str]:
        if arguments == ("-m", "gns_py", "demo"):
            arguments = ("-c", self._demo)
        return [sys.executable, *arguments]

    def _variables(self) -> dict[str, str]:
        return dict(os.environ)
