"""Parsing of arguments: a parser with one-line errors, and types that check values before a command starts."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from .. import Address, Identity
from .output import complain

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

AddParser: TypeAlias = "Callable[..., Parser]"
"""Adds a command: takes its name and the arguments of ArgumentParser, and returns the command's parser."""

DEFAULT_PORT = 27015


class Parser(argparse.ArgumentParser):
    """A parser that reports an error in one line and leaves the usage to --help.

    argparse ignores an error when it writes help or a version; here it is raised, for the exit code to show it.
    """

    def error(self, message: str) -> NoReturn:
        """Report a usage error in one line on stderr, and exit with code 2."""
        complain(f"{self.prog}: error: {message} (see {self.prog} --help)")
        self.exit(2)

    def print_help(self, file: SupportsWrite[str] | None = None) -> None:
        """Write the help, by default to stdout. Raises OSError if that fails."""
        (file or sys.stdout).write(self.format_help())


class ShowVersion(argparse.Action):
    """Write the option's ``const``, a version, to stdout, and exit. Raises OSError if that fails."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        """Write the version and exit."""
        sys.stdout.write(f"{self.const}\n")
        parser.exit()


def host(text: str) -> str:
    """Return a name or a numeric address, and refuse one that only looks numeric."""
    if not text or "\0" in text or any(character.isspace() for character in text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a host")
    if ":" in text or re.fullmatch(r"[0-9.]+", text):
        try:
            Address(text, 0)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
    return text


def port(text: str) -> int:
    """Return a port, 0 to 65535."""
    if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: 0 to 65535")
    return int(text)


def target(text: str) -> tuple[str, int]:
    """Parse HOST, HOST:PORT or [IPV6]:PORT. The port defaults to that of `gns-py echo`."""
    found = re.fullmatch(r"\[(?P<ipv6>[^\[\]]*:[^\[\]]*)\](?::(?P<port>[^:]*))?", text)
    if found:
        name, number = found["ipv6"], found["port"]
    elif text.count(":") > 1:  # an IPv6 address without brackets has no room for a port
        name, number = text, None
    else:
        name, colon, rest = text.partition(":")
        number = rest if colon else None
    where = host(name), DEFAULT_PORT if number is None else port(number)
    if where[1] == 0:
        raise argparse.ArgumentTypeError("port 0 is not a port to connect to")
    return where


def identity(text: str) -> Identity:
    """Return an identity."""
    try:
        return Identity.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def number(low: float, high: float) -> Callable[[str], float]:
    """Return an argparse type for numbers in [low, high]."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is out of range: {low:g} to {high:g}")
        return value

    return parse


def integer(low: int, high: int) -> Callable[[str], int]:
    """Return an argparse type for integers in [low, high]."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not an integer") from None
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is out of range: {low} to {high}")
        return value

    return parse
