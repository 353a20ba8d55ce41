"""Measure the effect of the options in Config.lan(), .internet() and .server(); results: docs/measurements/presets.md.

Usage: python benchmarks/presets.py [--quick] [lan | internet | stall | nagle | timeouts | server | memory]...

Needs gns_py and psutil installed, and two free cores. gns_py.sim simulates networks; each end of a connection is in a
process of its own, so that each direction has a bandwidth of its own. Packets beyond it are dropped except for a burst,
as on a link with a small buffer.
"""

from __future__ import annotations

import argparse

from options.joining import server
from options.memory import memory
from options.small_messages import nagle
from options.stopped_peers import stall, timeouts
from options.transfers import internet, lan

PARTS = {
    "lan": lan,
    "internet": internet,
    "stall": stall,
    "nagle": nagle,
    "timeouts": timeouts,
    "server": server,
    "memory": memory,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="a look, not a measurement: a minute instead of many")
    arguments = parser.parse_args()
    for part in arguments.parts or PARTS:
        if part not in PARTS:
            parser.error(f"{part!r} is not one of {', '.join(PARTS)}")
        PARTS[part](arguments.quick)


if __name__ == "__main__":
    main()
