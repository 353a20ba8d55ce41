"""The chores: `nox -l` lists them, `nox -s lint types` runs two of them, `nox -s tests -- -k lanes` passes arguments.

They run in the environment of nox itself, since one for each session would build the native library again:

    python3 -m venv .venv && .venv/bin/pip install -v -e '.[dev]' && .venv/bin/nox -s tests
"""

from __future__ import annotations

import sys

import nox

nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "types", "tests"]


def python(session: nox.Session, module: str, *arguments: str) -> None:
    """Run a module of this environment, which need not be in PATH."""
    session.run(sys.executable, "-m", module, *arguments)


def script(session: nox.Session, name: str, *arguments: str) -> None:
    """Run a script of the repository."""
    session.run("bash", f".ci/{name}", *arguments)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests, or those that the arguments select."""
    python(session, "pytest", *(session.posargs or ["-n", "4", "--dist", "worksteal"]))


@nox.session
def coverage(session: nox.Session) -> None:
    """Run the tests and measure which branches of gns_py they reach, in subprocesses, too."""
    python(session, "pytest", "-n", "4", "--dist", "worksteal", "--cov", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check format, style, spelling and English of Python and prose."""
    python(session, "ruff", "format", "--check", ".")
    python(session, "ruff", "check", ".")
    python(session, "codespell_lib")
    python(session, "pytest", "-q", "tests/docs/test_language.py")


@nox.session(name="format")
def reformat(session: nox.Session) -> None:
    """Format Python and C++, and mend what ruff can mend by itself."""
    python(session, "ruff", "check", "--fix", ".")
    python(session, "ruff", "format", ".")
    script(session, "native-lint", "format")


@nox.session
def types(session: nox.Session) -> None:
    """Check types with mypy --strict."""
    python(session, "mypy", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation into build/docs; a warning is an error."""
    arguments = ["-q", "-E", "-W", "--keep-going", "-d", "build/doctrees", "docs", "build/docs"]
    python(session, "sphinx", *arguments, *session.posargs)
    session.log("build/docs/index.html")


@nox.session
def screenshots(session: nox.Session) -> None:
    """Take pictures of the built documentation at desktop and telephone width, into build/screenshots."""
    session.run(sys.executable, "docs/screenshots.py", *session.posargs)


@nox.session
def native_lint(session: nox.Session) -> None:
    """Check the C++ with clang-format and clang-tidy; needs cmake, ninja and what `sanitizers` builds with."""
    script(session, "native-lint")


@nox.session
def sanitizers(session: nox.Session) -> None:
    """Run the core's tests under ASan with UBSan, and under TSan."""
    script(session, "native-sanitizers")


@nox.session
def wheels(session: nox.Session) -> None:
    """Build, check and try this machine's wheel; with `-- --all` those for all platforms."""
    script(session, "wheels", *session.posargs)


@nox.session
def other_pythons(session: nox.Session) -> None:
    """Run the asyncio tests of the wheel in dist/ with the other Pythons of this machine."""
    script(session, "other-pythons")


@nox.session
def workflows(session: nox.Session) -> None:
    """Check the forge's workflows and the shell scripts."""
    script(session, "workflows")


@nox.session
def fuzz(session: nox.Session) -> None:
    """Fuzz session servers and then GNS itself, MINUTES each: `-- MINUTES`."""
    minutes = session.posargs[0] if session.posargs else "5"
    session.run(sys.executable, "tests/fuzz/server_frames.py", "--minutes", minutes)
    session.run(sys.executable, "tests/fuzz/raw_packets.py", minutes)


@nox.session
def stress(session: nox.Session) -> None:
    """Kill, stop and disturb the processes at both ends and compare what they recorded: `-- --minutes 30`."""
    session.run(sys.executable, "tests/stress/run.py", *session.posargs)


@nox.session
def nemesis(session: nox.Session) -> None:
    """Kill, stop, cut off and move the ends of sessions, and check what they recorded: `-- --minutes 60 --durable`."""
    python(session, "tests.nemesis", *session.posargs)


@nox.session
def soak(session: nox.Session) -> None:
    """Run the library's own soak matrix, which takes long."""
    python(session, "pytest", "-m", "soak", *session.posargs)


@nox.session
def benchmarks(session: nox.Session) -> None:
    """Compare with C++ through the same core, and draw the figures: `-- --quick` for a first impression."""
    session.run(sys.executable, "benchmarks/run.py", *session.posargs)
    session.run(sys.executable, "benchmarks/plot.py")
