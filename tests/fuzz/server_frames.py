"""Send arbitrary frames, in every phase of a session, to whole servers of both APIs that also serve a good client.

    python tests/fuzz/server_frames.py [--minutes M] [--seed N] [--api API] [--first N] [--inputs N] [--behaviour B]

Each input is a phase and a sequence of messages; it follows from the seed and its number, so --seed, --first and
--inputs repeat one. Behaviours beyond single frames (floods, vanishing clients, crowds) run in between. These results
are wrong:

- the good client's round trip is above a bound, or its session ends, or no new client gets in;
- the server logs an error, or anything that is not its own, or says that a fault was its own (INTERNAL_ERROR);
- the server sends something other than a frame;
- a session or a connection is left once all attackers have gone.

It prints figures at the end, and exits with 1 if anything was wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import random
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import replace
from itertools import cycle
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fuzz.behaviours import BEHAVIOURS
from fuzz.campaign import HERE, Attack, Campaign, Figures, LeftBehind, Measure, Settings, Victim, Wrong, fresh
from fuzz.phases import ANSWER
from support.peer import Peer

APIS = "sync", "asyncio"
# Seconds of inputs to one server, of a behaviour, and for finding the harmful input.
LEG = 20.0
BEHAVING = 3.0
FINDING = 60.0


def fuzz(
    api: str, figures: Figures, settings: Settings, *, first: int = 0, seconds: float, inputs: int | None = None
) -> int:
    """Send inputs to one server for that long; return the next number. Note what is wrong, with the smallest input."""
    with Victim(api, settings.folder) as victim:
        campaign = Campaign(victim, figures, settings)
        try:
            campaign.run(first, time.monotonic() + seconds, inputs)
        except Wrong as wrong:
            campaign.abandon()
            figures.wrong.append(f"{api}, seed {settings.seed}, before input {campaign.number}: {wrong}")
            alone = not isinstance(wrong, LeftBehind)  # the cause may be apparent late
            culprit = find_culprit(api, settings, list(campaign.recent)) if alone else None
            if culprit is None:
                figures.wrong += [f"    none of these alone: {each}" for each in campaign.under_way]
            else:
                figures.wrong.append(f"    that is {culprit}")
        return campaign.number


def find_culprit(api: str, settings: Settings, suspects: list[Attack]) -> Attack | None:
    """Find the input that does it alone, the latest first, with as few messages as will do."""
    give_up = time.monotonic() + FINDING
    with Victim(api, settings.folder) as victim:
        for suspect in reversed(suspects):
            if time.monotonic() > give_up:
                return None
            if _is_wrong(victim, settings, suspect):
                break
        else:
            return None
    for number in range(len(suspect.shots) - 1, -1, -1):
        fewer = replace(suspect, shots=[*suspect.shots[:number], *suspect.shots[number + 1 :]])
        with Victim(api, settings.folder) as victim:
            if time.monotonic() < give_up and _is_wrong(victim, settings, fewer):
                suspect = fewer
    return suspect


def _is_wrong(victim: Victim, settings: Settings, attack: Attack) -> bool:
    again = replace(attack, attacker=None)
    campaign = Campaign(victim, Figures(), settings)
    try:
        campaign.begin(again)
        campaign.settle(0)
        time.sleep(0.05)
        campaign.look()
        victim.check_newcomers()
    except Wrong:
        return True
    finally:
        campaign.abandon()
    return False


def behave(api: str, figures: Figures, settings: Settings, names: Iterable[str], seconds: float) -> None:
    """Run all behaviours at once against one server with a good client. Note what is wrong."""
    with Victim(api, settings.folder) as victim, contextlib.ExitStack() as stack:
        began = Measure(victim.process)
        campaign = Campaign(victim, figures, settings)
        arguments = json.dumps(victim.ports), seconds
        hostile = {
            name: stack.enter_context(Peer(HERE / "behaviours.py", fresh(settings.folder), name, *arguments))
            for name in names
        }
        try:
            for each in hostile.values():
                each.line(ANSWER * 2)
            until = time.monotonic() + seconds + ANSWER
            while any(each.process.poll() is None for name, each in hostile.items() if name != "stop"):
                if time.monotonic() > until:
                    raise Wrong("it does not end: the server keeps it waiting")
                campaign.look()
                time.sleep(0.05)
            for each in hostile.values():
                each.kill()
                if each.stderr:
                    raise Wrong(f"a behaviour has failed: {each.stderr}")
            campaign.finish()
        except Wrong as wrong:
            figures.wrong.append(f"{api}, {', '.join(hostile)}: {wrong}")
        figures.phases.update(f"behaviour {name}" for name in hostile)
        figures.add(began)


def _tell(what: str, wrong: list[str]) -> None:
    print("\n".join(wrong) or f"{what}: nothing wrong", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Send arbitrary frames to servers of sessions with a good client.")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--api", choices=APIS)
    parser.add_argument("--first", type=int, default=0, help="the number of the first input")
    parser.add_argument("--inputs", type=int, help="so many, to one server, and no behaviours")
    parser.add_argument("--behaviour", choices=BEHAVIOURS, action="append", help="these, and no inputs")
    parser.add_argument("--worst", type=float, default=1_000.0, help="what a round trip may take, in ms")
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    logging.getLogger("gns_py.native").setLevel(logging.CRITICAL)  # the attackers' own, in this process
    figures = {api: Figures() for api in ([given.api] if given.api else APIS)}
    seconds = 60 * given.minutes
    leg = min(LEG, seconds / 2 / len(figures))
    until = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(given.seed, Path(folder), given.worst)
        behaviours = cycle(given.behaviour or BEHAVIOURS)
        number = after = given.first
        while True:
            behaviour = next(behaviours)
            for api in figures:
                each = figures[api]
                if not given.behaviour:
                    told = len(each.wrong)
                    after = fuzz(api, each, settings, first=number, seconds=leg, inputs=given.inputs)
                    _tell(f"{api}, inputs {number} to {after - 1}", each.wrong[told:])
                if given.inputs is None:
                    told = len(each.wrong)
                    behave(api, each, settings, [behaviour], BEHAVING)
                    _tell(f"{api}, {behaviour}", each.wrong[told:])
            number = after
            if given.inputs is not None or time.monotonic() > until:
                break
    for api, each in figures.items():
        print(f"\n{api}: {each}")
    sys.exit(any(each.wrong for each in figures.values()))


if __name__ == "__main__":
    main()
