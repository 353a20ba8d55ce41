"""Tests of the build import its programs from the clone, but the installed gns_py, which is earlier on the path."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))
