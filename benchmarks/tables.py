"""The results as Markdown tables, with the ratios that have budgets."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from kinds import KINDS

Rows = list[dict[str, Any]]

TICK_RATE = 30  # Hz
TITLES = {
    "compare": "Round trip of 32 B with other libraries, microseconds",
    "compare_one_way": "256 B one way with other libraries, reliable, one connection",
    "system_calls": "System calls of the client for each round trip of 32 B",
    "round_trip": "Round trip, reliable, microseconds",
    "one_way": "One way, one connection, batches of 256 messages, at most 40 MB/s",
    "tick": "Server at 30 Hz: 64 B in and 200 B out for each player and tick, unreliable",
    "idle": "Server with connections on which nothing happens",
    "copies": "CPU time of the calling thread for each message, microseconds",
}
# The plain way, and the way that avoids copies or calls.
ALTERNATIVES = [
    ("recv_message(copy=True)", "recv_message(copy=False)"),
    ("send(bytes(memoryview[a:b]))", "send(memoryview[a:b])"),
    ("send(bytes)", "send_many([bytes, ...])"),
    ("send_many([memoryview[a:b], ...])", "send_many(buffer, offsets=...)"),
    ("loop of send(bytes)", "broadcast(bytes)"),
]
# The ratio that counts as cheaper; smaller differences occur between two runs.
_CHEAPER = 0.9


def table(columns: str, rows: Iterable[Iterable[str]]) -> str:
    names = columns.split("|")
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def base(rows: Rows, kind: str, row: dict[str, Any], value: str, *same: str) -> float:
    """Return a kind's value in the same case as the row; of several styles, the least. 0 if it was not measured."""
    others = [each for each in rows if each["kind"].split()[0] == kind]
    return min((each[value] for each in others if all(each[name] == row[name] for name in same)), default=0.0)


def ratio(value: float, base: float) -> str:
    return f"{value / base:.2f}" if base else "-"


def size_name(size: int) -> str:
    return f"{size} B" if size < 1024 or size % 1024 else f"{size // 1024} KiB"


def traits(row: dict[str, Any]) -> list[str]:
    """Return what a reader has to know of a kind of peer."""
    kind = KINDS[row["kind"]]
    return [
        row["kind"],
        kind.what,
        kind.transport,
        *("yes" if each else "no" for each in (kind.encrypted, kind.reliable, kind.messages)),
    ]


_TRAITS = "peer|what|over|encrypted|reliable|messages"


def compare(rows: Rows) -> str:
    def cells(row: dict[str, Any]) -> list[str]:
        return [
            *traits(row),
            *(f"{row[name]:.0f}" for name in ("p50", "p99", "p999", "cpu_us")),
            ratio(row["p50"], base(rows, "cpp-inline", row, "p50")),
            ratio(row["cpu_us"], base(rows, "cpp-inline", row, "cpu_us")),
            f"{row['p99'] / row['p50']:.1f}",
            f"{row['p999'] / row['p50']:.1f}",
        ]

    columns = "p50|p99|p99.9|CPU, both ends|p50 / cpp-inline|CPU / cpp-inline|p99 / p50|p99.9 / p50"
    return table(f"{_TRAITS}|{columns}", map(cells, rows))


def compare_one_way(rows: Rows) -> str:
    def cells(row: dict[str, Any]) -> list[str]:
        return [
            *traits(row),
            f"{row['rate']:,.0f}",
            f"{row['cpu_us']:.2f}",
            ratio(row["cpu_us"], base(rows, "cpp-inline", row, "cpu_us")),
        ]

    return table(f"{_TRAITS}|a second|CPU us each, both ends|/ cpp-inline", map(cells, rows))


def system_calls(rows: Rows) -> str:
    def cells(row: dict[str, Any]) -> list[str]:
        return [row["kind"], f"{row['all']:.1f}", ", ".join(f"{name} {n:.1f}" for name, n in row["calls"].items())]

    return table("client|system calls|of them", map(cells, rows))


