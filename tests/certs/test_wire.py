"""Protobuf's wire format: what is written is read, and anything else is refused in one way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gns_py.certs.errors import MalformedCertificate
from gns_py.certs.wire import Kind, field, parse

VALUES = {
    Kind.VARINT: st.integers(0, 2**64 - 1),
    Kind.FIXED64: st.integers(0, 2**64 - 1),
    Kind.FIXED32: st.integers(0, 2**32 - 1),
    Kind.BYTES: st.binary(max_size=200),
}
fields = st.lists(
    st.sampled_from(Kind).flatmap(lambda kind: st.tuples(st.integers(1, 2**29 - 1), st.just(kind), VALUES[kind])),
    max_size=8,
    unique_by=lambda each: each[0],
)


@given(fields)
def test_fields_are_read_as_they_were_written(written: list[tuple[int, Kind, int | bytes]]) -> None:
    data = b"".join(field(*each) for each in written)
    assert parse(data, {number: kind for number, kind, _ in written}) == {
        number: [value] for number, _, value in written
    }
    assert parse(data, {}) == {}


@given(st.binary(max_size=300))
def test_any_bytes_are_fields_or_malformed(data: bytes) -> None:
    known = dict(enumerate(list(Kind) * 2, 1))
    try:
        found = parse(data, known, frozenset({5, 6, 7, 8}))
    except MalformedCertificate:
        return
    assert all(len(values) == 1 for number, values in found.items() if number <= 4)


def test_repeated_fields_may_be_packed() -> None:
    packed = field(1, Kind.BYTES, b"\x01\x80\x01") + field(1, Kind.VARINT, 5)
    assert parse(packed, {1: Kind.VARINT}, frozenset({1})) == {1: [1, 128, 5]}
    with pytest.raises(MalformedCertificate, match="wrong type"):
        parse(packed, {1: Kind.VARINT})
    with pytest.raises(MalformedCertificate, match="too early"):
        parse(field(1, Kind.BYTES, bytes(5)), {1: Kind.FIXED32}, frozenset({1}))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (field(1, Kind.VARINT, 1) * 2, "twice"),
        (field(1, Kind.BYTES, b""), "wrong type"),
        (b"\x00\x00", "number 0"),
        (b"\x0b", "unknown type"),
        (b"\x08", "1 bytes too early"),
        (b"\x12\x05abc", "2 bytes too early"),
        (b"\x08\x80\x00", "longer than it needs"),
        (b"\x08" + b"\xff" * 9 + b"\x02", "64 bits"),
        (b"\x08" + b"\x80" * 20, "64 bits"),
        (b"\xff" * 5, "32 bits"),
    ],
)
def test_malformed_messages_are_refused_with_a_reason(data: bytes, said: str) -> None:
    with pytest.raises(MalformedCertificate, match=said):
        parse(data, {1: Kind.VARINT, 2: Kind.BYTES})
