"""Unpack the pinned third-party sources from cargo's download cache into vendor/src/, once, verified by checksum.

    python build_native/materialise.py [gns] [protobuf] [openssl]        (default: all three)
    python build_native/materialise.py --check-gns-source FOLDER

cargo only downloads; the SHA-256 in vendor/Cargo.lock decides here which archive is the right one. A failure is one
line on stderr and exit code 1. Needs nothing but Python's standard library.
"""

from __future__ import annotations

import argparse
import fnmatch
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

# cargo leaves out crates that only other platforms need. Any target will do, since cargo compiles nothing.
CARGO_TARGET = "x86_64-unknown-linux-gnu"


@dataclass(frozen=True)
class Part:
    """A folder of a crate, and patterns of the files below it that builds read. In them, * matches slashes, too."""

    crate: str
    folder: str
    keep: tuple[str, ...]
    drop: tuple[str, ...]

    def wants(self, path: str) -> bool:
        """Return whether to unpack this file."""
        return matches(path, self.keep) and not matches(path, self.drop)


def matches(path: str, patterns: tuple[str, ...]) -> bool:
    """Return whether the path matches one of the patterns."""
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)


def each(names: str, pattern: str = "{}") -> tuple[str, ...]:
    """Return the pattern once for each of the names, with the name in place of {}."""
    return tuple(pattern.replace("{}", name) for name in names.split())


# The sdist contains the files that are kept, so they are few. But the sdist also serves platforms without a wheel, so
# files that any Unix on a current processor compiles are kept.
PARTS = {
    "gns": Part(
        crate="game-networking-sockets-sys",
        folder="thirdparty/GameNetworkingSockets/",
        keep=each("CMakeLists.txt LICENSE cmake/* examples/CMakeLists.txt include/* src/*"),
        drop=each("*.md cmake/apple/* src/external/vjson/* src/external/sha1-wpa/* */certtool/*"),
    ),
    # The lite runtime, without descriptors, reflection, text and JSON.
    "protobuf": Part(
        crate="protobuf-src",
        folder="protobuf/",
        keep=(
            *each("LICENSE version.json src/file_lists.cmake"),
            *each("*.cc *.h port_*def.inc", "src/google/protobuf/{}"),
            *each("CMake* LICENSE absl/*", "third_party/abseil-cpp/{}"),
            *each("LICENSE utf8_range* utf8_validity*", "third_party/utf8_range/{}"),
        ),
        drop=(
            *each("*.bazel *.md *.pb.cc *.pb.h */testdata/* */testing/* */install_test_project/*"),
            *each("*_benchmark*.cc *_test.cc *_test_common.* *_test_impl.inc *_unittest.cc */protobuf/*test_util*"),
            *each("compiler/ dynamic_message descriptor feature_resolver", "src/google/protobuf/{}*"),
            *each("generated_message_reflection generated_message_tctable_gen", "src/google/protobuf/{}*"),
            *each("io/printer io/tokenizer json/ map_field message. reflection", "src/google/protobuf/{}*"),
            *each("text_format util/", "src/google/protobuf/{}*"),
        ),
    ),
    # Configure needs every build.info, even of excluded parts, and all sources of libssl, which is not built.
    "openssl": Part(
        crate="openssl-src",
        folder="openssl/",
        keep=(
            *each("Configure LICENSE.txt VERSION.dat config configdata.pm.in *build.info ssl/*.c"),
            *each("Configurations crypto exporters external/perl include providers util", "{}/*"),
        ),
        drop=(
            # Algorithms and protocols that cmake/openssl leaves out.
            *each("aria bf camellia cast chacha cmac cmp cms comp crmf ct des dh dsa idea lms md2 md4", "crypto/{}/*"),
            *each("mdc2 ocsp poly1305 rc2 rc4 rc5 ripemd seed siphash sm2 sm3 sm4 srp ts whrlpool", "crypto/{}/*"),
            *each("ml_*.[ch] slh_dsa/*.[ch] ec/*sm2p256* ec/ecp_nistp[2-5]*.c", "crypto/{}"),
            *each("include/internal/quic_[!v]* providers/fips/self_test* providers/fips/fipsprov.c"),
            # Processors that are no longer made.
            *each("alpha c64x ia64 parisc sparc vis3", "crypto/*{}*"),
            # Examples, tests, and tools that maintain OpenSSL's own sources.
            *each("demos/* external/perl/*/t/* test/* util/perl/OpenSSL/ParseC.pm util/perl/OpenSSL/Test*"),
        ),
    ),
}


class VendorError(Exception):
    """A failure. Its text is the one line that the user reads."""


