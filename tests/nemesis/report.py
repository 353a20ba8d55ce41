"""The table that a run prints."""

from __future__ import annotations

from collections import Counter

from .checker import Totals


def table(totals: Totals, steps: Counter[str]) -> str:
    """Return what has happened, as a table in Markdown."""
    pairs = Counter({f"{client} / {server}": count for (client, server), count in totals.pairs.items()})
    rows = {
        "messages handled": f"{totals.messages:,}: by clients {totals.to_clients:,}, by servers "
        f"{totals.messages - totals.to_clients:,}",
        "sessions": f"{totals.sessions:,}; not established: {_shown(totals.refused)}",
        "outages, both ends": f"{totals.drops:,}",
        "resumes, both ends": f"{totals.resumes:,}, with {totals.replayed:,} messages sent again",
        "ends": _shown(totals.ends),
        "reasons, client / server": _shown(pairs),
        "steps of the nemesis": _shown(steps),
        "deaths of servers": f"{steps['kill server']:,}",
        **(_durable(totals, steps) if totals.commits else {}),
        "**lost**": totals.lost,
        "**doubled**": totals.doubled,
        "**out of order**": totals.out_of_order,
        "**foreign**": totals.foreign,
    }
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])


def _durable(totals: Totals, steps: Counter[str]) -> dict[str, str]:
    harmed = Counter({name: count for name, count in steps.items() if name.endswith(" store")})
    return {
        "commits": f"{totals.commits:,}, and {totals.unanswered:,} without an answer",
        "failovers of sessions": f"{totals.failovers:,}; {totals.repeated:,} messages, not committed, handled again",
        "outages of the store": f"{_shown(harmed)}; it could lose data {totals.losses:,} times",
        "ends with LOST_MESSAGES then": f"{totals.explicit:,}",
    }


def _shown(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.most_common()) or "0"
