"""Write tests/vectors/resume-1.json: sessions that are resumed, frame by frame. Run it with tests/ as the directory."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any
from unittest import mock

from support.framing import take
from support.network import CLIENT, SERVER, Key, Link, Network

from gns_py.session import CloseReason
from gns_py.session.protocol.config import SessionConfig

PATH = Path(__file__).parents[2] / "vectors" / "resume-1.json"
CONFIG = SessionConfig(max_message=1_000, credit_bytes=4_000, credit_messages=8, resume_window=20.0, ping_timeout=15.0)
NAMES = "client", "server"


class Recorder(Network):
    """A network that notes every step."""

    def __init__(self) -> None:
        self.steps: list[dict[str, Any]] = []
        super().__init__(CONFIG)

    def arrive(self, link: Link, sender: int, key: Key) -> None:
        self._note(sender, key, link.queues[sender][key][0].data)
        super().arrive(link, sender, key)

    def _note(self, sender: int, key: Key, message: bytes, **more: object) -> None:
        self.steps.append({"from": NAMES[sender], "lane": key[0], "bytes": message.hex(), **more})

    def event(self, name: str, who: int | None = None, **more: object) -> None:
        self.steps.append({"event": name, **({} if who is None else {"at": NAMES[who]}), **more})

    def send(self, who: int, payload: bytes, lane: int = 0) -> None:
        self.event("send", who, lane=lane, payload=payload.hex())
        self.engines[who].outbox.put(payload, lane, True)

    def take(self, who: int, times: int = 1) -> None:
        for _ in range(times):
            message = take(self.engines[who], self.now)
            assert message is not None
            self.event("handle", who, lane=message.lane, payload=message.data.hex())

    def close(self, who: int) -> None:
        reason = CloseReason.CLOSED_BY_SERVER if who else CloseReason.CLOSED_BY_CLIENT
        self.event("close", who, code=1_000, text="done", data=b"bye".hex())
        self.engines[who].close(reason, 1_000, "done", b"bye", self.now)

    def drop(self) -> None:
        for who in (CLIENT, SERVER):
            for key, queue in sorted(self.newest.queues[who].items()):
                for message in queue:
                    self._note(who, key, message.data, lost=True)
        self.event("drop")
        self.newest.is_cut = True
        self.settle()

    def connect_again(self) -> None:
        self.event("connect")
        self.connect()
        self.handle(CLIENT)

    def carry(self, sender: int, frames: int = 1) -> None:
        """Let some frames of lane 0 arrive."""
        for _ in range(frames):
            self.arrive(self.newest, sender, (0, True))
            while self.mailboxes[1 - sender]:
                self.handle(1 - sender)


def replay_both_ways(net: Recorder) -> None:
    for number in range(3):
        net.send(CLIENT, b"c%d" % number)
        net.send(SERVER, b"s%d" % number, lane=1)
    net.settle()
    net.take(CLIENT)
    net.take(SERVER, 2)
    net.send(CLIENT, b"lost", lane=2)
    net.drop()
    net.send(CLIENT, b"new")
    net.connect_again()
    net.settle()
    net.take(SERVER, 3)
    net.take(CLIENT, 2)
    net.settle()


def answers_are_lost(net: Recorder) -> None:
    net.send(CLIENT, b"lost")
    net.drop()
    net.connect_again()
    net.carry(CLIENT)
    net.drop()  # with RESUMED
    net.connect_again()
    net.carry(CLIENT)
    net.carry(SERVER)
    net.drop()  # with CONFIRM
    net.connect_again()
    net.settle()
    net.take(SERVER)


def handled_while_resuming(net: Recorder) -> None:
    for number in range(8):
        net.send(SERVER, b"%d" % number)
    net.settle()
    net.drop()
    net.take(CLIENT, 3)
    net.connect_again()
    net.take(CLIENT, 5)
    net.settle()
    net.send(SERVER, b"8")
    net.settle()
    net.take(CLIENT)


def goodbye_is_lost(net: Recorder) -> None:
    net.send(CLIENT, b"last")
    net.close(CLIENT)
    net.drop()
    net.connect_again()
    net.settle()
    net.take(SERVER)
    net.close(SERVER)
    net.settle()


def last_ack_is_lost(net: Recorder) -> None:
    net.send(SERVER, b"last")
    net.settle()
    net.take(CLIENT)
    net.close(SERVER)
    net.settle()
    net.close(CLIENT)
    net.carry(CLIENT)
    net.drop()  # with the last ACK of both
    net.connect_again()
    net.settle()


EXCHANGES = (replay_both_ways, answers_are_lost, handled_while_resuming, goodbye_is_lost, last_ack_is_lost)


def record(play: Callable[[Recorder], None]) -> dict[str, Any]:
    """Return an exchange as in the file. All that is random are bytes of one value here."""
    values = count(1)
    with mock.patch.object(secrets, "token_bytes", lambda size: bytes([next(values)]) * size):
        net = Recorder()
        play(net)
    return {
        "name": play.__name__.replace("_", " "),
        "window_ms": CONFIG.resume_window_ms,
        "client": {
            "max_message": CONFIG.max_message,
            "credit_bytes": CONFIG.credit_bytes,
            "credit_messages": CONFIG.credit_messages,
            "ping_timeout_ms": CONFIG.ping_timeout_ms,
            "data": b"data".hex(),
        },
        "steps": net.steps,
    }


def text() -> str:
    """Return the content of the file, a step a line."""
    content = json.dumps({"version": 1, "exchanges": [record(play) for play in EXCHANGES]}, indent=1)
    return content + "\n"


if __name__ == "__main__":
    PATH.write_text(text(), "utf-8")
    sys.exit(0)
