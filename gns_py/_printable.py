"""Texts from outside, made safe to print."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return the text with invisible characters escaped, so that it cannot forge lines or control a terminal.

    This concerns line breaks and other control characters, terminal sequences, marks of writing direction, and
    unassigned characters.
    """
    return text if text.isprintable() else "".join(map(_escaped, text))


def _escaped(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()
