"""Command output: rich tables on a colour terminal, plain text otherwise."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO, TypeAlias

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

ShowTable: TypeAlias = "Callable[[str, Sequence[str], Sequence[Sequence[str]]], None]"
"""Shows a table in place of the one before. Its arguments are those of Output.table()."""


class CommandError(Exception):
    """Ends a command with exit code 1. Its text is the one line that is printed."""


class Output:
    """Lines and tables on stdout. Styles are those of rich, and have no effect in plain text."""

    def __init__(self) -> None:
        self._console = _make_console()

    def line(self, text: str = "", style: str = "") -> None:
        """Print a line."""
        if self._console is None:
            # In one piece, since several threads may print; flushed, for programs that read a pipe line by line.
            sys.stdout.write(f"{text}\n")
            sys.stdout.flush()
        else:
            self._console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table. If all of `columns` are empty, it has no heading."""
        if self._console is None:
            self._plain_table(title, columns, rows)
        else:
            self._console.print(_rich_table(title, columns, rows))

    @contextmanager
    def changing_table(self) -> Iterator[ShowTable]:
        """Keep a table below the lines, on a colour terminal; it is gone after the block. Plain text has none."""
        if self._console is None:
            yield lambda *_: None
            return
        from rich.live import Live

        with Live(console=self._console, auto_refresh=False, transient=True) as live:
            yield lambda *table: live.update(_rich_table(*table), refresh=True)

    def _plain_table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        lines = [columns, *rows] if any(columns) else rows
        widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
        self.line(title)
        for cells in lines:
            padded = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
            self.line(f"  {padded}".rstrip())


def open_closed_streams() -> None:
    """Open standard streams that are closed, as in a daemon, to the null device.

    Otherwise a socket would get the number of a closed stream, and output to the stream would be sent to the network.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            # Each file gets the lowest free number: that of the stream.
            nowhere = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, open(nowhere, "w" if number else "r", closefd=False))  # noqa: SIM115 - until the exit


def finish_output() -> OSError | None:
    """Flush stdout. If that fails, drop the output and return the error."""
    try:
        sys.stdout.flush()
    except OSError as error:
        _drop(sys.stdout)
        return error
    return None


def complain(text: str) -> None:
    """Write a line to stderr, if possible."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        _drop(sys.stderr)


def known(value: float | None, form: str) -> str:
    """Format a measured value, which may be missing."""
    return "not known yet" if value is None else form.format(value)


def _drop(stream: TextIO) -> None:
    """Redirect a stream to the null device: the interpreter flushes it at exit, and would report the error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _rich_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", title_style="bold", show_header=any(columns))
    for index, column in enumerate(columns):
        table.add_column(Text(column), style="" if index else "cyan", overflow="fold")
    for cells in rows:
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _make_console() -> Console | None:
    if os.environ.get("NO_COLOR") or not sys.stdout.isatty():
        return None
    try:
        from rich.console import Console
    except ImportError:
        return None
    return Console()
