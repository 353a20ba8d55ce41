"""``gns-py doctor``: show versions and settings, test a connection over loopback, and advise on problems."""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import json
import platform
import socket
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from .. import Config, GNSError, build_info
from ..sync import Connection, connect, serve
from . import doctor_authentication
from .arguments import AddParser
from .authentication import Authentication, add_options, read_options
from .output import Output

# The size that GNS asks the system for, for each direction of a UDP socket.
_GNS_BUFFER = 256 * 1024
_FEW_FILES = 1024
_LIMIT = 5.0


class Problem(NamedTuple):
    """A problem, and one sentence on what to do about it."""

    severity: str
    problem: str
    advice: str


class _Report:
    """Sections of facts, and the problems noticed while gathering them."""

    def __init__(self, authentication: Authentication) -> None:
        self.problems: list[Problem] = []
        self.sections = {
            "versions": _versions(),
            "build": self._build(),
            "system": self._system(),
            "authentication": doctor_authentication.examine(authentication, self._complain),
            "self-test": self._self_test(),
        }

    @property
    def works(self) -> bool:
        """True if no problem is an error."""
        return all(problem.severity != "error" for problem in self.problems)

    def _build(self) -> dict[str, object]:
        build = build_info()
        if build.build_type not in ("Release", "RelWithDebInfo", "MinSizeRel"):
            self._warn(
                f"the native library is a {build.build_type} build, which is slow",
                "Reinstall gns_py without setting a build type, unless you are debugging it.",
            )
        return {
            "mode": build.mode,
            "type": build.build_type,
            "built for": build.platform,
            "library": str(build.library),
            "library_bytes": build.library.stat().st_size,
        }

    def _system(self) -> dict[str, object]:
        facts: dict[str, object] = {"platform": platform.platform(), "machine": platform.machine()}
        for name, option, direction in (("rmem", socket.SO_RCVBUF, "receive"), ("wmem", socket.SO_SNDBUF, "send")):
            size = _udp_buffer(option)
            facts[f"udp_{direction}_buffer"] = size
            limit = _kernel_limit(name)
            if limit is not None:
                facts[f"net.core.{name}_max"] = limit
            if size < _GNS_BUFFER:
                setting = (
                    f"sysctl -w net.core.{name}_max={_GNS_BUFFER}" if limit is not None else "the system's settings"
                )
                self._warn(
                    f"a UDP {direction} buffer gets {size} bytes, GNS asks for {_GNS_BUFFER}: bursts lose packets",
                    f"Raise it as root with `{setting}`." if limit is not None else f"Raise the limit in {setting}.",
                )
        files = _open_files()
        if files is not None:
            facts["open_files"] = files
            if files < _FEW_FILES:
                self._warn(
                    f"a process can open only {files} files here, and each outgoing connection needs one",
                    f"Raise the limit with `ulimit -n {4 * _FEW_FILES}` if this process makes many connections.",
                )
        facts["ipv6_loopback"] = _has_ipv6()
        if not facts["ipv6_loopback"]:
            self._warn("there is no IPv6 loopback (::1)", "Listen on 0.0.0.0 and connect to 127.0.0.1, or enable IPv6.")
        return facts

    def _self_test(self) -> dict[str, object]:
        hosts = ["127.0.0.1", "::1"] if _has_ipv6() else ["127.0.0.1"]
        return {host: self._try_loopback(host) for host in hosts}

    def _try_loopback(self, host: str) -> dict[str, object]:
        try:
            return {f"{step}_ms": round(seconds * 1000, 3) for step, seconds in _echo_once(host).items()}
        except (GNSError, OSError) as error:
            self._complain(
                "error",
                f"a connection over {host} does not work: {error}",
                "Allow UDP on the loopback interface in the firewall or sandbox, if there is one.",
            )
            return {"failed": str(error)}

    def _warn(self, problem: str, advice: str) -> None:
        self._complain("warning", problem, advice)

    def _complain(self, severity: str, problem: str, advice: str) -> None:
        self.problems.append(Problem(severity, problem, advice))


def add_parser(add: AddParser) -> None:
    """Add this command's parser."""
    parser = add(
        "doctor",
        help="show versions and settings, and find problems",
        description="Show versions, inspect the system and certificates, and connect to itself over loopback.",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    add_options(parser, expect=True)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, output: Output) -> int:
    """Run the command, and return its exit code."""
    authentication = read_options(options)
    report = _Report(authentication)
    if options.json:
        problems = [problem._asdict() for problem in report.problems]
        print(json.dumps({**report.sections, "problems": problems}, indent=2))
    else:
        _show(report, authentication, output)
    return 0 if report.works else 1


def _show(report: _Report, authentication: Authentication, output: Output) -> None:
    for title, facts in report.sections.items():
        rows = [[name, _text(value)] for name, value in facts.items()]
        if title == "authentication":
            rows = doctor_authentication.rows(authentication, facts)
        output.table(title, ["", ""], rows)
        output.line()
    for severity, problem, advice in report.problems:
        output.line(f"{severity}: {problem}. {advice}", "red" if severity == "error" else "yellow")
    if not report.problems:
        output.line("No problems found.", "green")


def _text(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case None:
            return "not installed"
        case {"failed": why}:
            return f"failed: {why}"
        case dict():
            return "works: " + ", ".join(
                f"{step.removesuffix('_ms')} {milliseconds} ms" for step, milliseconds in value.items()
            )
        case _:
            return str(value)


def _versions() -> dict[str, object]:
    build = build_info()
    return {
        "gns_py": build.version,
        "GameNetworkingSockets": build.gns_version,
        "protobuf": build.protobuf_version,
        "crypto": build.crypto,
        "compiler": build.compiler,
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "cffi": _installed("cffi"),
        "rich": _installed("rich"),
    }


def _installed(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _udp_buffer(option: int) -> int:
    """Return the buffer size that the system grants a UDP socket, at most what GNS asks for; 0 if it refuses."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.setsockopt(socket.SOL_SOCKET, option, _GNS_BUFFER)
        except OSError:
            return 0
        size = probe.getsockopt(socket.SOL_SOCKET, option)
    # Linux reports twice the size: it adds the same amount for its own bookkeeping.
    return size // 2 if sys.platform == "linux" else size


def _kernel_limit(name: str) -> int | None:
    with contextlib.suppress(OSError, ValueError):
        return int(Path(f"/proc/sys/net/core/{name}_max").read_text())
    return None


def _open_files() -> int | None:
    """Return the limit of open files; None without a limit, and on Windows."""
    try:
        import resource
    except ImportError:
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def _echo_once(host: str) -> dict[str, float]:
    """Connect, send a message there and back, and close. Return the seconds that each step took."""

    def echo(connection: Connection) -> None:
        for data in connection:
            connection.send(data, nagle=False)

    config = Config(timeout_connected=int(_LIMIT * 1000))
    with serve(echo, host, 0, config=config) as server:
        times = [time.perf_counter()]
        with connect(*server.address, timeout=_LIMIT, config=config) as connection:
            times.append(time.perf_counter())
            connection.send(b"doctor", nagle=False)
            if connection.recv(_LIMIT) != b"doctor":
                raise OSError("the message came back changed")
            times.append(time.perf_counter())
        server.close()
        server.wait_closed(_LIMIT)
        times.append(time.perf_counter())
    return dict(zip(("connect", "echo", "close"), (b - a for a, b in pairwise(times)), strict=True))
