"""The command `gns-py demo`, as a terminal runs it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def running_demo(*options: str, until: str, cwd: Path, env: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Yield a demo that has printed a line with this text, in a process group of its own as in a terminal."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gns_py", "demo", *options],
        cwd=cwd,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        assert any(until in line for line in process.stdout)
        yield process
    finally:
        process.kill()
        process.communicate()
