"""CPython from source, for a C library that this machine's has none for."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

from build_native.wheels.environments.debian import KEYRING, UNCHECKED, mirror
from build_native.wheels.environments.environment import FOLDER, apt_install
from build_native.wheels.environments.interpreters import Here

_SUITE = "trixie"
VERSION = "3.13"
_PACKAGE = f"python{VERSION}"


def configure_and_install(folder: Path, *options: str, **environment: str) -> None:
    """Compiles CPython in folder/build, and installs it into folder/installed."""
    build = folder / "build"
    shutil.rmtree(build, ignore_errors=True)
    build.mkdir(parents=True)
    print(f"{folder.name}: compiling CPython, which takes minutes", flush=True)
    variables = {**Here().environment(), **environment}
    with (folder / "build.log").open("w") as log:
        for command in (
            [str(source() / "configure"), f"--prefix={folder / 'installed'}", "--disable-test-modules", *options],
            ["make", f"-j{os.cpu_count()}"],
            ["make", "install"],
        ):
            done = subprocess.run(command, cwd=build, env=variables, stdout=log, stderr=log)
            if done.returncode != 0:
                raise RuntimeError(f"{command[0]} failed, see {log.name}")
    shutil.rmtree(build)


def source() -> Path:
    """CPython's source as Debian has it, without Debian's changes; apt checks where it is from."""
    unpacked = FOLDER / "source" / _PACKAGE
    if unpacked.is_dir():
        return unpacked
    apt = FOLDER / "source" / "apt"
    for name in ("lists/partial", "archives/partial"):
        (apt / name).mkdir(parents=True, exist_ok=True)
    sources = apt / "sources.list"
    sources.write_text(f"deb-src [signed-by={KEYRING}] {mirror()} {_SUITE} main\n", encoding="utf-8")
    # An apt of its own: this machine's keeps its sources.
    settings = {
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "-",
        "Dir::State": apt,
        "Dir::State::status": "/dev/null",
        "Dir::Cache": apt,
        UNCHECKED: "false",
        "APT::Sandbox::User": "root",  # its user may not see this folder
    }
    options = [f"-o{name}={value}" for name, value in settings.items()]
    apt_install("debian-archive-keyring", "xz-utils")
    subprocess.run(["apt-get", "--quiet=2", *options, "update"], check=True)
    get = ["apt-get", "--quiet=2", *options, "source", "--download-only", "--tar-only", _PACKAGE]
    subprocess.run(get, cwd=apt, check=True)
    (archive,) = apt.glob(f"{_PACKAGE}_*.orig.tar.xz")
    with tarfile.open(archive) as files:
        files.extractall(apt / "unpacked")
    (top,) = (apt / "unpacked").iterdir()
    top.rename(unpacked)
    shutil.rmtree(apt)
    return unpacked
