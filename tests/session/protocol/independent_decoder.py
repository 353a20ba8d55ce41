"""A second decoder for the frames of the session protocol, to check the specification with the test vectors.

It was written from docs/session-protocol.md alone and shares no code with the package.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

MAGIC = b"GNSS"
KNOWN_CAPABILITIES = 3
MAX_VARINT = 2**64 - 1


class Reader:
    """Reads the fields of one frame, from beginning to end."""

    def __init__(self, message: bytes) -> None:
        self.left = message

    def take(self, count: int) -> bytes:
        if count > len(self.left):
            raise ValueError(f"The frame ends too early: {count} bytes wanted, {len(self.left)} left.")
        taken, self.left = self.left[:count], self.left[count:]
        return taken

    def varint(self, low: int = 0, high: int = MAX_VARINT) -> int:
        value = 0
        for index in range(10):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << (7 * index)
            if byte < 0x80:
                if byte == 0 and index > 0:
                    raise ValueError("A varint is longer than necessary.")
                if not low <= value <= high:
                    raise ValueError(f"The number {value} is not between {low} and {high}.")
                return value
        # A tenth byte above 1 without the high bit has been refused as a value above 2^64 - 1.
        raise ValueError("A varint has more than ten bytes.")

    def block(self, low: int = 0, high: int = MAX_VARINT) -> bytes:
        return self.take(self.varint(low, high))

    def text(self, longest: int) -> str:
        text = self.block(0, longest).decode("utf-8")
        if "\0" in text:
            raise ValueError("A text has a NUL.")
        return text

    def lanes(self) -> dict[str, int]:
        numbers: dict[str, int] = {}
        lowest = 0
        for _ in range(self.varint(0, 255)):
            lane = self.varint(0, 254)
            if lane < lowest:
                raise ValueError("The lanes do not rise.")
            lowest = lane + 1
            numbers[str(lane)] = self.varint(1)
        return numbers


FIELDS: dict[str, Callable[[Reader], Any]] = {
    "magic": lambda r: r.take(4),
    "version": lambda r: r.varint(1, 2**16 - 1),
    "min_version": lambda r: r.varint(1, 2**16 - 1),
    "max_version": lambda r: r.varint(1, 2**16 - 1),
    "welcome_capabilities": lambda r: r.varint(0, KNOWN_CAPABILITIES),
    "max_message": lambda r: r.varint(1, 524_272),
    "first_credit_bytes": lambda r: r.varint(1, 2**32),
    "first_credit_messages": lambda r: r.varint(1, 2**32),
    "ping_timeout_ms": lambda r: r.varint(0, 600_000),
    "session_id": lambda r: r.take(16).hex(),
    "epoch": lambda r: r.varint(1),
    "token": lambda r: r.block(0, 64).hex(),
    "data": lambda r: r.block(0, 65_536).hex(),
    "code": lambda r: r.varint(1_000, 2_899),
    "text": lambda r: r.text(1_024),
    "handled": Reader.lanes,
    "last": Reader.lanes,
    "addresses": lambda r: [r.text(255) for _ in range(r.varint(0, 16))],
    "sequence": lambda r: r.varint(1),
    "key": lambda r: r.block(1, 64).hex(),
    "payload": lambda r: r.take(len(r.left)).hex(),
}  # All others are numbers without limits.

CREDITS = "credit_bytes credit_messages"
SESSION = "max_message first_credit_bytes first_credit_messages resume_window_ms ping_timeout_ms data"
FRAMES = {
    0x01: ("HELLO", f"magic min_version max_version capabilities {SESSION}"),
    0x02: ("WELCOME", f"version welcome_capabilities session_id epoch token {SESSION}"),
    0x03: ("CONFIRM", "epoch"),
    0x04: ("READY", "epoch"),
    0x05: ("REJECT", "reason code text data"),
    0x06: ("RESUME", f"magic min_version max_version capabilities session_id epoch token handled {CREDITS}"),
    0x07: ("RESUMED", f"epoch token handled {CREDITS}"),
    0x08: ("RESUME_FAILED", "reason text"),
    0x09: ("ACK", f"handled {CREDITS}"),
    0x0A: ("PING", "number"),
    0x0B: ("PONG", "number"),
    0x0C: ("GOAWAY", "reason deadline_ms text addresses"),
    0x0D: ("BYE", "reason code text last data"),
    0x0E: ("BYE_ACK", "last data"),
    0x10: ("DATA", "sequence payload"),
    0x11: ("UNTRACKED", "payload"),
    0x12: ("KEYED", "key payload"),
}


def decode(message: bytes) -> tuple[str, dict[str, object]]:
    """Return the frame's name and fields, as in the test vectors.

    Raises:
        ValueError: The message is malformed.
    """
    reader = Reader(message)
    kind = reader.take(1)[0]
    if kind not in FRAMES:
        raise ValueError(f"There is no frame of type {kind}.")
    frame, names = FRAMES[kind]
    read = {name: FIELDS.get(name, Reader.varint)(reader) for name in names.split()}
    if read.pop("magic", MAGIC) != MAGIC:
        raise ValueError("The magic is wrong.")
    if "min_version" in read and read["min_version"] > read["max_version"]:
        raise ValueError("The lowest version is above the highest.")
    if 0 < read.get("ping_timeout_ms", 0) < 100:
        raise ValueError("The ping timeout is neither 0 nor at least 100.")
    if 1_899 < read.get("code", 0) < 2_000:
        raise ValueError("The code is neither one for a normal end nor one for a fault.")
    if reader.left and "min_version" not in read:
        raise ValueError(f"{len(reader.left)} bytes follow the frame.")
    return frame, {name.removeprefix("welcome_").removeprefix("first_"): value for name, value in read.items()}


def main() -> int:
    vectors: dict[str, list[dict[str, Any]]] = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    failures = 0
    for vector in vectors["frames"] + vectors["malformed"]:
        expected = (vector["frame"], vector["fields"]) if "fields" in vector else None
        try:
            result: object = decode(bytes.fromhex(vector["bytes"]) + bytes(vector.get("zeros", 0)))
        except ValueError as error:
            result = str(error)
        if result != expected if expected else isinstance(result, tuple):
            failures += 1
            print(f"{vector['bytes'][:80]}: {expected or 'ValueError'} expected, not {result}")
    print(f"{len(vectors['frames'])} frames, {len(vectors['malformed'])} malformed messages, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
