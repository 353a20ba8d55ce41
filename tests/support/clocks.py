"""Processes whose clock differs from ours."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest

from .certificates import HOUR
from .certified import Other

# GNS asks this function for the time of day.
CLOCK = """
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

time_t time(time_t *out) {
    struct timeval now;
    gettimeofday(&now, 0);
    time_t shifted = now.tv_sec + atoi(getenv("CLOCK_SHIFT"));
    if (out) *out = shifted;
    return shifted;
}
"""

# For each case how much the other clock differs, from when until when the certificate is valid that is presented there,
# all in seconds from now, and why it is refused here.
CLOCKS: dict[str, tuple[int, int, int, str]] = {
    "expired": (-2 * HOUR, -4 * HOUR, -HOUR, r"Cert expired 36\d\d seconds ago"),
    "not yet valid": (HOUR, HOUR // 2, 2 * HOUR, r"Cert is not valid for another 1[78]\d\d seconds"),
    "four minutes fast": (240, 200, HOUR, ""),
    "too long for us": (2 * HOUR, -HOUR, 2**31 + HOUR, ""),  # only GNS's own certificate must not be
}


def build_clock(directory: Path) -> Path:
    """Return a library by which the clock of another process differs from ours."""
    compiler = shutil.which("cc")
    if sys.platform != "linux" or compiler is None:
        pytest.skip("needs Linux, and a C compiler")
    (directory / "clock.c").write_text(CLOCK)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", "clock.so", "clock.c"], cwd=directory, check=True)
    return directory / "clock.so"


@contextmanager
def other_at_another_time(clock: Path, seconds: int, directory: Path) -> Iterator[Other]:
    """Run the other process with a clock that differs by this number of seconds."""
    with mock.patch.dict(os.environ, {"LD_PRELOAD": str(clock), "CLOCK_SHIFT": str(seconds)}):
        other = Other(directory)
    with other:
        yield other
