"""What all environments have in common: a Python of its own, a wheel installed in it, and a folder with the tests."""

from __future__ import annotations

import subprocess
from abc import ABC, abstractmethod
from pathlib import Path


class Environment(ABC):
    """A Python that wheels are tried in: of another version, implementation, C library, processor or system."""

    name: str
    target: str
    """Whose wheel runs here: a name in targets.TARGETS."""

    @abstractmethod
    def prepare(self) -> None:
        """Installs this Python and the test tools, once; a second call finds them. May need root and a network."""

    @abstractmethod
    def install(self, wheel: Path) -> None:
        """The wheel, in place of the one that was there, and the tests of this clone, as they are now."""

    @abstractmethod
    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """``python ARGUMENTS`` there, its current folder the one that holds tests/; text pipes for what it prints."""
