"""Build wheels for all platforms on this one, and build them again in another folder to compare the bytes."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from build_native.wheels import tools, zig
from build_native.wheels.targets import TARGETS, Target, target_of


def main(names: list[str]) -> int:
    """Build the wheels of these targets, by default of all, into dist/. Return the exit code."""
    failed = []
    for name in names or list(TARGETS):
        began, cpu_before = time.monotonic(), cpu_seconds()
        print(f"==> {name}", flush=True)
        wheel = build(TARGETS[name], tools.DIST)
        took = f"{time.monotonic() - began:.0f} s ({cpu_seconds() - cpu_before:.0f} s of processor time)"
        if wheel is None:
            failed.append(name)
            print(f"==> {name}: FAILED after {took}", flush=True)
        else:
            print(f"==> {name}: {wheel.name}, {wheel.stat().st_size:,} bytes, in {took}", flush=True)
    if failed:
        print(f"not built: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def build(target: Target, dist: Path) -> Path | None:
    """Build a target's wheel, in place of an older one. Return None if that fails, for a reason that is printed."""
    toolchain = zig.write_toolchain(target)
    settings = {
        "build-dir": str(tools.BUILD / target.name),
        "cmake.toolchain-file": str(toolchain),
        "wheel.tags": ";".join(f"py3-none-{platform}" for platform in target.platform.split(".")),
    }
    # The backend itself, without pip, so that the output of CMake and ninja appears at once.
    call = "import json, sys; from build_native.backend import *; build_wheel(sys.argv[1], json.loads(sys.argv[2]))"
    environment = {**tools.environment(), "GNS_PY_MODE": "vendored", "SOURCE_DATE_EPOCH": str(source_date())}
    with toolchain.open() as lock, tempfile.TemporaryDirectory(dir=tools.BUILD) as folder:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two builds in one folder would break each other
        command = [sys.executable, "-c", call, folder, json.dumps(settings)]
        if subprocess.run(command, cwd=tools.ROOT, env=environment).returncode != 0:
            return None
        dist.mkdir(parents=True, exist_ok=True)
        for old in dist.glob("*.whl"):
            if target_of(old.name) is target:
                old.unlink()
        (wheel,) = Path(folder).glob("*.whl")
        return Path(shutil.move(wheel, dist))


def reproduce(names: list[str]) -> int:
    """Build this commit's wheels in a clone with its own tools, and compare them with dist/. Return the exit code."""
    wheels = {target_of(each.name): each for each in tools.DIST.glob("*.whl")}
    chosen = [TARGETS[name] for name in names] or [each for each in TARGETS.values() if each in wheels]
    different = []
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["git", "clone", "--quiet", str(tools.ROOT), folder], check=True)
        for target in chosen:
            command = ["python3", "-m", "build_native.wheels", "build", target.name]
            subprocess.run(command, cwd=folder, check=True)
            again = next(Path(folder, "dist").glob(f"*{target.platform.split('.')[0]}*.whl"))
            digests = [hashlib.sha256(each.read_bytes()).hexdigest() for each in (wheels[target], again)]
            if digests[0] != digests[1] or wheels[target].name != again.name:
                different.append(target.name)
            print(f"==> {target.name}: {' and '.join(dict.fromkeys(digests))}", flush=True)
    if different:
        print(f"different bytes: {', '.join(different)}", file=sys.stderr)
    return 1 if different else 0


def cpu_seconds() -> float:
    """Return the processor time of the child processes that have ended."""
    used = os.times()
    return used.children_user + used.children_system


def source_date() -> int:
    """Return the time of this commit in seconds since 1970; outside of a clone, the time of pyproject.toml."""
    command = ["git", "log", "-1", "--format=%ct"]
    done = subprocess.run(command, cwd=tools.ROOT, capture_output=True, text=True)
    if done.returncode == 0:
        return int(done.stdout)
    return int((tools.ROOT / "pyproject.toml").stat().st_mtime)
