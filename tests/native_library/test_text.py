"""Texts of the core."""

from __future__ import annotations

from gns_py._native.library import ffi
from gns_py._native.text import text_of


def test_a_text_ends_at_its_terminator_and_survives_bytes_that_are_not_utf_8() -> None:
    assert text_of(ffi.new("char[]", b"abc\0def")) == "abc"
    assert text_of(ffi.new("char[]", b"a\xffb")) == "a\N{REPLACEMENT CHARACTER}b"
