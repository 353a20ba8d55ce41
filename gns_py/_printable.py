"""Texts that come from elsewhere, as lines for people."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text, with all that is no visible character escaped: it can neither forge a line nor talk to a terminal.

    Line breaks, other control characters, terminal sequences, marks of writing direction, characters of no meaning.
    """
    return text if text.isprintable() else "".join(map(_escaped, text))


def _escaped(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()
