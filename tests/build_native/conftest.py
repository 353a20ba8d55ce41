"""Tests of the build import its programs from the clone, but the installed gns_py, which is earlier on the path."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

if (ROOT / "build_native").is_dir():
    sys.path.append(str(ROOT))
else:
    collect_ignore_glob = ["*"]  # a copy of the tests without the programs, to try a wheel
