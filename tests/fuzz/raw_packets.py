"""Send random packets of GNS's own protocol to a whole server process, and measure how a good client fares.

    python tests/fuzz/raw_packets.py MINUTES [connections|sessions] [SEED]

This needs a C++ compiler and what 'pip install .' leaves in build/. The packets are made by
tests/core/changed_peer.cpp: random frames, and honest packets with flipped bits; it reconnects whenever the server
has ended its connection. The program fails if the server ends, or if the good client is not answered within 30 seconds;
it prints its figures.
"""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from support.attacked import attack
from support.native import build_changed_peer


def main() -> None:
    minutes = float(sys.argv[1])
    kind = sys.argv[2] if len(sys.argv) > 2 else "connections"
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(1 << 31)
    round_trips: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        peer = build_changed_peer(directory)
        print(f"{minutes} minutes against {kind}, seed {seed}", flush=True)
        figures = attack(peer, directory, kind, "random", int(60 * minutes), seed, report=round_trips.append)
    round_trips.sort()
    median, almost = (1e3 * round_trips[int(len(round_trips) * part)] for part in (0.5, 0.999))
    print(figures.said.strip())
    print(
        f"good client: {figures.round_trips} round trips, median {median:.1f} ms, "
        f"99.9 % within {almost:.1f} ms, slowest {1e3 * figures.slowest:.1f} ms"
    )
    print(f"server: alive, {figures.cpu:.2f} cores, grew by at most {figures.grown / (1 << 20):.1f} MiB")


if __name__ == "__main__":
    main()
