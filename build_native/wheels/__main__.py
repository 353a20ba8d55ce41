"""Build, check and test wheels. Run it from the root of the clone: ``python3 -m build_native.wheels COMMAND``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from build_native.wheels import tools
from build_native.wheels.targets import TARGETS


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3 -m build_native.wheels", description=__doc__.split(". ")[0] + ".")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    build = commands.add_parser("build", help="build wheels into dist/")
    build.add_argument("targets", nargs="*", metavar="TARGET", help=f"one of {', '.join(TARGETS)}; default: all")

    reproduce = commands.add_parser("reproduce", help="build wheels again, in another folder, and compare the bytes")
    reproduce.add_argument("targets", nargs="*", metavar="TARGET", help="default: all in dist/")

    commands.add_parser("sdist", help="build the source distribution into dist/")

    check = commands.add_parser("check", help="check wheels without running them")
    check.add_argument("files", nargs="*", type=Path, metavar="FILE", help="default: all in dist/")

    test = commands.add_parser("test", help="run the quick tests with the wheels of dist/")
    test.add_argument("environments", nargs="*", metavar="ENVIRONMENT", help="see --list; default: all")
    test.add_argument("--jobs", type=int, default=1, metavar="N", help="number of tests to run at the same time")
    test.add_argument("--list", action="store_true", help="list the environments")

    arguments = parser.parse_args()
    for name in getattr(arguments, "targets", ()):
        if name not in TARGETS:
            parser.error(f"unknown target {name!r}: choose from {', '.join(TARGETS)}")
    return arguments


def main() -> int:
    """Run the program, and return its exit code."""
    arguments = _parse()
    # Tests in the Python that runs this program need no tools, which not every platform has.
    if getattr(arguments, "environments", None) != ["this-python"] and not tools.are_running():
        tools.install()
        tools.rerun()
    match arguments.command:
        case "build":
            from build_native.wheels import build

            return build.main(arguments.targets)
        case "reproduce":
            from build_native.wheels import build

            return build.reproduce(arguments.targets)
        case "sdist":
            from build_native.wheels import sdist

            return sdist.main()
        case "check":
            from build_native.wheels import check

            return check.main(arguments.files or sorted(tools.DIST.glob("*.whl")))
        case "test":
            from build_native.wheels import trial

            return trial.main(arguments.environments, list_only=arguments.list, jobs=arguments.jobs)
    raise AssertionError(arguments.command)


if __name__ == "__main__":
    sys.exit(main())
