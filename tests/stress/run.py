"""Connections and sessions of both APIs between processes that are killed and stopped, over networks that lose packets.

    python tests/stress/run.py [--minutes M] [--seed N] [--round SECONDS]

Both ends of each record what they send, read and are told; afterwards everything is compared: order, exactly once, one
end, ok only if everything has arrived, and nothing left of connections, sessions, threads, descriptors and memory.
Rounds have the seeds N, N + 1, ...: errors are reported with the seed of their round. The exit code is 1 if there were
any.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from stress.supervisor import run_round


def main() -> None:
    parser = argparse.ArgumentParser(description="Connections and sessions between processes that are disturbed.")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--round", type=float, default=30.0, help="seconds of one round")
    given = parser.parse_args()
    until = time.monotonic() + 60 * given.minutes
    seed = given.seed
    wrong = 0
    while True:
        verdict, actions = run_round(seed, given.round, thorough=True)
        print(f"seed {seed}: {verdict}; {dict(actions)}", flush=True)
        for each in verdict.wrong:
            print(f"  WRONG: {each}", flush=True)
        wrong += len(verdict.wrong)
        seed += 1
        if time.monotonic() > until:
            break
    print(f"{seed - given.seed} rounds, {wrong} things wrong")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
