"""Fuzz the decoder of session frames, and engines, guided by coverage, with atheris, which is libFuzzer.

    python tests/fuzz/decode_frames.py CORPUS [-max_total_time=SECONDS] [-artifact_prefix=FOLDER/] ...

The test vectors are first written to the folder CORPUS. The first input that makes the two decoders disagree, or an
engine raise, ends the program with an error and is written to a file.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from weakref import WeakKeyDictionary

import atheris

TESTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS))

import gns_py  # noqa: E402 - before the block: of it, only what the block imports is to be covered

with atheris.instrument_imports(include=["gns_py.session", "independent_decoder"]):
    from support.frames import assert_decoders_agree, message_of
    from support.framing import Framing, take

    from gns_py.session.protocol.client import ClientEngine
    from gns_py.session.protocol.config import SessionConfig
    from gns_py.session.protocol.engine import Engine
    from gns_py.session.protocol.frames import Bye, Confirm, Data, Frame, Hello, Ready, Welcome
    from gns_py.session.protocol.reasons import CloseReason
    from gns_py.session.protocol.server import ServerEngine
    from gns_py.session.protocol.state import Phase

# Small, so that limits are reached.
CONFIG = SessionConfig(max_message=100, credit_bytes=200, credit_messages=2, unreliable_queue=1)
HELLO = Hello(1, 1, 0, 100, 200, 2, 0, 1000, b"")
WELCOME = Welcome(1, 0, bytes(16), 1, b"", 100, 200, 2, 0, 1000, b"")
BYE = Bye(CloseReason.CLOSED_BY_CLIENT, 1000, "", {0: 2}, b"")


class Nowhere(Framing):
    """A transport that accepts everything."""

    def send(self, message: bytes, lane: int, reliable: bool, nagle: bool) -> int:  # noqa: ARG002
        return 1

    def request_room_event(self) -> None:
        pass

    def close(self, code: int, text: str, linger: bool) -> None:
        pass


FRAMINGS: WeakKeyDictionary[Engine, Nowhere] = WeakKeyDictionary()


def receive(engine: Engine, message: bytes) -> None:
    transport = engine.transport
    assert isinstance(transport, Nowhere)
    transport.deliver(engine, gns_py.Message(message, 1, 0, True, 0), 0.0)


def client(*frames: Frame) -> Engine:
    """Return a client's engine that has received these frames."""
    framing = Nowhere()
    engine = ClientEngine(framing, CONFIG, b"", 10.0, 0.0)
    FRAMINGS[engine] = framing
    for frame in frames:
        receive(engine, frame.encode())
    return engine


def server(*frames: Frame) -> Engine:
    """Return a server's engine that has received these frames and accepts."""
    framing = Nowhere()
    engine = ServerEngine(framing, CONFIG, 0.0)
    FRAMINGS[engine] = framing
    for frame in frames:
        receive(engine, frame.encode())
        if engine.is_undecided:
            engine.accept(b"", 0.0)
    return engine


def busy(engine: Engine) -> Engine:
    """Let the engine send, and go on sending when it may."""
    for _ in range(4):
        engine.outbox.put(b"x", 0, True)
    return engine


def leaving(engine: Engine) -> Engine:
    """Let the engine say goodbye."""
    engine.close(CloseReason.CLOSED_BY_CLIENT, 1000, "", b"", 0.0)
    return engine


STATES: list[Callable[[], Engine]] = [
    lambda: busy(client(WELCOME, Ready(1))),
    lambda: leaving(client(WELCOME, Ready(1))),
    lambda: client(WELCOME),
    client,
    server,
    lambda: server(HELLO),
    lambda: busy(server(HELLO, Confirm(1))),
    lambda: server(HELLO, Confirm(1), Data(1, b""), BYE),
]


def try_one(message: bytes) -> None:
    is_frame = assert_decoders_agree(message)
    # Malformed input is malformed in all states: more of it can be tried in the same time.
    for state in STATES if is_frame else STATES[:1]:
        engine = state()
        for now in (0.0, 0.5, 20.0):
            receive(engine, message)
            engine.tick(now)
            if engine.phase is not Phase.SETTING_UP:
                take(engine, now)
            # Ask the engine what applications ask.
            assert engine.end is None or engine.delivered_end is engine.expected_end is engine.end
            assert engine.delivered_end is None or engine.delivered_end == engine.expected_end
        leaving(engine)
        engine.connection_ended(gns_py.ConnectionEnd(gns_py.ClosedBy.PEER, 1000, ""), 21.0)
        assert engine.end is not None


def main() -> None:
    corpus = Path(sys.argv[1])
    corpus.mkdir(parents=True, exist_ok=True)
    vectors = json.loads((TESTS / "vectors" / "session-1.json").read_text("utf-8"))
    for number, vector in enumerate(vectors["frames"] + vectors["malformed"]):
        (corpus / f"vector-{number}").write_bytes(message_of(vector))
    atheris.Setup(sys.argv, try_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
