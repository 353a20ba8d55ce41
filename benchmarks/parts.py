"""The command line of benchmarks that have several parts."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping


def run_parts(description: str | None, parts: Mapping[str, Callable[[bool], None]]) -> None:
    """Run the parts that the command line names, or all, and each quickly after ``--quick``."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(parts))
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    for part in given.parts:
        if part not in parts:
            parser.error(f"{part!r} is not one of {', '.join(parts)}")
    for number, part in enumerate(given.parts or parts):
        print("\n" * (number > 0), end="")
        parts[part](given.quick)
