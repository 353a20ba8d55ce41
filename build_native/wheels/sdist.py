"""Build the source distribution, and compare its third-party sources with the pinned archives."""

from __future__ import annotations

import sys
import tarfile
from pathlib import Path

from build_native import backend
from build_native.materialise import PARTS, SOURCES, STAMP, VENDOR, members, read_pins, verified_archive
from build_native.wheels.tools import DIST, ROOT


def main() -> int:
    """Build it into dist/. Return the exit code."""
    sdist = DIST / backend.build_sdist(str(DIST))
    if wrong := differences(sdist):
        sdist.unlink()
        print(
            f"gns_py: no sdist: different from the pinned archives: {', '.join(wrong)}; delete vendor/src",
            file=sys.stderr,
        )
        return 1
    print(f"{sdist.name}: {sdist.stat().st_size:,} bytes")
    return 0


def differences(sdist: Path) -> list[str]:
    """Return the paths below vendor/src in the sdist that are missing, surplus, or not as in the pinned archives."""
    pins = read_pins(VENDOR / "Cargo.lock")
    wanted: dict[str, bytes] = {}
    for name, part in PARTS.items():
        archive = verified_archive(pins[part.crate])
        if archive is None:
            return [f"cargo's cache has no {pins[part.crate].archive} to compare with"]
        folder = (SOURCES / name).relative_to(ROOT).as_posix()
        wanted |= {f"{folder}/{path}": content for path, content in members(archive, part)}
    found: dict[str, bytes] = {}
    with tarfile.open(sdist, "r:gz") as tar:
        for member in tar:
            _, _, path = member.name.partition("/")
            content = tar.extractfile(member)
            if content is not None and path.startswith("vendor/src/") and not path.endswith(f"/{STAMP}"):
                found[path] = content.read()
    return sorted(path for path in wanted.keys() | found.keys() if wanted.get(path) != found.get(path))
