"""Sessions of both APIs between processes that are killed, stopped, cut off, moved and disturbed.

    python -m tests.nemesis [--minutes M] [--seed N] [--round SECONDS] [--servers N] [--clients M] [--keep FOLDER]
                            [--durable [--store valkey|sentinel] [--flush]]

Each round has a seed of its own, N, N + 1, ...; what the nemesis does in it follows from the seed. Both ends of each
session write a history; afterwards all are compared. Without root, or with --at-home, there are no partitions and no
changes of addresses. With --durable sessions go on at another server if theirs dies. The exit code is 1 if anything was
wrong.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from types import FrameType

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from nemesis.checker import Totals
from nemesis.harness import Run, run
from nemesis.places import why_not
from nemesis.report import table
from nemesis.stores import STORES, why_no

_ENDING = signal.SIGINT, signal.SIGTERM, signal.SIGHUP


def main() -> None:
    parser = argparse.ArgumentParser(description="Sessions between processes that are disturbed.")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--round", type=float, default=120.0, help="seconds in which a round is disturbed")
    parser.add_argument("--servers", type=int, help="2, or 3 with --durable")
    parser.add_argument("--clients", type=int, default=3)
    parser.add_argument("--workers", type=int, default=4, help="sessions that a client has at a time")
    parser.add_argument("--at-home", action="store_true", help="without network namespaces")
    parser.add_argument("--without", default="", help="steps to leave out, with commas between")
    parser.add_argument("--durable", action="store_true", help="keep sessions in a store")
    parser.add_argument("--store", choices=tuple(STORES), default="valkey")
    parser.add_argument("--flush", action="store_true", help="let the store lose all data, again and again")
    parser.add_argument("--keep", type=Path, help="a folder in which the histories stay")
    given = parser.parse_args()
    for number in _ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores one of them
            signal.signal(number, _leave)
    is_networked = not given.at_home
    if is_networked and (why := why_not()):
        print(f"no partitions: {why}")
        is_networked = False
    store = given.store if given.durable else ""
    if store and (why := why_no(store)):
        parser.exit(2, f"no {store}: {why}\n")
    servers = given.servers or (3 if store else 2)
    until = time.monotonic() + 60 * given.minutes
    seed, wrong, totals, steps = given.seed, 0, Totals(), Counter[str]()
    while seed == given.seed or time.monotonic() < until:
        folder = None
        if given.keep:
            folder = given.keep / str(seed)
            folder.mkdir(parents=True)
        seconds = min(given.round, max(5.0, until - time.monotonic()))
        result = run(
            Run(
                seed,
                seconds,
                servers,
                given.clients,
                given.workers,
                is_networked=is_networked,
                without=frozenset(given.without.split(",")),
                store=store,
                flushes=given.flush,
            ),
            folder,
        )
        totals.add(result.totals)
        steps.update(result.steps)
        wrong += len(result.wrong)
        print(f"seed {seed}, {seconds:.0f} s: {result.totals.messages} messages, {len(result.wrong)} wrong", flush=True)
        for each in result.wrong:
            print(f"  WRONG: {each}", flush=True)
        seed += 1
    print(f"\n{table(totals, steps)}\n\n{seed - given.seed} rounds, {wrong} things wrong")
    sys.exit(bool(wrong))


def _leave(number: int, _frame: FrameType | None) -> None:
    for each in _ENDING:  # the first one is enough: no other may interrupt the end
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)


if __name__ == "__main__":
    main()
