"""The parser, and what every command has in common: exit codes, one-line errors, Ctrl-C, closed pipes."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from .. import __version__, build_info
from .._generated.enums import LogLevel
from ..errors import GNSError
from . import demo, doctor, echo, ping
from .arguments import Parser
from .output import CommandError, Output, complain, finish_output, open_closed_streams

_EXIT_CODES = "Exit codes: 0 done, 1 failed, 2 wrong usage, 130 ended by Ctrl-C."


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command, sys.argv's if None, and returns its exit code."""
    open_closed_streams()
    logging.getLogger("gns_py.native").addFilter(_is_bug)
    code = 0
    unwritten: OSError | None = None
    try:
        code = _run(arguments)
    except SystemExit as end:  # --help, --version and wrong usage
        code = int(end.code or 0)
    except OSError as error:
        unwritten = error
    unwritten = finish_output() or unwritten
    if unwritten is not None and code == 0:
        code = 1
        if not isinstance(unwritten, BrokenPipeError):  # whoever read the output has seen enough
            complain(f"gns-py: error: {unwritten}")
    return code


def _run(arguments: Sequence[str] | None) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 0
    try:
        return int(options.run(options, Output()))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        raise
    except (CommandError, GNSError, OSError) as error:
        # GNS's own texts may have several lines, the first of which says it.
        complain(f"gns-py {options.command}: error: {str(error).splitlines()[0]}")
        return 1


def _is_bug(record: logging.LogRecord) -> bool:
    """Whether a line of GNS's log is for everybody. Commands say what fails in their own words, and once."""
    return getattr(record, "gns_level", None) is LogLevel.BUG


def _parser() -> Parser:
    parser = Parser(
        prog="gns-py",
        description="GameNetworkingSockets from Python: tools to try it, to measure it and to see what is wrong.",
        epilog=_EXIT_CODES,
    )
    parser.add_argument("--version", action="version", version=f"gns-py {__version__} (GNS {build_info().gns_version})")
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND")
    for command in (demo, echo, ping, doctor):
        command.add_parser(commands)
    return parser
