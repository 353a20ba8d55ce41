"""The directive `gns-table`: tables that are built from the package itself, so that they are never out of date."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import chain

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from gns_py import (
    Config,
    ConfigScope,
    ConfigType,
    ConfigValue,
    ConnectionState,
    EndReason,
    EndReasonRange,
    Result,
    errors,
)

Table = tuple[Sequence[str], Sequence[Sequence[str]]]


def states() -> Table:
    head = ("Number", "State", "Meaning")
    return head, [(str(int(each)), f"`{each.name}`", each.explanation) for each in ConnectionState]


def ranges() -> Table:
    rows = [
        (
            "" if each.minimum is None else f"{each.minimum} to {each.maximum}",
            f"`{each.name}`",
            each.explanation,
            yes_or_no(each.can_retry),
        )
        for each in EndReasonRange
    ]
    return ("Numbers", "Range", "Meaning", "Can retry"), rows


def reasons() -> Table:
    rows = [
        (str(int(each)), f"`{each.name}`", each.explanation, yes_or_no(each.can_retry))
        for each in EndReason
        if each is not EndReason.INVALID
    ]
    return ("Number", "Reason", "Meaning", "Can retry"), rows


def results() -> Table:
    return ("Number", "Result", "Meaning"), [(str(int(each)), f"`{each.name}`", each.explanation) for each in Result]


def options(names: tuple[str, ...], inside: bool = True) -> Table:
    rows = [
        (f"`{each.option_name}`", default(each), allowed(each), scope(each), each.explanation)
        for each in ConfigValue
        if each.option_name in Config.__dataclass_fields__ and each.option_name.startswith(names) is inside
    ]
    return ("Option", "Default", "Allowed", "Where", "Meaning"), rows


def default(option: ConfigValue) -> str:
    if option.type is ConfigType.STRING:
        return "empty" if option.default == "" else str(option.default)
    return f"{option.default:g}" if isinstance(option.default, float) else str(option.default)


def allowed(option: ConfigValue) -> str:
    if option.type is ConfigType.STRING:
        return "text"
    numbers = [f"{each:g}" if isinstance(each, float) else str(each) for each in (option.minimum, option.maximum)]
    return " to ".join(numbers) + (f" {option.unit}" if option.unit else "")


def scope(option: ConfigValue) -> str:
    if option.scope is ConfigScope.GLOBAL:
        return "process"
    return "everywhere; fixed once connecting" if option.locked_after_connect else "everywhere"


def exceptions() -> Table:
    """Return the tree of exceptions in order, indented by depth."""
    rows: list[tuple[str, ...]] = []

    def add(kind: type[errors.GNSError], depth: int) -> None:
        other = [f"`{base.__name__}`" for base in kind.__bases__ if not issubclass(base, errors.GNSError)]
        rows.append(
            (
                "\N{NO-BREAK SPACE}" * 4 * depth + f"{{py:exc}}`~gns_py.{kind.__name__}`",
                ", ".join(other if kind is not errors.GNSError else ["`Exception`"]),
                (kind.__doc__ or "").strip().split("\n\n")[0].replace("\n    ", " "),
            )
        )
        for each in vars(errors).values():
            if isinstance(each, type) and each.__bases__[0] is kind:
                add(each, depth + 1)

    add(errors.GNSError, 0)
    return ("Exception", "Also a", "Raised when"), rows


def yes_or_no(value: bool) -> str:
    return "yes" if value else "no"


# How the names of each group's options begin; all others are about connections.
GROUPS = {
    "options-core": ("recv_queue_", "max_unacked_"),
    "options-p2p": ("p2p_", "symmetric_connect", "local_virtual_port"),
    "options-log": ("log_level_", "packet_trace_"),
    "options-simulation": ("fake_",),
}
TABLES: dict[str, Callable[[], Table]] = {
    "states": states,
    "ranges": ranges,
    "reasons": reasons,
    "results": results,
    "exceptions": exceptions,
    "options-connection": partial(options, tuple(chain(*GROUPS.values())), inside=False),
    **{group: partial(options, names) for group, names in GROUPS.items()},
}


class GNSTable(SphinxDirective):
    """`{gns-table} NAME`, with a name of TABLES."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        head, rows = TABLES[self.arguments[0]]()
        made = self.parse_text_to_nodes("\n".join([line(head), line("---" for _ in head), *map(line, rows)]))
        for table in made:
            table["classes"].append(f"gns-{self.arguments[0]}")
        return made


def line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("gns-table", GNSTable)
    return {"parallel_read_safe": True}
