"""Generate gns_py/_generated/enums.py and config_fields.py from the headers of GNS and of our core.

    python -m build_native.enums            writes them
    python -m build_native.enums --check    exit code 1 if they are not what would be written

Run it in the root of the clone. Names, numbers, types, defaults and ranges are read from the C++ sources
(vendor/src/gns, or the folder that the environment variable GNS_PY_GNS_SOURCE names). Sentences, units and judgements
are in tables.py: a member that has none there, or one that GNS no longer has, stops the generator.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from build_native.enums.headers import Facts, fail
from build_native.enums.templates import config_fields_file, enums_file

ROOT = Path(__file__).resolve().parents[2]


CORE_HEADER = ROOT / "build_native/core/gns_core.h"


def generate(gns: Path, core_header: Path = CORE_HEADER) -> dict[Path, str]:
    """Return the files to write, with their texts."""
    facts = Facts(gns, core_header)
    return {
        ROOT / "gns_py/_generated/enums.py": enums_file(facts),
        ROOT / "gns_py/_generated/config_fields.py": config_fields_file(facts),
    }


def gns_source() -> Path:
    """Return the folder of GNS's sources: the user's own, or the vendored one."""
    folder = Path(os.environ.get("GNS_PY_GNS_SOURCE") or ROOT / "vendor/src/gns")
    if not (folder / "include/steam/steamnetworkingtypes.h").is_file():
        fail(f"no sources of GNS in {folder}: run build_native/materialise.py, or set GNS_PY_GNS_SOURCE")
    return folder


def main() -> int:
    """Run the generator and return its exit code."""
    parser = argparse.ArgumentParser(
        description="Generate gns_py/_generated/enums.py and gns_py/_generated/config_fields.py."
    )
    parser.add_argument("--check", action="store_true", help="compare only; exit code 1 if they are not up to date")
    check = parser.parse_args().check
    stale = 0
    for path, text in generate(gns_source()).items():
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        if check:
            print(f"{path.relative_to(ROOT)} is not up to date: run python -m build_native.enums", file=sys.stderr)
            stale = 1
        else:
            path.write_text(text, encoding="utf-8", newline="\n")
    return stale


if __name__ == "__main__":
    sys.exit(main())
