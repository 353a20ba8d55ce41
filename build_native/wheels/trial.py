"""Try wheels: run the quick tests and the demo with each, in every environment. Exit codes decide."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from build_native.wheels.environments.base import Environment
from build_native.wheels.environments.registry import environments
from build_native.wheels.interop import talk
from build_native.wheels.targets import target_of
from build_native.wheels.tools import BUILD, DIST, ROOT

_REPORTS = BUILD / "reports"
_PAIRS = "pairs"
_MARKS = "not soak and not slow and not clone"
_TEST_TIMEOUT = 120  # for one test, as in pyproject.toml
_SUITE_TIMEOUT = 3600
_TAIL = 300  # lines of the log that are printed after a failure
_DESCRIBE = """
import platform, sys
gil = getattr(sys, "_is_gil_enabled", lambda: True)()
print(platform.python_implementation(), platform.python_version(), "" if gil else "without GIL")
"""


@dataclass(frozen=True)
class Report:
    """The result of one environment."""

    environment: str
    wheel: str
    python: str
    passed: int
    failed: int
    skipped: int
    seconds: int
    suite: int | None
    """The exit code of the quick tests; None if only the demo is run here."""
    demo: int
    """The exit code of the demo."""

    @property
    def is_good(self) -> bool:
        """True if nothing failed."""
        return self.suite in (0, None) and self.demo == 0

    @property
    def result(self) -> str:
        """The result in words."""
        codes = "" if self.suite is None else f"suite {self.suite}, "
        return "passed" if self.is_good else f"FAILED: {codes}demo {self.demo}"


def main(names: list[str], *, list_only: bool = False, jobs: int = 1) -> int:
    """Try the wheels of dist/ in these environments, by default in all possible ones, and write reports.

    Args:
        names: The environments, by name.
        list_only: List the environments instead.
        jobs: The number of tests that run at the same time.

    Returns:
        The exit code.
    """
    known = environments()
    wheels = {target.name: path for path in DIST.glob("*.whl") if (target := target_of(path.name))}
    if list_only:
        for name, each in known.items():
            print(f"{name:<14} {each.target:<16} {wheels[each.target].name if each.target in wheels else 'no wheel'}")
        print(f"{_PAIRS:<14} {'':<16} this Python with others, in both directions")
        return 0
    chosen = names or [*(name for name, each in known.items() if each.target in wheels), _PAIRS]
    if unknown := set(chosen) - known.keys() - {_PAIRS}:
        print(f"unknown, or not possible here: {', '.join(sorted(unknown))}; see --list", file=sys.stderr)
        return 2
    if missing := {known[name].target for name in chosen if name in known} - wheels.keys():
        print(f"dist/ has no wheel for {', '.join(sorted(missing))}", file=sys.stderr)
        return 2
    failed = []
    for name in chosen:
        print(f"==> {name}", flush=True)
        try:
            if name == _PAIRS:
                good = talk(known, wheels)
            else:
                good = _try(known[name], wheels[known[name].target], jobs).is_good
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            # The others can still be tried.
            print(f"==> {name}: FAILED: {error}", file=sys.stderr, flush=True)
            good = False
        if not good:
            failed.append(name)
    _write_table()
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def run(environment: Environment, log: Path, *arguments: str, timeout: float) -> int:
    """Run Python there until its end, but at most `timeout` seconds, and log its output. Return the exit code."""
    with environment.start(*arguments) as process, log.open("a", encoding="utf-8") as file:
        print(f"$ python {' '.join(arguments)}", file=file, flush=True)
        assert process.stdout is not None
        assert process.stderr is not None
        readers = [threading.Thread(target=_copy, args=(stream, file)) for stream in (process.stdout, process.stderr)]
        for reader in readers:
            reader.start()
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
            print(f"killed after {timeout:.0f} s", file=file)
        for reader in readers:
            reader.join()
        print(f"exit code {code}", file=file)
    return code


def _try(environment: Environment, wheel: Path, jobs: int) -> Report:
    name = environment.name
    print(wheel.name, flush=True)
    environment.prepare()
    environment.install(wheel)
    log = _REPORTS / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    run(environment, log, "-c", _DESCRIBE, timeout=60 * environment.patience)
    python = log.read_text(encoding="utf-8").splitlines()[-2].strip()
    began = time.monotonic()
    suite = None
    if environment.has_suite:
        timeout = f"--timeout={_TEST_TIMEOUT * environment.patience}"
        parallel = ["-n", str(jobs), "--dist", "worksteal"] if jobs > 1 else []
        arguments = ["-m", "pytest", "-v", "-p", "no:cacheprovider", timeout, *parallel, "-m", _MARKS, "tests"]
        suite = run(environment, log, *arguments, timeout=_SUITE_TIMEOUT * environment.patience)
    text = log.read_text(encoding="utf-8")
    demo = run(environment, log, "-m", "gns_py", "demo", timeout=60 * environment.patience)
    report = Report(
        environment=name,
        wheel=environment.target,
        python=python,
        passed=_count("passed", text),
        failed=_count("failed", text) + _count("error", text),
        skipped=_count("skipped", text),
        seconds=round(time.monotonic() - began),
        suite=suite,
        demo=demo,
    )
    (_REPORTS / f"{name}.json").write_text(json.dumps(asdict(report), indent=2) + "\n", encoding="utf-8")
    print(
        f"==> {name}: {report.python}: {report.passed} passed, {report.failed} failed, {report.skipped} skipped "
        f"in {report.seconds} s: {report.result}; {log.relative_to(ROOT)}",
        flush=True,
    )
    if not report.is_good:
        print("\n".join(log.read_text(encoding="utf-8").splitlines()[-_TAIL:]), file=sys.stderr, flush=True)
    return report


def _copy(stream: IO[str], file: IO[str]) -> None:
    for line in stream:
        file.write(line)
        file.flush()


def _count(what: str, text: str) -> int:
    """Return a count from pytest's last line."""
    last = next((line for line in reversed(text.splitlines()) if re.search(r"=+ .* in [\d.]+s", line)), "")
    found = re.search(rf"(\d+) {what}", last)
    return int(found[1]) if found else 0


def _write_table() -> None:
    """Write all reports, including those of earlier runs, as one table."""
    reports = [Report(**json.loads(path.read_text(encoding="utf-8"))) for path in sorted(_REPORTS.glob("*.json"))]
    lines = [
        "| environment | wheel | Python | passed | failed | skipped | seconds | result |",
        "|---|---|---|---:|---:|---:|---:|---|",
        *(
            f"| {each.environment} | {each.wheel} | {each.python} | {each.passed} | {each.failed} | {each.skipped} "
            f"| {each.seconds} | {each.result} |"
            for each in reports
        ),
    ]
    table = _REPORTS / "table.md"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"\n{table.read_text(encoding='utf-8')}\n{table.relative_to(ROOT)}", flush=True)
