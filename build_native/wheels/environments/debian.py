"""Debian releases in folders, to run programs of other Pythons and processors than this machine's."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

from build_native.wheels.environments.base import FOLDER, apt_install

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# The archives of an unreleased Debian may be past their validity date; their signatures are checked nevertheless.
UNCHECKED = "Acquire::Check-Valid-Until"
_BINFMT = Path("/proc/sys/fs/binfmt_misc")
_QEMU = Path("/usr/lib/binfmt.d/qemu-aarch64.conf")


class Root:
    """A folder with a system. Its programs run as an unprivileged user, on this machine's network."""

    def __init__(self, folder: Path, *, is_emulated: bool = False) -> None:
        self.folder = folder
        self._is_emulated = is_emulated

    def command(self, folder: Path, *command: str) -> list[str]:
        """Return bubblewrap's command. `folder` keeps its path there, and the current folder must be below it."""
        bound = ["/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs"]  # pip needs them
        return [
            *(_with_qemu() if self._is_emulated else ()),
            *("bwrap", "--die-with-parent", "--unshare-user", "--unshare-pid", "--uid", "1000", "--gid", "1000"),
            *("--bind", str(self.folder), "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"),
            *(argument for path in bound for argument in ("--ro-bind", path, path)),
            *("--bind", str(folder), str(folder)),
            *command,
        ]

    def environment(self) -> dict[str, str]:
        """Return few variables, since this machine's lead to its own programs; but pip needs its certificates."""
        kept = {name: value for name, value in os.environ.items() if name in ("PIP_CERT", "SSL_CERT_FILE")}
        return {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "LC_ALL": "C.UTF-8", **kept}


class DebianRoot(Root):
    """Packages of a Debian release.

    Usually they are only unpacked, without running their scripts, which takes seconds even for another processor. A
    configured root is like an installation.
    """

    def __init__(
        self, name: str, suite: str, *packages: str, architecture: str = "amd64", is_configured: bool = False
    ) -> None:
        super().__init__(FOLDER / name, is_emulated=architecture == "arm64")
        self._suite = suite
        self._packages = packages if is_configured else ("base-files", "dash", "coreutils", "libc-bin", *packages)
        self._architecture = architecture
        self._is_configured = is_configured

    def is_possible(self) -> bool:
        return sys.platform == "linux" and mirror() is not None and os.uname().machine == "x86_64"

    def prepare(self) -> None:
        apt_install("bubblewrap", "debian-archive-keyring", "mmdebstrap", *(["qemu-user-static"] * self._is_emulated))
        wanted = " ".join([self._suite, self._architecture, *self._packages])
        stamp = self.folder.with_suffix(".txt")
        if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        stamp.unlink(missing_ok=True)
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        site = mirror()
        assert site is not None, "see is_possible()"
        print(f"{self.folder.name}: Debian {self._suite}, {self._architecture}", flush=True)
        subprocess.run(
            [
                *("mmdebstrap", "--quiet", f"--architectures={self._architecture}"),
                f"--variant={'minbase' if self._is_configured else 'extract'}",
                *(() if self._is_configured else ("--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",)),
                f'--aptopt={UNCHECKED} "false"',
                f"--include={','.join(self._packages)}",
                *(self._suite, str(self.folder), f"deb [signed-by={KEYRING}] {site} {self._suite} main"),
            ],
            check=True,
        )
        stamp.write_text(wanted, encoding="utf-8")


class DebianPython:
    """The Python of a root."""

    def __init__(self, root: DebianRoot, python: str) -> None:
        self._root = root
        self._python = python
        self.command = root.command
        self.is_possible = root.is_possible

    def prepare(self) -> str:
        self._root.prepare()
        return self._python

    def environment(self) -> dict[str, str]:
        return self._root.environment()


@functools.cache
def mirror() -> str | None:
    """Return the address of this machine's own Debian packages, or None."""
    if shutil.which("apt-get") is None:
        return None
    command = ["apt-get", "indextargets", "--format", "$(LABEL)|$(COMPONENT)|$(REPO_URI)", "Created-By: Packages"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return next((line.split("|")[2] for line in listed if line.startswith("Debian|main|")), None)


def _with_qemu() -> list[str]:
    """Return a command prefix that makes Linux run programs of arm64: empty if it does so anyway, or for Linux 6.7."""
    if (_BINFMT / "qemu-aarch64").exists():
        return []
    register = f'mount -t binfmt_misc none {_BINFMT} && cat {_QEMU} > {_BINFMT}/register && exec "$@"'
    return ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", register, "sh"]
