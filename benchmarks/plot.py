"""Draw benchmarks/results.json: docs/measurements/benchmarks/*.svg, and the tables in docs/measurements/*.md.

Usage: python benchmarks/plot.py [--results FILE] [--docs FOLDER]. Needs gns_py[bench].
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import tables
from kinds import KINDS
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from processes import HERE

Rows = list[dict[str, Any]]
COLOURS = {
    "cpp-service": "#bbbbbb",
    "cpp-inline": "#999999",
    "cpp-core": "#555555",
    "gns_py-sync": "#1f77b4",
    "gns_py-asyncio": "#ff7f0e",
    "gns_py-uvloop": "#2ca02c",
}
# By the beginning of the kind's name.
FAMILIES = {
    "gns_py": "#2ca02c",
    "cpp": "#555555",
    "udp": "#bbbbbb",
    "websockets": "#1f77b4",
    "picows": "#17becf",
    "enet": "#ff7f0e",
    "aioquic": "#9467bd",
}


def bars(axes: Axes, groups: list[str], values: dict[str, list[float]]) -> None:
    """Draw groups of bars, with a bar for each kind of peer."""
    width = 0.8 / len(values)
    for i, (kind, heights) in enumerate(values.items()):
        places = [group + (i - (len(values) - 1) / 2) * width for group in range(len(groups))]
        axes.bar(places, heights, width * 0.9, label=kind, color=COLOURS[kind])
    axes.set_xticks(range(len(groups)), groups)


def by_kind(rows: Rows, value: str) -> dict[str, list[float]]:
    return {kind: found for kind in COLOURS if (found := [row[value] for row in rows if row["kind"] == kind])}


def sizes(rows: Rows) -> list[int]:
    return sorted({row["size"] for row in rows})


def lines(axes: Axes, rows: Rows, values: list[float], label: str) -> None:
    """Draw a horizontal bar for each row, hatched where nothing is encrypted."""
    for place, (row, value) in enumerate(zip(rows, values, strict=True)):
        hatch = "" if KINDS[row["kind"]].encrypted else "////"
        colour = FAMILIES[row["kind"].split("-")[0]]
        axes.barh(place, value, 0.7, color=colour, hatch=hatch, edgecolor="white", linewidth=0)
    axes.set_yticks(range(len(rows)), [row["kind"] for row in rows], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel(f"{label} (hatched: not encrypted)")


def compare(axes: Axes, rows: Rows) -> None:
    lines(axes, rows, [row["p50"] for row in rows], "microseconds, logarithmic")
    for value, name, marker in (("p99", "p99", "|"), ("p999", "p99.9", "x")):
        axes.plot([row[value] for row in rows], range(len(rows)), marker, color="black", markersize=5, label=name)
    axes.set_xscale("log")


def compare_one_way(axes: Axes, rows: Rows) -> None:
    lines(axes, rows, [row["rate"] / 1000 for row in rows], "thousand messages a second")
    for place, row in enumerate(rows):
        axes.text(row["rate"] / 1000, place, f" {row['cpu_us']:.1f} us of CPU each", va="center", fontsize=7)


def system_calls(axes: Axes, rows: Rows) -> None:
    lines(axes, rows, [row["all"] for row in rows], "system calls, logarithmic")
    axes.set_xscale("log")


def round_trip(axes: Axes, rows: Rows) -> None:
    groups = [f"{tables.size_name(size)}, {share}" for share in ("p50", "p99") for size in sizes(rows)]
    middles, tails = by_kind(rows, "p50"), by_kind(rows, "p99")
    bars(axes, groups, {kind: middles[kind] + tails[kind] for kind in middles})
    axes.set_ylabel("microseconds")


def one_way(axes: Axes, rows: Rows) -> None:
    groups = [
        f"{tables.size_name(size)},\n{kind}reliable" for size in sizes(rows) for kind in ("", "un")
    ]  # in the order of the rows
    bars(axes, groups, {kind: [rate / 1000 for rate in rates] for kind, rates in by_kind(rows, "rate").items()})
    axes.set_ylabel("thousand messages a second")


def tick(axes: Axes, rows: Rows) -> None:
    servers = list(dict.fromkeys(row["kind"] for row in rows))
    players = sorted({row["players"] for row in rows})
    for i, server in enumerate(servers):
        for group, count in enumerate(players):
            cpu = next(100 * row["cpu"] for row in rows if row["kind"] == server and row["players"] == count)
            place = i + (group - (len(players) - 1) / 2) * 0.4
            axes.bar(place, cpu, 0.36, color=COLOURS[server.split()[0]])
            axes.text(place, cpu, f"{count}", ha="center", va="bottom", fontsize=7)
    axes.set_xticks(range(len(servers)), [server.replace(" ", "\n", 1) for server in servers], fontsize=8)
    axes.set_ylabel("CPU, % of a core (above: players)")


def idle(axes: Axes, rows: Rows) -> None:
    for i, row in enumerate(rows):
        axes.bar(i, 100 * row["cpu"], 0.6, color=COLOURS[row["kind"].split()[0]])
        axes.text(i, 100 * row["cpu"], f"{row['wakeups']:.0f} wake-ups/s", ha="center", va="bottom", fontsize=7)
    axes.set_xticks(range(len(rows)), [row["kind"].replace(" ", "\n", 1) for row in rows], fontsize=8)
    axes.set_ylabel("CPU, % of a core")


def copies(axes: Axes, rows: Rows) -> None:
    us = {(row["way"], row["size"]): row["us"] for row in rows}
    for plain, other in tables.ALTERNATIVES:
        ratios = [us[other, size] / us[plain, size] for size in sizes(rows)]
        axes.plot(range(len(ratios)), ratios, marker="o", markersize=3, label=f"{other} / {plain}")
    axes.axhline(1.0, color="black", linewidth=0.8)
    axes.set_yscale("log", base=2)
    axes.set_xticks(range(len(sizes(rows))), [tables.size_name(size) for size in sizes(rows)])
    axes.set_ylabel("CPU time, ratio: below 1 it pays")


PLOTS: dict[str, Callable[[Axes, Rows], None]] = {
    "compare": compare,
    "compare_one_way": compare_one_way,
    "system_calls": system_calls,
    "round_trip": round_trip,
    "one_way": one_way,
    "tick": tick,
    "idle": idle,
    "copies": copies,
}


def draw(part: str, rows: Rows, file: Path) -> None:
    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.add_subplot()
    PLOTS[part](axes, rows)
    axes.set_title(tables.TITLES[part], fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=7, frameon=False)
    figure.savefig(file, metadata={"Date": None})
    # matplotlib ends lines with a space.
    file.write_text("\n".join(line.rstrip() for line in file.read_text().splitlines()) + "\n")


def section(part: str, found: dict[str, Any]) -> str:
    where = "; ".join(found["machine"].values())
    return (
        f"{tables.TITLES[part]}.\n\n![{tables.TITLES[part]}](benchmarks/{part}.svg)\n\n{tables.TABLES[part](found['rows'])}"
        f"\n\nMeasured {found['when']} UTC, load before {found['load']:.1f}. {where}."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=HERE / "results.json")
    parser.add_argument("--docs", type=Path, default=HERE.parent / "docs/measurements")
    arguments = parser.parse_args()
    # For reproducible files.
    matplotlib.rcParams.update({"svg.hashsalt": "gns_py", "svg.fonttype": "none"})
    folder = arguments.docs / "benchmarks"
    folder.mkdir(exist_ok=True)
    pages = {page: page.read_text() for page in sorted(arguments.docs.glob("*.md"))}
    for part, found in json.loads(arguments.results.read_text()).items():
        draw(part, found["rows"], folder / f"{part}.svg")
        begin, end = f"<!-- plot.py: {part} -->", "<!-- end -->"
        places = [page for page, text in pages.items() for _ in range(text.count(begin))]
        if len(places) != 1:
            raise SystemExit(f"{part} has {len(places)} places")
        before, rest = pages[places[0]].split(begin)
        after = rest.partition(end)[2]
        pages[places[0]] = f"{before}{begin}\n{section(part, found)}\n{end}{after}"
    for page, text in pages.items():
        page.write_text(text)


if __name__ == "__main__":
    main()
