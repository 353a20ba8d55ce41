"""The common part of all environments: a Python of its own, a wheel installed in it, and a folder with the tests."""

from __future__ import annotations

import shutil
import subprocess
from abc import ABC, abstractmethod
from pathlib import Path

from build_native.wheels.tools import BUILD, ROOT

FOLDER = BUILD / "environments"
# The requirements of the quick tests in addition to the package.
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
# Some test modules read documents of the clone before pytest deselects all of their tests.
_SUITE = ("tests", "docs", "README.md", "pyproject.toml")


class Environment(ABC):
    """A Python to try wheels in, of another version, implementation, C library, processor or system."""

    name: str
    target: str
    """The target whose wheel runs here: a name in targets.TARGETS."""
    patience: float = 1.0
    """The factor by which tests may take longer here than on a real processor."""
    has_suite: bool = True
    """True if the tools for tests are installed here; otherwise only the demo is run."""

    def is_possible(self) -> bool:
        """Return whether this machine can have the environment at all."""
        return True

    @abstractmethod
    def prepare(self) -> None:
        """Install this Python and the tools for tests, unless they are there. May need root and a network."""

    @abstractmethod
    def install(self, wheel: Path) -> None:
        """Install the wheel in place of another one, and copy the current tests of this clone."""

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start ``python ARGUMENTS`` there, in the folder that contains tests/, with text pipes for its output."""
        return subprocess.Popen(
            self._command(*arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            cwd=self._suite,
            env={**self._variables(), "GNS_PY_TEST_PATIENCE": str(self.patience)},
        )

    @property
    def _folder(self) -> Path:
        return FOLDER / self.name

    @property
    def _suite(self) -> Path:
        return self._folder / "suite"

    @abstractmethod
    def _command(self, *arguments: str) -> list[str]:
        """Return the command that runs ``python ARGUMENTS`` there."""

    @abstractmethod
    def _variables(self) -> dict[str, str]:
        """Return the environment variables of programs there."""


def copy_suite(folder: Path) -> None:
    """Copy the current tests and the files that they read, without the package's sources."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in _SUITE:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder)


def apt_install(*packages: str) -> None:
    """Install the Debian packages that are missing on this machine."""
    query = ["dpkg-query", "--show", "--showformat=${db:Status-Abbrev}", *packages]
    known = subprocess.run(query, capture_output=True, text=True)
    if known.returncode == 0 and known.stdout.split() == ["ii"] * len(packages):
        return
    root = [] if shutil.which("sudo") is None else ["sudo"]
    subprocess.run([*root, "apt-get", "update", "--quiet=2"], check=True)
    install = ["apt-get", "install", "--yes", "--quiet=2", "--no-install-recommends", *packages]
    subprocess.run([*root, *install], check=True)
