"""Blocks of text."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.certificate_vectors import CERTIFICATES, VECTORS

from gns_py.certs import MalformedCertificate, pem

_LINES = [f"-----{word} {label}-----" for word in ("BEGIN", "END") for label in (pem.CERTIFICATE, "X")]
pieces = st.sampled_from([*_LINES, "\n", "AAAA", "=", " "])


@given(st.binary(max_size=300), st.binary(max_size=20))
def test_blocks_are_read_as_they_were_written(one: bytes, two: bytes) -> None:
    text = f"a comment\n{pem.encode('ONE', one)}\nanother one\r\n{pem.encode('A SECOND 2', two)}"
    found = pem.blocks(text)
    assert [(each.label, each.decode()) for each in found] == [("ONE", one), ("A SECOND 2", two)]
    assert [each.decode() for each in pem.blocks(text.replace("\n", "\r\n"))] == [one, two]


@given(st.text(max_size=200) | st.lists(pieces, max_size=12).map("".join))
def test_any_text_has_blocks_or_is_malformed(text: str) -> None:
    with contextlib.suppress(MalformedCertificate):
        for block in pem.blocks(text):
            block.decode()


def test_the_vector() -> None:
    (vector,) = VECTORS["texts"]
    assert pem.encode(pem.CERTIFICATE, CERTIFICATES[vector["certificate"]]) == vector["pem"]
    assert pem.blocks(vector["pem"])[0].decode() == CERTIFICATES[vector["certificate"]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("-----BEGIN X-----\nAAAA\n", "does not end"),
        ("-----BEGIN X-----\nAAAA\n-----END Y-----", "does not end"),
        ("-----BEGIN X-----\nAAA\n-----END X-----", "not base64"),
        ("-----BEGIN X-----\nAA-A\n-----END X-----", "not base64"),
        ("-----BEGIN X-----\nÄÄÄÄ\n-----END X-----", "not base64"),
        ("x" * (pem.MAX_TEXT + 1), "more than"),
    ],
)
def test_malformed_texts_are_refused(text: str, said: str) -> None:
    def parse() -> None:
        for block in pem.blocks(text):
            block.decode()

    with pytest.raises(MalformedCertificate, match=said):
        parse()