@dataclass(frozen=True)
class Pin:
    """A crate as vendor/Cargo.lock pins it."""

    crate: str
    version: str
    sha256: str

    @property
    def archive(self) -> str:
        """The name of its file in cargo's cache."""
        return f"{self.crate}-{self.version}.crate"


def read_pins(lock: Path) -> dict[str, Pin]:
    """Read a Cargo.lock. Return its pins by crate."""
    # Not tomllib, which Python 3.10 lacks; this generated file has one shape only.
    entry = re.compile(r'name = "([^"]+)"\nversion = "([^"]+)"\nsource = "[^"]+"\nchecksum = "([0-9a-f]{64})"')
    return {found[1]: Pin(*found.groups()) for found in entry.finditer(lock.read_text(encoding="utf-8"))}


def stamp_text(part: Part, pin: Pin) -> str:
    """Return a text that changes when the sources or the choice of files change."""
    return f"{pin.crate} {pin.version} {pin.sha256}\n{hashlib.sha256(repr(part).encode()).hexdigest()}\n"


def is_complete(name: str, stamp: str) -> bool:
    """Return whether a part has been unpacked with this stamp."""
    try:
        return (SOURCES / name / STAMP).read_text(encoding="utf-8") == stamp
    except OSError:
        return False


def cached_archives(pin: Pin) -> list[Path]:
    """Return the crate's archives in cargo's cache, which has a folder for each registry and each replacement."""
    home = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")
    return sorted((home / "registry" / "cache").glob(f"*/{pin.archive}"))


def verified_archive(pin: Pin) -> Path | None:
    """Return the archive with the pinned checksum, or None if cargo has not downloaded it yet.

    Raises:
        VendorError: The cache has this archive only with another checksum.
    """
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
    """Make cargo download the pinned crates.

    Raises:
        VendorError: cargo is missing, or failed.
    """
    cargo = shutil.which("cargo")
    if cargo is None:
        raise VendorError(
            "cargo is not in PATH, but must download the pinned sources: install it (Debian: apt install cargo) "
            "or build from the sdist, which contains them"
        )
    command = [cargo, "fetch", "--locked", "--target", CARGO_TARGET, "--manifest-path", str(VENDOR / "Cargo.toml")]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace")
    if done.returncode == 0:
        return
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    # The first error says what cargo tried, the last cause why it failed.
    first = next((line.removeprefix("error: ") for line in lines if line.startswith("error:")), "")
    reason = "; ".join(dict.fromkeys(part for part in (first, *lines[-1:]) if part)) or f"exit code {done.returncode}"
    if "checksum" in done.stderr:
        raise VendorError(f"wrong checksum: cargo rejects its download ({reason}); clear cargo's cache and try again")
    raise VendorError(
        f"cargo could not download the pinned sources ({reason}); check the network connection and build again, "
        "or build from the sdist, which contains them"
    )


def members(archive: Path, part: Part) -> Iterator[tuple[str, bytes]]:
    """Yield the path and the content of each wanted file."""
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
    """Unpack a part in place of an older one. Builds that do so at the same time do not disturb each other."""
    SOURCES.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=SOURCES))
    try:
        new = scratch / "new"
        for path, content in members(archive, part):
            target = new / path
            target.parent.mkdir(parents=True, exist_ok=True)
            # With the current time, not the archive's constant one: a build tool would not compile an upgraded file
            # with an old time again.
            target.write_bytes(content)
        if not new.is_dir():
            raise VendorError(f"{archive} has no folder {part.folder}")
        (new / STAMP).write_text(stamp, encoding="utf-8")
        if (SOURCES / name).exists() and not is_complete(name, stamp):
            (SOURCES / name).rename(scratch / "old")
        try:
            new.rename(SOURCES / name)
        except OSError:
            if not is_complete(name, stamp):  # otherwise another build at the same time was faster
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def materialise(names: list[str]) -> None:
    """Unpack these parts, unless they have been unpacked already.

    Raises:
        VendorError: A crate cannot be downloaded, or is not the pinned one.
    """
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
                f"cargo reports that it fetched {pin.archive}, but its cache does not contain that file; if cargo's "
                "configuration replaces the registry with a folder of unpacked crates, set CARGO_HOME to a new folder"
            )
        unpack(name, PARTS[name], archive, stamps[name])


def check_gns_source(folder: Path) -> None:
    """Check that a folder has GNS's sources.

    Raises:
        VendorError: It has not.
    """
    for needed in ("CMakeLists.txt", "src/CMakeLists.txt", "include/steam/steamnetworkingtypes.h"):
        if not (folder / needed).is_file():
            raise VendorError(
                f"GNS_PY_GNS_SOURCE={folder} is not a GameNetworkingSockets source folder: it has no {needed}; "
                "unset the variable to build the pinned sources"
            )


def main() -> int:
    """Run the program, and return its exit code."""
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
