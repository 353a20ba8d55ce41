"""Lines, tables and errors of commands, as plain text."""

from __future__ import annotations

import pytest

from gns_py.cli.output import Output, complain, finish_output, known


@pytest.fixture
def output(monkeypatch: pytest.MonkeyPatch) -> Output:
    monkeypatch.setenv("NO_COLOR", "1")
    return Output()


def test_tables_are_aligned(output: Output, capsys: pytest.CaptureFixture[str]) -> None:
    output.table("title", ["", "one", "two"], [["row", "1", "2"], ["another row", "10", ""]])
    assert capsys.readouterr().out == ("title\n               one  two\n  row          1    2\n  another row  10\n")


def test_tables_without_headings(output: Output, capsys: pytest.CaptureFixture[str]) -> None:
    output.table("title", ["", ""], [["a", "1"], ["bc", "2"]])
    assert capsys.readouterr().out == "title\n  a   1\n  bc  2\n"


def test_lines_have_no_markup(output: Output, capsys: pytest.CaptureFixture[str]) -> None:
    output.line("[bold]text[/bold]", "red")
    output.line()
    assert capsys.readouterr().out == "[bold]text[/bold]\n\n"


def test_values_that_are_not_known_yet() -> None:
    assert known(None, "{} ms") == "not known yet"
    assert known(0, "{} ms") == "0 ms"


def test_errors_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    complain("it failed")
    assert finish_output() is None
    assert capsys.readouterr() == ("", "it failed\n")