def round_trip(rows: Rows) -> str:
    return table(
        "size|peer|p50|p99|p99.9|p50 / cpp-core|p99 / p50|p99.9 / p50",
        (
            [
                size_name(row["size"]),
                row["kind"],
                *(f"{row[name]:.0f}" for name in ("p50", "p99", "p999")),
                ratio(row["p50"], base(rows, "cpp-core", row, "p50", "size")),
                f"{row['p99'] / row['p50']:.1f}",
                f"{row['p999'] / row['p50']:.1f}",
            ]
            for row in rows
        ),
    )


def one_way(rows: Rows) -> str:
    def cells(row: dict[str, Any]) -> list[str]:
        return [
            size_name(row["size"]),
            "reliable" if row["reliable"] else "unreliable",
            row["kind"],
            f"{row['rate']:,.0f}",
            ratio(row["rate"], base(rows, "cpp-core", row, "rate", "size", "reliable")),
            f"{row['cpu_us']:.2f}",
            ratio(row["cpu_us"], base(rows, "cpp-core", row, "cpu_us", "size", "reliable")),
            f"{100 * row['lost']:.1f} %",
        ]

    return table("size|messages|peer|a second|/ cpp-core|CPU us each|/ cpp-core|lost", map(cells, rows))


def tick(rows: Rows) -> str:
    return table(
        "players|server|CPU of a core|us for each player and tick|/ cpp-service|/ cpp-core at its cheapest"
        "|late ticks, worst run|inputs received|wake-ups a second",
        (
            [
                f"{row['players']}",
                row["kind"],
                f"{100 * row['cpu']:.0f} %",
                f"{1e6 * row['cpu'] / row['players'] / TICK_RATE:.1f}",
                ratio(row["cpu"], base(rows, "cpp-service", row, "cpu", "players")),
                ratio(row["cpu"], base(rows, "cpp-core", row, "cpu", "players")),
                f"{row['late']:.0f} of {row['ticks']}",
                f"{100 * row['received']:.1f} %",
                f"{row['wakeups']:.0f}",
            ]
            for row in rows
        ),
    )


def idle(rows: Rows) -> str:
    return table(
        "server|CPU of a core|/ cpp-core|wake-ups of its reader a second|memory per connection|/ cpp-core",
        (
            [
                row["kind"],
                f"{100 * row['cpu']:.2f} %",
                ratio(row["cpu"], base(rows, "cpp-core", row, "cpu")),
                f"{row['wakeups']:.1f}",
                f"{row['memory'] / 1024:.1f} KiB",
                ratio(row["memory"], base(rows, "cpp-core", row, "memory")),
            ]
            for row in rows
        ),
    )


def where_it_pays(ratios: dict[int, float]) -> str:
    """Return the sizes at which it is cheaper, in words."""
    sizes = sorted(ratios)
    paying = [size for size in sizes if ratios[size] <= _CHEAPER]
    if not paying:
        return "never"
    low, high = paying[0], paying[-1]
    if paying != sizes[sizes.index(low) : sizes.index(high) + 1]:
        return "at " + ", ".join(map(size_name, paying))
    if high == sizes[-1]:
        return "always" if low == sizes[0] else f"from {size_name(low)}"
    return f"up to {size_name(high)}" if low == sizes[0] else f"from {size_name(low)} to {size_name(high)}"


def copies(rows: Rows) -> str:
    us = {(row["way"], row["size"]): row["us"] for row in rows}
    sizes = sorted({row["size"] for row in rows})

    def cells(plain: str, other: str) -> list[str]:
        ratios = {size: us[other, size] / us[plain, size] for size in sizes}
        figures = [f"{us[plain, size]:.2f} : {us[other, size]:.2f}" for size in sizes]
        return [f"`{plain}` : `{other}`", *figures, where_it_pays(ratios)]

    columns = "|".join(map(size_name, sizes))
    return table(f"the plain way : the other|{columns}|the other pays", (cells(*each) for each in ALTERNATIVES))


TABLES: dict[str, Callable[[Rows], str]] = {
    "compare": compare,
    "compare_one_way": compare_one_way,
    "system_calls": system_calls,
    "round_trip": round_trip,
    "one_way": one_way,
    "tick": tick,
    "idle": idle,
    "copies": copies,
}
