"""The steps of the nemesis, and their times: they follow from the seed alone."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from .settings import DETECTED, WINDOW

# Each with how often, compared with others, it is chosen.
WEIGHTS = {
    "stop client": 8,
    "stop server": 6,
    "cut": 8,
    "cut to server": 4,
    "cut to client": 4,
    "isolate server": 3,
    "move": 8,
    "network": 8,
    "reconnect": 12,
    "take over": 4,
    "crowd": 2,
    "kill client": 2,
    "kill server": 1,
}
# Of durable sessions: servers die, and the store is harmed, too.
DURABLE_WEIGHTS = {
    **WEIGHTS,
    "stop server": 8,
    "cut": 6,
    "isolate server": 5,
    "move": 4,
    "network": 6,
    "reconnect": 8,
    "kill server": 9,
    "cut store": 6,
    "stop store": 4,
    "kill store": 4,
}
# In addition, if the run asks for it.
FLUSH = {"flush store": 3}
HARM = frozenset({"stop store", "kill store", "flush store"})
# These need a network of our own.
OF_NETWORKS = frozenset({"cut", "cut to server", "cut to client", "isolate server", "move", "cut store"})


@dataclass(frozen=True)
class Step:
    """One thing that the nemesis does."""

    at: float
    """Seconds from the beginning of the run."""
    name: str
    client: int
    server: int
    lasts: float = 0.0
    """Seconds until it is undone; 0: nothing is to be undone."""
    options: dict[str, Any] = field(default_factory=dict)


def outage(rng: random.Random) -> float:
    """Return the seconds of an outage: too short to be noticed, shorter than the window, or longer."""
    kind = rng.choices(("short", "noticed", "long"), (10, 10, 1))[0]
    if kind == "short":
        return rng.uniform(0.05, 0.5 * DETECTED)
    if kind == "noticed":
        return rng.uniform(DETECTED, DETECTED + 0.6 * WINDOW)
    return DETECTED + WINDOW * rng.uniform(1.0, 1.4)


def schedule(
    seed: int,
    seconds: float,
    servers: int,
    clients: int,
    pause: float = 0.7,
    weights: Mapping[str, int] = MappingProxyType(WEIGHTS),
) -> list[Step]:
    """Return the steps of a run, in their order.

    Args:
        seed: The same seed gives the same steps.
        seconds: After this time nothing new is begun.
        servers: The number of server processes.
        clients: The number of client processes.
        pause: The mean time from one step to the next.
        weights: The names of the steps, and how often each is chosen.
    """
    rng = random.Random(f"nemesis {seed}")
    steps = []
    at = rng.uniform(0.5, 1.0)
    while at < seconds:
        name = rng.choices(tuple(weights), tuple(weights.values()))[0]
        lasts = 0.0
        options: dict[str, Any] = {}
        if name == "stop store":
            lasts = rng.uniform(0.5, 2.5)
        elif name in ("kill server", "kill store"):
            lasts = rng.uniform(0.2, 3.0)
        elif name.startswith(("stop", "cut", "isolate")):
            lasts = outage(rng)
        elif name == "network":
            lasts = rng.uniform(0.5, 5.0)
            options = {
                "loss": rng.choice((0, 2, 10, 30)),
                "lag": rng.choice((0, 0, 20, 100)),
                "reorder": rng.choice((0, 10, 30)),
                "reorder_time": rng.choice((1, 15, 40)),
                "duplicate": rng.choice((0, 0, 20)),
                "direction": "both",
            }
        elif name == "reconnect":
            options = {"count": rng.choice((1, 2, 100))}
        elif name == "crowd":
            options = {"count": rng.randint(5, 25)}
        elif name == "take over":
            options = {"worker": rng.randrange(2)}
        steps.append(Step(at, name, rng.randrange(clients), rng.randrange(servers), lasts, options))
        at += rng.expovariate(1.0 / pause)
    return steps
