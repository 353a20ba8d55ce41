"""A mark for tests of Pythons that count references."""

from __future__ import annotations

import sys

import pytest

counts_references = pytest.mark.skipif(
    sys.implementation.name != "cpython", reason="this Python frees what is forgotten at some later time"
)
