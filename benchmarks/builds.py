"""Compile the C++ peers, and GNS as its authors publish it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import gns_py

ROOT = Path(__file__).resolve().parents[1]
PEERS = ROOT / "benchmarks/peers"
UPSTREAM = ROOT / "vendor/src/gns"
UPSTREAM_BUILD = ROOT / "build/upstream_gns"


def _compiler() -> str | None:
    return os.environ.get("CXX") or shutil.which("c++")


def _compile(folder: Path, sources: Sequence[str], includes: Sequence[Path], library: Path | None = None) -> Path:
    """Return the program made of these sources."""
    program = folder / Path(sources[0]).stem
    link = [str(library), f"-Wl,-rpath,{library.parent}"] if library else []
    names = [*(str(PEERS / source) for source in sources), *(f"-I{include}" for include in includes)]
    subprocess.run([str(_compiler()), "-O2", "-std=c++17", *names, "-o", str(program), *link, "-pthread"], check=True)
    return program


@cache
def udp_peer(folder: Path) -> Path:
    return _compile(folder, ["udp_peer.cpp"], [])


@cache
def core_peer(folder: Path) -> Path:
    """Compile the peer that uses the library that Python uses."""
    library = gns_py.build_info().library
    return _compile(folder, ["core_peer.cpp", "core_world.cpp"], [ROOT / "build_native/core"], library)


@cache
def upstream_peer(folder: Path) -> Path:
    """Compile the peer that uses plain GNS: the pinned sources, unchanged, built by their own CMake files."""
    subprocess.run([sys.executable, ROOT / "build_native/materialise.py", "gns"], check=True)
    configure: list[str | Path] = [
        "-S",
        UPSTREAM,
        "-B",
        UPSTREAM_BUILD,
        "-DCMAKE_BUILD_TYPE=Release",
        "-DBUILD_STATIC_LIB=OFF",
    ]
    build: list[str | Path] = ["--build", UPSTREAM_BUILD, "--parallel", str(os.cpu_count())]
    for arguments in (configure, build):
        run = subprocess.run(["cmake", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if run.returncode:
            sys.exit(f"GNS cannot be built:\n{run.stdout}")
    library = UPSTREAM_BUILD / "bin/libGameNetworkingSockets.so"
    return _compile(folder, ["upstream_peer.cpp"], [UPSTREAM / "include"], library)


BUILDS: dict[str, Callable[[Path], Path]] = {
    "udp_peer": udp_peer,
    "core_peer": core_peer,
    "upstream_peer": upstream_peer,
}


def missing(program: str) -> list[str]:
    """Return what the build of a program lacks here."""
    if program not in BUILDS:
        return []
    lacking = [] if _compiler() else ["a C++ compiler: c++, or set CXX"]
    if program == "upstream_peer" and not (UPSTREAM_BUILD / "bin/libGameNetworkingSockets.so").exists():
        lacking += [name for name in ("cmake", "protoc") if not shutil.which(name)]
        lacking += [] if lacking or _has_headers() else ["the headers of OpenSSL and protobuf"]
    return lacking


def _has_headers() -> bool:
    source = "#include <google/protobuf/message.h>\n#include <openssl/evp.h>\n"
    command = [str(_compiler()), "-std=c++17", "-fsyntax-only", "-x", "c++", "-"]
    return subprocess.run(command, input=source, text=True, capture_output=True).returncode == 0
