"""Run peer_program.py in pairs of environments, in both directions, over this machine's loopback."""

from __future__ import annotations

import subprocess
import sys
from itertools import permutations
from pathlib import Path

from build_native.wheels.environments.base import Environment

_PROGRAM = Path(__file__).with_name("peer_program.py").read_text(encoding="utf-8")
_ONE = "this-python"
_OTHERS = ("aarch64", "musl", "wine")
_TIMEOUT = 300


def talk(known: dict[str, Environment], wheels: dict[str, Path]) -> bool:
    """Connect this Python with each of the other environments that are possible here, and print the results.

    Args:
        known: The environments, by name.
        wheels: The wheels, by target.

    Returns:
        Whether there were pairs and all of them succeeded.
    """
    ready = [known[name] for name in (_ONE, *_OTHERS) if name in known and known[name].target in wheels]
    for each in ready:
        each.prepare()
        each.install(wheels[each.target])
    pairs = [pair for pair in permutations(ready, 2) if _ONE in (pair[0].name, pair[1].name)]
    failed = [pair for pair in pairs if not _talk(*pair)]
    return bool(pairs) and not failed


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
