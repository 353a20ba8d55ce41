"""The decoder of frames against a coverage-guided fuzzer."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2].joinpath("fuzz") / "decode_frames.py"
SECONDS = 10


@pytest.mark.slow
@pytest.mark.skipif(
    find_spec("atheris") is None, reason="atheris has wheels for few Pythons, all on Linux with glibc, x86_64"
)
def test_no_bytes_make_the_decoders_disagree_or_an_engine_raise(tmp_path: Path) -> None:
    fuzzed = subprocess.run(
        [sys.executable, str(PROGRAM), str(tmp_path), f"-max_total_time={SECONDS}", f"-artifact_prefix={tmp_path}/"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    assert fuzzed.returncode == 0, fuzzed.stdout[-5000:]
    assert "Done " in fuzzed.stdout  # followed by the number of runs
