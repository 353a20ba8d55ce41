"""The parser, and the types of arguments."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import pytest

from gns_py.cli.arguments import DEFAULT_PORT, Parser, ShowVersion, host, integer, number, port, target


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("localhost", ("localhost", DEFAULT_PORT)),
        ("localhost:1", ("localhost", 1)),
        ("127.0.0.1:65535", ("127.0.0.1", 65535)),
        ("::1", ("::1", DEFAULT_PORT)),
        ("[::1]", ("::1", DEFAULT_PORT)),
        ("[::1]:80", ("::1", 80)),
    ],
)
def test_targets(text: str, expected: tuple[str, int]) -> None:
    assert target(text) == expected


@pytest.mark.parametrize(
    ("parse", "text", "message"),
    [
        (target, "[::1]80", "'[::1]80' is not a numeric"),
        (target, "host:0", "port 0 is not a port to connect to"),
        (host, "a\0b", "is not a host"),
        (host, "1.2", "'1.2' is not a numeric"),
        (port, "+1", "'+1' is not a port: 0 to 65535"),
        (port, "\u0661", "is not a port"),
        (number(0, 1), "x", "'x' is not a number"),
        (number(0, 1), "nan", "nan is out of range: 0 to 1"),
        (integer(1, 9), "1.0", "'1.0' is not an integer"),
        (integer(1, 9), "10", "10 is out of range: 1 to 9"),
    ],
)
def test_wrong_values(parse: Callable[[str], object], text: str, message: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError) as info:
        parse(text)
    assert message in str(info.value)


def test_values_at_their_limits() -> None:
    assert (port("0"), port("65535")) == (0, 65535)
    assert (number(0, 1)("0"), number(0, 1)("1")) == (0.0, 1.0)
    assert (integer(1, 9)("1"), integer(1, 9)("9")) == (1, 9)


class Full:
    """A file that cannot be written to."""

    def write(self, _: str) -> None:
        raise OSError("full")


def test_help_and_version_are_written_or_raise(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    parser = Parser(prog="game")
    parser.add_argument("--version", action=ShowVersion, nargs=0, const="game 1")
    for option, text in (("--version", "game 1\n"), ("--help", "usage: game ")):
        with pytest.raises(SystemExit) as info:
            parser.parse_args([option])
        assert not info.value.code
        assert capsys.readouterr().out.startswith(text)
    monkeypatch.setattr("sys.stdout", Full())
    for option in ("--version", "--help"):
        with pytest.raises(OSError, match="full"):
            parser.parse_args([option])


def test_errors_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as info:
        Parser(prog="game").parse_args(["--dance"])
    assert info.value.code == 2
    assert capsys.readouterr().err == "game: error: unrecognized arguments: --dance (see game --help)\n"
