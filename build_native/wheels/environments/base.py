"""What all environments have in common: a Python of its own, a wheel installed in it, and a folder with the tests."""

from __future__ import annotations

import shutil
import subprocess
from abc import ABC, abstractmethod
from pathlib import Path

from build_native.wheels.tools import BUILD, ROOT

FOLDER = BUILD / "environments"
# What the quick suite needs besides the package.
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
# Some modules of tests read documents of the clone before it is known that none of their tests is to run.
_SUITE = ("tests", "docs", "README.md", "pyproject.toml")


class Environment(ABC):
    """A Python that wheels are tried in: of another version, implementation, C library, processor or system."""

    name: str
    target: str
    """Whose wheel runs here: a name in targets.TARGETS."""
    patience: float = 1.0
    """How many times as long as on a real processor tests may take here."""
    has_suite: bool = True
    """Whether the tests' tools are here; else only the demo is tried."""

    def is_possible(self) -> bool:
        """Whether this machine can have it at all."""
        return True

    @abstractmethod
    def prepare(self) -> None:
        """Installs this Python and the test tools, once; a second call finds them. May need root and a network."""

    @abstractmethod
    def install(self, wheel: Path) -> None:
        """The wheel, in place of the one that was there, and the tests of this clone, as they are now."""

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """``python ARGUMENTS`` there, its current folder the one that holds tests/; text pipes for what it prints."""
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
        """What runs ``python ARGUMENTS`` there."""

    @abstractmethod
    def _variables(self) -> dict[str, str]:
        """The environment variables of what runs there."""


def copy_suite(folder: Path) -> None:
    """The tests and what they need besides the package, as they are now, without the package's sources."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in _SUITE:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder)


def apt_install(*packages: str) -> None:
    """Debian packages, those that are missing, into this machine."""
    query = ["dpkg-query", "--show", "--showformat=${db:Status-Abbrev}", *packages]
    known = subprocess.run(query, capture_output=True, text=True)
    if known.returncode == 0 and known.stdout.split() == ["ii"] * len(packages):
        return
    root = [] if shutil.which("sudo") is None else ["sudo"]
    subprocess.run([*root, "apt-get", "update", "--quiet=2"], check=True)
    install = ["apt-get", "install", "--yes", "--quiet=2", "--no-install-recommends", *packages]
    subprocess.run([*root, *install], check=True)
