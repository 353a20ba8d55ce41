"""The decoder of gns_py.session against the one that was written from the specification alone."""

from __future__ import annotations

import dataclasses
from typing import Any

from session.protocol import independent_decoder

from gns_py.session.protocol.fields import FrameError
from gns_py.session.protocol.frames import Frame, decode

_NAMES = {"GOAWAY": "GoAway", "RESUME_FAILED": "ResumeFailed", "BYE_ACK": "ByeAck"}


def name_of(specified: str) -> str:
    """The class of a frame that the specification calls so."""
    return _NAMES.get(specified, specified.title())


def fields_of(frame: Frame) -> dict[str, Any]:
    """As the test vectors have them."""
    return {each.name: _shown(getattr(frame, each.name)) for each in dataclasses.fields(frame)}  # type: ignore[arg-type]


def assert_decoders_agree(message: bytes) -> bool:
    """Both take or refuse it, read the same out of it, and the bytes are the only ones for that frame.

    Returns whether it is a frame.
    """
    try:
        frame = decode(message)
    except FrameError:
        frame = None
    try:
        specified = independent_decoder.decode(message)
    except ValueError:
        specified = None
    assert (frame is None) == (specified is None), f"{frame}, but by the specification {specified}"
    if frame is None or specified is None:
        return False
    name, fields = specified
    assert type(frame).__name__ == name_of(name)
    assert fields_of(frame) == fields
    assert_is_written_as(frame, message)
    return True


def assert_is_written_as(frame: Frame, message: bytes) -> None:
    """But for what a later version has appended."""
    written = frame.encode()
    assert written == message[: len(written)]
    assert len(written) == len(message) or frame.IS_OPEN


def _shown(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {str(lane): number for lane, number in value.items()}
    return list(value) if isinstance(value, tuple) else value


def message_of(vector: dict[str, Any]) -> bytes:
    """The message that a test vector shows."""
    return bytes.fromhex(vector["bytes"]) + bytes(vector.get("zeros", 0))
