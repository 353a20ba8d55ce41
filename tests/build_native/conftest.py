"""Tests of the build import its programs from the clone; gns_py is the installed one still, which comes first."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))
