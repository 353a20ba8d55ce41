"""Unpacks the pinned third-party sources from cargo's download cache into vendor/src/, once, verified by checksum.

    python build_native/materialise.py [gns] [protobuf] [openssl]        (default: all three)
    python build_native/materialise.py --check-gns-source FOLDER

cargo only downloads; which archive is the right one is decided here, by the SHA-256 in vendor/Cargo.lock. A problem is
one line on stderr and exit code 1. Needs nothing beyond Python's standard library.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parent.parent
VENDOR = ROOT / "vendor"
SOURCES = VENDOR / "src"
STAMP = ".materialised"

# cargo leaves out what only other platforms need; any one target will do, since nothing is compiled by it.
CARGO_TARGET = "x86_64-unknown-linux-gnu"


@dataclass(frozen=True)
class Part:
    """A folder of one crate, and the paths below it that the build reads (a trailing slash means a folder)."""

    crate: str
    folder: str
    keep: tuple[str, ...]
    drop: tuple[str, ...] = ()
    drop_endings: tuple[str, ...] = ()

    def wants(self, path: str) -> bool:
        return (
            path.startswith(self.keep)
            and not path.startswith(self.drop or ("\0",))
            and not path.endswith(self.drop_endings or ("\0",))
        )


PARTS = {
    "gns": Part(
        crate="game-networking-sockets-sys",
        folder="thirdparty/GameNetworkingSockets/",
        keep=("CMakeLists.txt", "LICENSE", "cmake/", "examples/CMakeLists.txt", "include/", "src/"),
        drop=("src/external/vjson/", "src/external/sha1-wpa/"),
    ),
    "protobuf": Part(
        crate="protobuf-src",
        folder="protobuf/",
        keep=(
            "LICENSE",
            "version.json",
            "src/file_lists.cmake",
            "src/google/protobuf/",
            "third_party/abseil-cpp/CMake",
            "third_party/abseil-cpp/LICENSE",
            "third_party/abseil-cpp/absl/",
            "third_party/utf8_range/LICENSE",
            "third_party/utf8_range/utf8_range",
            "third_party/utf8_range/utf8_validity",
        ),
        drop=("src/google/protobuf/compiler/", "src/google/protobuf/testdata/", "src/google/protobuf/util/internal/"),
        drop_endings=("_test.cc", "_unittest.cc", "_benchmark.cc", "_test.proto", ".bazel"),
    ),
    "openssl": Part(crate="openssl-src", folder="openssl/", keep=("",)),
}


class VendorError(Exception):
    """The one line that the user reads."""


@dataclass(frozen=True)
class Pin:
    crate: str
    version: str
    sha256: str

    @property
    def archive(self) -> str:
        return f"{self.crate}-{self.version}.crate"


def read_pins(lock: Path) -> dict[str, Pin]:
    # Not tomllib: Python 3.10 has none, and this generated file has one shape only.
    entry = re.compile(r'name = "([^"]+)"\nversion = "([^"]+)"\nsource = "[^"]+"\nchecksum = "([0-9a-f]{64})"')
    return {found[1]: Pin(*found.groups()) for found in entry.finditer(lock.read_text(encoding="utf-8"))}


def stamp_text(part: Part, pin: Pin) -> str:
    """Differs whenever the sources or the choice of files differ."""
    return f"{pin.crate} {pin.version} {pin.sha256}\n{hashlib.sha256(repr(part).encode()).hexdigest()}\n"


def is_complete(name: str, stamp: str) -> bool:
    try:
        return (SOURCES / name / STAMP).read_text(encoding="utf-8") == stamp
    except OSError:
        return False


def cached_archives(pin: Pin) -> list[Path]:
    """Each registry that cargo knows, replaced ones too, has a folder of its own in the cache."""
    home = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")
    return sorted((home / "registry" / "cache").glob(f"*/{pin.archive}"))


def verified_archive(pin: Pin) -> Path | None:
    """The archive with the pinned checksum; None if cargo has not downloaded it yet."""
    wrong = ""
    for archive in cached_archives(pin):
        found = hashlib.sha256(archive.read_bytes()).hexdigest()
        if found == pin.sha256:
            return archive
        wrong = f"wrong checksum: {archive} has SHA-256 {found}, vendor/Cargo.lock pins {pin.sha256}"
    if wrong:
        raise VendorError(f"{wrong}; delete that file and build again")
    return None


def fetch() -> None:
    cargo = shutil.which("cargo")
    if cargo is None:
        raise VendorError(
            "cargo is not in PATH, and it downloads the pinned sources: install it (Debian: apt install cargo) "
            "or build from the sdist, which carries them"
        )
    command = [cargo, "fetch", "--locked", "--target", CARGO_TARGET, "--manifest-path", str(VENDOR / "Cargo.toml")]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace")
    if done.returncode == 0:
        return
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    # The first error says what cargo wanted, the last cause why it could not.
    first = next((line.removeprefix("error: ") for line in lines if line.startswith("error:")), "")
    reason = "; ".join(dict.fromkeys(part for part in (first, *lines[-1:]) if part)) or f"exit code {done.returncode}"
    if "checksum" in done.stderr:
        raise VendorError(
            f"wrong checksum: cargo refuses what it downloaded ({reason}); clear cargo's cache, try again"
        )
    raise VendorError(
        f"cargo could not download the pinned sources ({reason}); check the network connection and build again, "
        "or build from the sdist, which carries them"
    )


def members(archive: Path, part: Part) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            # The first component is "crate-version".
            _, _, inside = member.name.partition("/")
            if not member.isfile() or not inside.startswith(part.folder):
                continue
            path = inside[len(part.folder) :]
            if not part.wants(path):
                continue
            if ".." in PurePosixPath(path).parts:
                raise VendorError(f"{archive} contains the path {member.name}, which leaves its folder")
            content = tar.extractfile(member)
            assert content is not None
            yield path, content.read()


def unpack(name: str, part: Part, archive: Path, stamp: str) -> None:
    SOURCES.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=SOURCES))
    try:
        new = scratch / "new"
        for path, content in members(archive, part):
            target = new / path
            target.parent.mkdir(parents=True, exist_ok=True)
            # Written now, with the time of now: the archive's times are constant, and a build tool that sees an
            # upgraded file with an old time would not compile it again.
            target.write_bytes(content)
        if not new.is_dir():
            raise VendorError(f"{archive} has no folder {part.folder}")
        (new / STAMP).write_text(stamp, encoding="utf-8")
        if (SOURCES / name).exists() and not is_complete(name, stamp):
            (SOURCES / name).rename(scratch / "old")
        try:
            new.rename(SOURCES / name)
        except OSError:
            if not is_complete(name, stamp):  # else another build at the same time was faster
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def materialise(names: list[str]) -> None:
    pins = read_pins(VENDOR / "Cargo.lock")
    stamps = {name: stamp_text(PARTS[name], pins[PARTS[name].crate]) for name in names}
    missing = [name for name in names if not is_complete(name, stamps[name])]
    if any(verified_archive(pins[PARTS[name].crate]) is None for name in missing):
        fetch()
    for name in missing:
        pin = pins[PARTS[name].crate]
        archive = verified_archive(pin)
        if archive is None:
            raise VendorError(
                f"cargo says it has fetched {pin.archive}, but its cache does not hold that file; if a configuration "
                "of cargo replaces the registry by a folder of unpacked crates, set CARGO_HOME to a fresh folder"
            )
        unpack(name, PARTS[name], archive, stamps[name])


def check_gns_source(folder: Path) -> None:
    for needed in ("CMakeLists.txt", "src/CMakeLists.txt", "include/steam/steamnetworkingtypes.h"):
        if not (folder / needed).is_file():
            raise VendorError(
                f"GNS_PY_GNS_SOURCE={folder} is no GameNetworkingSockets source folder: it has no {needed}; "
                "unset the variable to build the pinned sources"
            )


def main() -> int:
    parser = argparse.ArgumentParser(description="Unpack the pinned third-party sources into vendor/src/.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"one of {', '.join(PARTS)}; none means all")
    parser.add_argument("--check-gns-source", type=Path, metavar="FOLDER", help="only check a GNS source folder")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.parts if name not in PARTS]:
        parser.error(f"unknown part {unknown[0]!r}: choose from {', '.join(PARTS)}")
    try:
        if arguments.check_gns_source is not None:
            check_gns_source(arguments.check_gns_source)
        else:
            materialise(arguments.parts or list(PARTS))
    except (VendorError, OSError) as problem:
        print(f"gns_py: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
