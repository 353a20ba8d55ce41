"""The types of fields: what they write, what they read, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest

from gns_py.session.protocol.fields import (
    FieldType,
    FixedBytes,
    FrameError,
    IntegerIn,
    LaneNumbers,
    ListOf,
    Reader,
    RemainingBytes,
    SizedBytes,
    Text,
    VarInt,
    varint,
)


@pytest.mark.parametrize(
    ("field_type", "value", "written"),
    [
        (VarInt(), 0, b"\0"),
        (VarInt(), 300, b"\xac\x02"),
        (VarInt(), 2**64 - 1, b"\xff" * 9 + b"\x01"),
        (IntegerIn(range(1), range(100, 200)), 199, b"\xc7\x01"),
        (SizedBytes(3), b"abc", b"\3abc"),
        (Text(3), "ä", "\2ä".encode()),
        (FixedBytes(2), b"ab", b"ab"),
        (RemainingBytes(), b"rest", b"rest"),
        (LaneNumbers(), {2: 5, 254: 1}, b"\2\2\5\xfe\x01\1"),
        (ListOf(VarInt(), 3), (1, 2), b"\2\1\2"),
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
        (VarInt(1, 5), 0),
        (VarInt(1, 5), 6),
        (IntegerIn(range(1), range(100, 200)), 50),
        (SizedBytes(3), b"abcd"),
        (SizedBytes(3, 1), b""),
        (Text(3), "abcd"),
        (Text(3), "\0"),
        (FixedBytes(2), b"a"),
        (LaneNumbers(), {255: 1}),
        (ListOf(VarInt(), 1), (1, 2)),
    ],
)
def test_values_beyond_the_limits_are_not_written(field_type: FieldType[Any], value: object) -> None:
    with pytest.raises(FrameError):
        field_type.write(value)


@pytest.mark.parametrize(
    ("field_type", "message", "why"),
    [
        (VarInt(), b"", "1 bytes too early"),
        (VarInt(), b"\x80\0", "longer than it needs"),
        (VarInt(), b"\x80" * 10 + b"\1", "more than ten bytes"),
        (VarInt(), b"\xff" * 9 + b"\2", "more than 64 bits"),
        (VarInt(1, 5), b"\6", "6 is not from 1 to 5"),
        (IntegerIn(range(1), range(100, 200)), b"\1", "1 is not from 0 to 0, from 100 to 199"),
        (SizedBytes(3), b"\3ab", "1 bytes too early"),
        (Text(3), b"\1\xff", "UTF-8"),
        (Text(3), b"\1\0", "NUL"),
        (LaneNumbers(), b"\2\1\1\1\1", "lane 1 follows lane 1"),
    ],
)
def test_malformed_bytes_are_refused(field_type: FieldType[Any], message: bytes, why: str) -> None:
    with pytest.raises(FrameError, match=why):
        field_type.read(Reader(message))


def test_a_lane_without_messages_is_not_written() -> None:
    assert LaneNumbers().write({0: 0, 1: 3}) == b"\1\1\3"


@pytest.mark.parametrize("value", [0, 1, 127, 128, 2**32, 2**64 - 1])
def test_varints_are_as_short_as_possible(value: int) -> None:
    assert len(varint(value)) == max(1, (value.bit_length() + 6) // 7)
