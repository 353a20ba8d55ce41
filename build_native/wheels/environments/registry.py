"""The environments and the packages that they need. Each kind is made in its own module."""

from __future__ import annotations

import sys

from build_native.wheels.environments.base import Environment
from build_native.wheels.environments.debian import DebianPython, DebianRoot
from build_native.wheels.environments.interpreters import PyenvPython, ThisPython, this_target
from build_native.wheels.environments.venv import VenvEnvironment

_X86 = "linux-x86_64"
_ARM = "linux-aarch64"


def environments() -> dict[str, Environment]:
    """Return the environments that are possible on this machine, by name, this Python's own first."""
    every: list[Environment] = [VenvEnvironment("this-python", this_target(), ThisPython())]
    if sys.platform == "linux":
        every += _linux()
    return {each.name: each for each in every if each.is_possible()}


def _linux() -> list[Environment]:
    # Imported here, since their requirements are needed only on Linux.
    from build_native.wheels.environments.musl import MuslEnvironment
    from build_native.wheels.environments.wine import Wine

    stable = DebianRoot("debian-12", "bookworm", "python3-venv")
    newer = DebianRoot("debian-14", "forky", "python3.13-venv", "python3.14-venv", "python3.15-venv")
    # With a compiler, since psutil has no wheel for PyPy.
    pypy = DebianRoot("debian-14-pypy", "forky", "gcc", "libc6-dev", "pypy3-dev", "pypy3-venv")
    bare = DebianRoot("debian-12-bare", "bookworm", "python3-venv", is_configured=True)
    arm = DebianRoot("debian-12-arm64", "bookworm", "python3-venv", architecture="arm64")
    return [
        *(VenvEnvironment(f"cpython-{each}", _X86, PyenvPython(each)) for each in ("3.10", "3.12", "3.14t")),
        VenvEnvironment("cpython-3.11", _X86, DebianPython(stable, "python3")),
        *(
            VenvEnvironment(f"cpython-{each}", _X86, DebianPython(newer, f"python{each}"))
            for each in ("3.13", "3.14", "3.15")
        ),
        VenvEnvironment("pypy", _X86, DebianPython(pypy, "pypy3")),
        VenvEnvironment("bare", _X86, DebianPython(bare, "python3"), has_suite=False),
        VenvEnvironment("aarch64", _ARM, DebianPython(arm, "python3"), patience=10.0),
        MuslEnvironment(),
        Wine(),
    ]
