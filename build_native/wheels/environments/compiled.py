"""CPython compiled from source, for a C library without a Python on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

from build_native.wheels.environments.base import FOLDER, apt_install
from build_native.wheels.environments.debian import KEYRING, UNCHECKED, mirror
from build_native.wheels.environments.interpreters import Here

VERSION = "3.13"
_SUITE = "trixie"


def compile_python(folder: Path, compiler: str) -> None:
    """Compile CPython into folder/installed, once, with no library but zlib, which tools for tests import."""
    prefix = folder / "installed"
    partial = folder / "partial"
    if prefix.is_dir() and not partial.is_dir():  # `partial` exists until all is done
        return
    shutil.rmtree(prefix, ignore_errors=True)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    print(f"{folder.name}: compiling CPython, which takes minutes", flush=True)
    # No pkg-config: it would find this machine's libraries.
    variables = {**Here().environment(), "CC": compiler, "PKG_CONFIG": "false"}
    with_zlib = {"CPPFLAGS": f"-I{partial}/include", "LDFLAGS": f"-L{partial}/lib"}
    python = [f"--prefix={prefix}", "--disable-test-modules", "--without-ensurepip"]
    with (folder / "compile.log").open("w") as log:
        for source, options, more in (
            (_source("zlib"), [f"--prefix={partial}", "--static"], {"CFLAGS": "-O2 -fPIC"}),
            (_source(f"python{VERSION}"), python, with_zlib),
        ):
            build = partial / source.name
            # zlib can be built only in its source folder.
            shutil.copytree(source, build)
            for command in (["./configure", *options], ["make", f"-j{os.cpu_count()}"], ["make", "install"]):
                done = subprocess.run(command, cwd=build, env={**variables, **more}, stdout=log, stderr=log)
                if done.returncode != 0:
                    raise RuntimeError(f"{command[0]} failed, see {log.name}")
    shutil.rmtree(partial)


def _source(package: str) -> Path:
    """Return the folder with a package's source, from Debian without Debian's changes. apt verifies its origin."""
    unpacked = FOLDER / "source" / package
    if unpacked.is_dir():
        return unpacked
    apt = FOLDER / "source" / "apt"
    for name in ("lists/partial", "archives/partial"):
        (apt / name).mkdir(parents=True, exist_ok=True)
    sources = apt / "sources.list"
    sources.write_text(f"deb-src [signed-by={KEYRING}] {mirror()} {_SUITE} main\n", encoding="utf-8")
    # A separate state of apt, so that this machine's sources stay as they are.
    settings = {
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "-",
        "Dir::State": apt,
        "Dir::State::status": "/dev/null",
        "Dir::Cache": apt,
        UNCHECKED: "false",
        "APT::Sandbox::User": "root",  # apt's own user may not have access to this folder
    }
    options = [f"-o{name}={value}" for name, value in settings.items()]
    apt_install("debian-archive-keyring", "dpkg-dev", "xz-utils")
    subprocess.run(["apt-get", "--quiet=2", *options, "update"], check=True)
    get = ["apt-get", "--quiet=2", *options, "source", "--download-only", "--tar-only", package]
    subprocess.run(get, cwd=apt, check=True)
    (archive,) = apt.glob(f"{package}_*.orig.tar.*[!c]")
    with tarfile.open(archive) as files:
        files.extractall(apt / "unpacked")
    (top,) = (apt / "unpacked").iterdir()
    top.rename(unpacked)
    shutil.rmtree(apt)
    return unpacked
