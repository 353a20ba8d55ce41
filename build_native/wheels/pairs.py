"""Pairs of environments talk to each other, both ways: pair.py in each, on this machine's loopback."""

from __future__ import annotations

import subprocess
import sys
from itertools import permutations
from pathlib import Path

from build_native.wheels.environments.environment import Environment
from build_native.wheels.environments.every import environments
from build_native.wheels.targets import target_of
from build_native.wheels.tools import DIST

_PROGRAM = Path(__file__).with_name("pair.py").read_text(encoding="utf-8")
_ONE = "this-python"
_OTHERS = ("aarch64", "musl", "wine")
_TIMEOUT = 300


def main() -> int:
    """This Python with each of the others that can be had here; prints how each end ended."""
    known = environments()
    wheels = {target.name: path for path in DIST.glob("*.whl") if (target := target_of(path.name))}
    ready = [known[name] for name in (_ONE, *_OTHERS) if name in known and known[name].target in wheels]
    for each in ready:
        print(f"==> {each.name}: {wheels[each.target].name}", flush=True)
        each.prepare()
        each.install(wheels[each.target])
    pairs = [pair for pair in permutations(ready, 2) if _ONE in (pair[0].name, pair[1].name)]
    if not pairs:
        print("dist/ has no two wheels that can run here", file=sys.stderr)
        return 2
    failed = [pair for pair in pairs if not _talk(*pair)]
    return 1 if failed else 0


def _talk(server: Environment, client: Environment) -> bool:
    listening = server.start("-c", _PROGRAM, "listen")
    try:
        assert listening.stdout is not None
        port = listening.stdout.readline().strip()
        connecting = client.start("-c", _PROGRAM, "connect", port)
        try:
            said, complaints = connecting.communicate(timeout=_TIMEOUT)
        finally:
            connecting.kill()
        _, more_complaints = listening.communicate(timeout=_TIMEOUT)
    except subprocess.TimeoutExpired:
        print(f"{client.name} -> {server.name}: FAILED, nothing for {_TIMEOUT} s", flush=True)
        return False
    finally:
        listening.kill()
    codes = connecting.returncode, listening.returncode
    print(f"{client.name} -> {server.name}: exit codes {codes[0]} and {codes[1]}; {said.strip()}", flush=True)
    if any(codes):
        print(complaints + more_complaints, file=sys.stderr)
    return not any(codes)
