"""printable(): texts from outside as lines for people."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gns_py._printable import printable


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("plain text, ü, 漢字, 😀", "plain text, ü, 漢字, 😀"),
        ("two\nlines\r\t", r"two\nlines\r\t"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\u2028\x85\0", r"\u2028\x85\x00"),
        ("\U000e0001", r"\U000e0001"),
        ("", ""),
    ],
)
def test_invisible_characters_are_escaped(text: str, printed: str) -> None:
    assert printable(text) == printed


@given(text=st.text(st.characters(codec="utf-8")))
def test_the_result_is_one_visible_line(text: str) -> None:
    result = printable(text)
    assert result.isprintable()
    assert len(result.splitlines()) <= 1
    assert printable(result) == result
