"""Frames and bytes: the test vectors, all values, and any other bytes."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from session.protocol import independent_decoder
from support.frames import assert_decoders_agree, assert_is_written_as, fields_of, message_of, name_of

from gns_py.session.protocol import frames
from gns_py.session.protocol.fields import FrameError
from gns_py.session.protocol.frames import Frame, decode

VECTORS = json.loads(Path(__file__).parents[2].joinpath("vectors").joinpath("session-1.json").read_text("utf-8"))
KINDS = [frames.FRAME_TYPES[number] for number in sorted(frames.FRAME_TYPES)]

numbers = st.integers(0, 2**64 - 1)
positive = st.integers(1, 2**64 - 1)
limits = st.integers(1, 2**32)
versions = st.integers(1, 65_535)
data = st.binary(max_size=300)
lanes = st.dictionaries(st.integers(0, 254), positive, max_size=8)
text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=200)
FIELDS = {
    **dict.fromkeys(["capabilities", "resume_window_ms", "reason", "deadline_ms", "number"], numbers),
    **dict.fromkeys(["credit_bytes", "credit_messages"], limits),
    **dict.fromkeys(["epoch", "sequence"], positive),
    **dict.fromkeys(["handled", "last"], lanes),
    **dict.fromkeys(["data", "payload"], data),
    **dict.fromkeys(["version", "min_version"], versions),
    "max_version": st.just(65_535),
    "max_message": st.integers(1, frames.MAX_MESSAGE),
    "ping_timeout_ms": st.just(0) | st.integers(100, 600_000),
    "session_id": st.binary(min_size=16, max_size=16),
    "token": st.binary(max_size=64),
    "code": st.integers(1_000, 1_899) | st.integers(2_000, 2_899),
    "text": text,
    "addresses": st.lists(st.text("ab:1", max_size=60), max_size=16).map(tuple),
    "key": st.binary(min_size=1, max_size=64),
}


def frame_of(kind: type[Frame]) -> st.SearchStrategy[Frame]:
    fields = {each.name: FIELDS[each.name] for each in dataclasses.fields(kind)}  # type: ignore[arg-type]
    if kind is frames.Welcome:
        fields["capabilities"] = st.integers(0, 1)
    return st.builds(kind, **fields)


any_frame = st.one_of([frame_of(kind) for kind in KINDS])


@pytest.mark.parametrize("vector", VECTORS["frames"], ids=lambda vector: vector["name"])
def test_the_test_vectors_are_read_and_written(vector: dict[str, Any]) -> None:
    frame = decode(message_of(vector))
    assert type(frame).__name__ == name_of(vector["frame"])
    assert fields_of(frame) == vector["fields"]
    assert_is_written_as(frame, message_of(vector))


@pytest.mark.parametrize("vector", VECTORS["malformed"], ids=lambda vector: vector["name"])
def test_malformed_vectors_are_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(FrameError):
        decode(message_of(vector))


def test_every_frame_has_test_vectors() -> None:
    shown_frames = {name_of(vector["frame"]) for vector in VECTORS["frames"]}
    assert shown_frames == {kind.__name__ for kind in KINDS}


def test_a_decoder_written_from_the_specification_alone_reads_all_vectors(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path(__file__).parents[2].joinpath("vectors") / "session-1.json"
    monkeypatch.setattr("sys.argv", ["independent_decoder", str(path)])
    assert independent_decoder.main() == 0, capsys.readouterr().out


@given(any_frame)
def test_a_written_frame_is_read_back(frame: Frame) -> None:
    assert decode(frame.encode()) == frame


@given(st.binary(max_size=200))
@example(b"")
def test_any_message_is_a_frame_or_refused(message: bytes) -> None:
    assert_decoders_agree(message)


@given(any_frame, st.data())
def test_a_frame_with_a_fault_is_a_frame_or_refused(frame: Frame, choose: st.DataObject) -> None:
    message = bytearray(frame.encode())
    at = choose.draw(st.integers(0, len(message) - 1))
    match choose.draw(st.sampled_from(["change", "cut", "insert", "append"])):
        case "change":
            message[at] ^= 1 << choose.draw(st.integers(0, 7))
        case "cut":
            del message[at:]
        case "insert":
            message.insert(at, choose.draw(st.integers(0, 255)))
        case _:
            message += choose.draw(st.binary(min_size=1, max_size=5))
    assert_decoders_agree(bytes(message))


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (frames.Reject(14, 999, "", b""), "999"),
        (frames.Reject(14, 1900, "", b""), "1900"),
        (frames.Reject(14, 1000, "a\0b", b""), "NUL"),
        (frames.Reject(14, 1000, "\udc80", b""), "UTF-8"),
        (frames.Reject(14, 1000, "a" * 1025, b""), "1025"),
        (frames.ByeAck({}, bytes(65_537)), "65537"),
        (frames.Keyed(b"", b""), "0"),
        (frames.Ping(2**64), "18446744073709551616"),
        (frames.Welcome(1, 0, b"short", 1, b"", 1, 1, 1, 0, 0, b""), "5 bytes"),
        (frames.ByeAck({255: 1}, b""), "255"),
    ],
)
def test_values_beyond_their_limits_are_not_written(frame: Frame, why: str) -> None:
    with pytest.raises(FrameError, match=why):
        frame.encode()
