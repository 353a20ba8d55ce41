"""The interface of an interpreter, and the Pythons of this machine."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Protocol


class Interpreter(Protocol):
    """A Python, and a way to start programs in its system."""

    def is_possible(self) -> bool:
        """Return whether this machine can have the interpreter at all."""

    def prepare(self) -> str:
        """Install it unless it is there, and return its path in its system."""

    def command(self, folder: Path, *command: str) -> list[str]:
        """Return a command that runs `command` there, with access to `folder`."""

    def environment(self) -> dict[str, str]:
        """Return the environment variables of programs there."""


class Here:
    """Programs of this machine."""

    def command(self, folder: Path, *command: str) -> list[str]:  # noqa: ARG002 - programs here see all folders
        return list(command)

    def environment(self) -> dict[str, str]:
        # Without those that would lead to another Python's packages.
        return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}


class ThisPython(Here):
    """The Python that runs this program."""

    def is_possible(self) -> bool:
        return True

    def prepare(self) -> str:
        return sys.executable


class PyenvPython(Here):
    """A Python installed by pyenv, for versions that no Debian has. Those that end with t have no GIL."""

    def __init__(self, version: str) -> None:
        self._version = version

    def is_possible(self) -> bool:
        return self._path() is not None

    def prepare(self) -> str:
        path = self._path()
        if path is None:
            raise RuntimeError(f"pyenv has no Python {self._version}: pyenv install {self._version}")
        return str(path)

    def _path(self) -> Path | None:
        if shutil.which("pyenv") is None:
            return None
        root = subprocess.run(["pyenv", "root"], capture_output=True, text=True, check=True).stdout.strip()
        found = Path(root, "versions").glob(f"{self._version.rstrip('t')}.*/bin/python{self._version}")
        return max(found, key=lambda path: int(path.parts[-3].rstrip("t").rpartition(".")[2]), default=None)


def this_target() -> str:
    """Return the name in targets.TARGETS for the Python that runs this program."""
    machine = {"amd64": "x86_64", "x64": "x86_64", "arm64": "aarch64"}.get(
        platform.machine().lower(), platform.machine().lower()
    )
    arm = "aarch64" if sys.platform == "linux" else "arm64"
    processor = arm if machine == "aarch64" else machine
    system = {"win32": "windows", "darwin": "macos"}.get(sys.platform, "linux")
    if system == "linux" and "musl" in str(sysconfig.get_config_var("HOST_GNU_TYPE")):
        system = "musl"
    return f"{system}-{processor}"
