"""The entry point: the parser, and for all commands exit codes, one-line errors, Ctrl-C and closed pipes."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence

from .. import GNSError, LogLevel, __version__, build_info
from . import certs, demo, doctor, echo, p2p, ping, signalling
from .arguments import Parser, ShowVersion
from .output import CommandError, Output, complain, finish_output, open_closed_streams

_EXIT_CODES = "Exit codes: 0 success, 1 failure, 2 wrong usage, 130 ended by Ctrl-C."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, and return its exit code.

    Args:
        arguments: The command line without the program's name; None for that of sys.argv.
    """
    open_closed_streams()
    log = logging.getLogger("gns_py.native")
    log.addFilter(_is_bug)
    try:
        return _run_and_finish(arguments)
    finally:
        log.removeFilter(_is_bug)


def _run_and_finish(arguments: Sequence[str] | None) -> int:
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
        if not isinstance(unwritten, BrokenPipeError):  # the reader has seen enough
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
        # GNS's own texts can have several lines; the first says what failed.
        complain(f"gns-py {options.command}: error: {str(error).splitlines()[0]}")
        return 1


def _is_bug(record: logging.LogRecord) -> bool:
    """Return whether to show a record of GNS's log. Commands report failures themselves, and once."""
    return getattr(record, "gns_level", None) is LogLevel.BUG


def _parser() -> Parser:
    parser = Parser(
        prog="gns-py",
        description="GameNetworkingSockets from Python: tools to try it, measure it, and find problems.",
        epilog=_EXIT_CODES,
    )
    parser.add_argument(
        "--version",
        action=ShowVersion,
        nargs=0,
        const=f"gns-py {__version__} (GNS {build_info().gns_version})",
        default=argparse.SUPPRESS,
        help="show program's version number and exit",
    )
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND")
    for command in (demo, echo, ping, doctor, certs, signalling, p2p):
        command.add_parser(commands.add_parser)
    return parser
