"""The types of fields: what they write, what they read, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest

from gns_py import Identity
from gns_py.p2p.signalling.fields import (
    FieldType,
    FixedBytes,
    IdentityText,
    ListOf,
    PrintableText,
    Reader,
    RemainingBytes,
    SizedBytes,
    Text,
    Unsigned,
    WireError,
)


@pytest.mark.parametrize(
    ("field_type", "value", "written"),
    [
        (Unsigned(1), 0, b"\0"),
        (Unsigned(2), 300, b"\x01\x2c"),
        (Unsigned(4), 2**32 - 1, b"\xff" * 4),
        (FixedBytes(2), b"ab", b"ab"),
        (SizedBytes(0, 3), b"abc", b"\0\3abc"),
        (RemainingBytes(0, 4), b"rest", b"rest"),
        (Text(1, 3), "ä", "\0\2ä".encode()),
        (PrintableText(0, 3), "", b"\0\0"),
        (IdentityText(), Identity.bytes(b"ab"), b"\0\x08gen:6162"),
        (ListOf(Unsigned(1), 0, 3), (1, 2), b"\0\2\1\2"),
    ],
)
def test_values_are_written_and_read(field_type: FieldType[Any], value: object, written: bytes) -> None:
    assert field_type.write(value) == written
    reader = Reader(written)
    assert field_type.read(reader) == value
    assert reader.left == 0


@pytest.mark.parametrize(
    ("field_type", "value"),
    [
        (Unsigned(1, 1, 5), 0),
        (Unsigned(1, 1, 5), 6),
        (Unsigned(1), 256),
        (FixedBytes(2), b"a"),
        (SizedBytes(0, 3), b"abcd"),
        (SizedBytes(1, 3), b""),
        (RemainingBytes(1, 3), b""),
        (RemainingBytes(1, 3), b"abcd"),
        (Text(0, 3), "abcd"),
        (Text(0, 3), "\0"),
        (Text(0, 3), "\udc80"),
        (PrintableText(0, 3), "\n"),
        (IdentityText(), Identity.parse("invalid")),
        (ListOf(Unsigned(1), 0, 1), (1, 2)),
    ],
)
def test_values_beyond_the_limits_are_not_written(field_type: FieldType[Any], value: object) -> None:
    with pytest.raises(WireError):
        field_type.write(value)


@pytest.mark.parametrize(
    ("field_type", "data"),
    [
        (Unsigned(2), b"\1"),
        (Unsigned(1, 1, 5), b"\6"),
        (FixedBytes(2), b"a"),
        (SizedBytes(0, 3), b"\0\3ab"),
        (SizedBytes(0, 3), b"\0\4abcd"),
        (Text(0, 3), b"\0\1\xff"),
        (PrintableText(0, 3), b"\0\1\x1b"),
        (IdentityText(), b"\0\3bob"),
        (IdentityText(), b"\0\7invalid"),
        (IdentityText(), b"\0\x08gen:616A"),
        (IdentityText(), b"\0\x07ip:1.2.3"),
        (ListOf(Unsigned(1), 1, 1), b"\0\0"),
        (ListOf(Unsigned(1), 0, 3), b"\0\2\1"),
    ],
)
def test_bytes_beyond_the_limits_are_not_read(field_type: FieldType[Any], data: bytes) -> None:
    with pytest.raises(WireError):
        field_type.read(Reader(data))
