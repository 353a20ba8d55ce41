"""Virtual environments of any interpreter."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from build_native.wheels.environments.base import REQUIREMENTS, Environment, copy_suite
from build_native.wheels.environments.interpreters import Interpreter


class VenvEnvironment(Environment):
    """A virtual environment with the wheel, its dependencies and the tools for tests."""

    def __init__(
        self, name: str, target: str, interpreter: Interpreter, *, patience: float = 1.0, has_suite: bool = True
    ) -> None:
        self.name = name
        self.target = target
        self.patience = patience
        self.has_suite = has_suite
        self._interpreter = interpreter
        self._venv = self._folder / "venv"

    def is_possible(self) -> bool:
        return self._interpreter.is_possible()

    def prepare(self) -> None:
        python = self._interpreter.prepare()
        requirements = REQUIREMENTS.read_text(encoding="utf-8") if self.has_suite else ""
        wanted = f"# {python}\n{requirements}"
        stamp = self._folder / "prepared.txt"
        if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
            return
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        self._run(python, "-m", "venv", str(self._venv))
        if self.has_suite:
            # Copied next to the stamp, since not every interpreter sees the clone.
            shutil.copy(REQUIREMENTS, self._folder)
            self._pip("install", "--requirement", str(self._folder / REQUIREMENTS.name))
        stamp.write_text(wanted, encoding="utf-8")

    def install(self, wheel: Path) -> None:
        copy = self._folder / wheel.name
        shutil.copy(wheel, copy)
        self._pip("uninstall", "--yes", "gns-py")
        self._pip("install", str(copy))
        copy.unlink()
        copy_suite(self._suite)

    def _command(self, *arguments: str) -> list[str]:
        return self._interpreter.command(self._folder, self._python(), *arguments)

    def _variables(self) -> dict[str, str]:
        return self._interpreter.environment()

    def _python(self) -> str:
        windows = self._venv / "Scripts" / "python.exe"
        return str(windows if windows.exists() else self._venv / "bin" / "python")

    def _pip(self, *arguments: str) -> None:
        self._run(self._python(), "-m", "pip", "--disable-pip-version-check", "-qq", *arguments)

    def _run(self, *command: str) -> None:
        subprocess.run(
            self._interpreter.command(self._folder, *command),
            stdin=subprocess.DEVNULL,
            cwd=self._folder,
            env=self._variables(),
            check=True,
        )
