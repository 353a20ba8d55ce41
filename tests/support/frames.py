"""Compare the decoder of gns_py.session with the one that was written from the specification alone."""

from __future__ import annotations

import dataclasses
from typing import Any

from session.protocol import independent_decoder

from gns_py.session.protocol.fields import FrameError
from gns_py.session.protocol.frames import Frame, decode

_NAMES = {"GOAWAY": "GoAway", "RESUME_FAILED": "ResumeFailed", "BYE_ACK": "ByeAck"}


def name_of(specified: str) -> str:
    """Return the class name of the frame with this name in the specification."""
    return _NAMES.get(specified, specified.title())


def fields_of(frame: Frame) -> dict[str, Any]:
    """Return the fields as in the test vectors."""
    return {each.name: _shown(getattr(frame, each.name)) for each in dataclasses.fields(frame)}  # type: ignore[arg-type]


def assert_decoders_agree(message: bytes) -> bool:
    """Check that both decoders refuse the message, or both read the same frame, which is written as these bytes.

    Returns:
        True if the message is a frame.
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
    """Check that the frame is written as this message, apart from what a later version has appended."""
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
    """Return the message in a test vector."""
    return bytes.fromhex(vector["bytes"]) + bytes(vector.get("zeros", 0))
