"""Blocks of text: base64 between lines that say what it is, as GNS's own tools and OpenSSL write them."""

from __future__ import annotations

import base64
import binascii
import re
from typing import NamedTuple

from .errors import MalformedCertificate

CERTIFICATE = "STEAMDATAGRAM CERT"
MAX_TEXT = 1024 * 1024
"""The most characters of a file."""
_BEGIN = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,64})-----")
_LINE = 64


class Block(NamedTuple):
    """A block: what it is, and its text with both lines around it."""

    label: str
    text: str

    def decode(self) -> bytes:
        """Return the bytes.

        Raises:
            MalformedCertificate: The text is not base64.
        """
        body = self.text.partition("\n")[2].rpartition("-----END")[0]
        try:
            return base64.b64decode("".join(body.split()), validate=True)
        except (binascii.Error, ValueError):
            raise MalformedCertificate(f"the text of a {self.label!r} block is not base64") from None


def encode(label: str, data: bytes) -> str:
    """Return a block as text."""
    body = base64.b64encode(data).decode()
    lines = [body[at : at + _LINE] for at in range(0, len(body), _LINE)]
    return "\n".join((f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""))


def text_or_bytes(data: bytes | str) -> bytes | str:
    """Return bytes that are a text with blocks as a text: no certificate begins with the same bytes.

    Raises:
        MalformedCertificate: They begin like a text, and are not one.
        TypeError: The value is neither.
    """
    if isinstance(data, str):
        return data
    if not isinstance(data, bytes):
        raise TypeError(f"certificates and keys are bytes or text, not {type(data).__name__}")
    if not data.lstrip().startswith(b"-----BEGIN "):
        return data
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise MalformedCertificate("the text is not UTF-8") from None


def blocks(text: str) -> tuple[Block, ...]:
    """Return the blocks of a text; anything between them is ignored.

    Raises:
        MalformedCertificate: A block does not end, or the text is too long.
    """
    if len(text) > MAX_TEXT:
        raise MalformedCertificate(f"the text has more than {MAX_TEXT} characters")
    found = []
    at = 0
    while begin := _BEGIN.search(text, at):
        end_line = f"-----END {begin[1]}-----"
        end = text.find(end_line, begin.end())
        if end < 0:
            raise MalformedCertificate(f"a {begin[1]!r} block does not end")
        at = end + len(end_line)
        found.append(Block(begin[1], text[begin.start() : at] + "\n"))
    return tuple(found)
