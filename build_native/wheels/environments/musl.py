"""A system without glibc: CPython compiled for musl, in a root with only musl's loader and busybox."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from build_native.wheels.environments.base import REQUIREMENTS, Environment, apt_install, copy_suite
from build_native.wheels.environments.compiled import VERSION, compile_python
from build_native.wheels.environments.debian import Root, mirror

_LOADER = Path("/lib/ld-musl-x86_64.so.1")


class MuslEnvironment(Environment):
    """A Python without OpenSSL and hence without pip: this machine's pip installs packages for it."""

    name = "musl"
    target = "musl-x86_64"

    def __init__(self) -> None:
        self._root = Root(self._folder / "root")
        self._installed = self._folder / "installed"
        self._packages = self._folder / "packages"

    def is_possible(self) -> bool:
        return mirror() is not None

    def prepare(self) -> None:
        apt_install("bubblewrap", "busybox-static", "gcc", "make", "musl-tools")
        compile_python(self._folder, str(self._make_compiler()))
        # Not PYTHONPATH, since programs started by tests do not get all variables.
        site = self._installed / "lib" / f"python{VERSION}" / "site-packages"
        (site / "packages.pth").write_text(f"{self._packages}\n", encoding="utf-8")
        self._make_root()
        requirements = REQUIREMENTS.read_text(encoding="utf-8")
        stamp = self._folder / "prepared.txt"
        if not stamp.is_file() or stamp.read_text(encoding="utf-8") != requirements:
            shutil.rmtree(self._packages, ignore_errors=True)
            self._pip_install("--requirement", str(REQUIREMENTS))
            stamp.write_text(requirements, encoding="utf-8")

    def install(self, wheel: Path) -> None:
        for old in self._packages.glob("gns_py*"):
            shutil.rmtree(old)
        self._pip_install(str(wheel))
        copy_suite(self._suite)

    def _command(self, *arguments: str) -> list[str]:
        python = self._installed / "bin" / f"python{VERSION}"
        return self._root.command(self._folder, str(python), *arguments)

    def _variables(self) -> dict[str, str]:
        return self._root.environment()

    def _make_compiler(self) -> Path:
        """Write a musl-gcc that reports its target as musl, and return its path.

        musl-gcc itself is gcc and reports glibc, and configure then refuses the contradiction.
        """
        compiler = self._folder / "cc"
        compiler.parent.mkdir(parents=True, exist_ok=True)
        compiler.write_text(
            '#!/bin/sh\n[ "$1" = --print-multiarch ] && exec echo x86_64-linux-musl\nexec musl-gcc "$@"\n',
            encoding="utf-8",
        )
        compiler.chmod(0o755)
        return compiler

    def _make_root(self) -> None:
        root = self._root.folder
        shutil.rmtree(root, ignore_errors=True)
        for name in ("bin", "dev", "etc", "lib", "proc", "tmp", "usr"):
            (root / name).mkdir(parents=True)
        shutil.copy(_LOADER.resolve(), root / _LOADER.relative_to("/"))
        shutil.copy("/bin/busybox", root / "bin")
        subprocess.run(["/bin/busybox", "--install", "-s", str(root / "bin")], check=True)

    def _pip_install(self, *what: str) -> None:
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install", "--no-compile"),
                *("--platform", "musllinux_1_2_x86_64", "--platform", "musllinux_1_1_x86_64"),
                *("--python-version", VERSION, "--only-binary", ":all:", "--upgrade", "--target", str(self._packages)),
                *what,
            ],
            check=True,
        )
