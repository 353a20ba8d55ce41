"""Arguments: the parser with one-line errors, and the values that commands take, checked before anything starts."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from ..address import Address
from .output import complain

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

    Commands = argparse._SubParsersAction["Parser"]

DEFAULT_PORT = 27015


class Parser(argparse.ArgumentParser):
    """A parser that says what is wrong in one line, and leaves the usage to --help."""

    def error(self, message: str) -> NoReturn:
        complain(f"{self.prog}: error: {message} (see {self.prog} --help)")
        self.exit(2)

    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        """Write help and version. argparse's own does not tell when it could not."""
        (file or sys.stderr).write(message)


def host(text: str) -> str:
    """A name or a numeric address; one that only looks numeric is refused here."""
    if not text or "\0" in text or any(character.isspace() for character in text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a host")
    if ":" in text or re.fullmatch(r"[0-9.]+", text):
        try:
            Address(text, 0)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
    return text


def port(text: str) -> int:
    """0 to 65535."""
    if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: 0 to 65535")
    return int(text)


def target(text: str) -> tuple[str, int]:
    """HOST, HOST:PORT or [IPV6]:PORT; without a port the one that `gns-py echo` has."""
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


def number(low: float, high: float) -> Callable[[str], float]:
    """A type for numbers from low to high."""

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
    """A type for integers from low to high."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not an integer") from None
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is out of range: {low} to {high}")
        return value

    return parse
