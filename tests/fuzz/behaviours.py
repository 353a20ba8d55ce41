"""Behaviours of hostile clients beyond single frames, each in a process of its own. Arguments: which, ports, seconds.

A process prints "begun" once it has started, and ends by itself, or by a signal if it is one that vanishes.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fuzz.inputs import CONFIRM, FRAMES, LARGEST, bye, hello, lanes, sized, varint

import gns_py.sync as gns

FAST = gns.Config(send_rate_min=20 << 20, send_rate_max=20 << 20, send_buffer_size=1 << 20)
BATCH = 200
CROWD = 150
Ports = dict[str, int]


def connect(port: int) -> gns.Connection:
    return gns.connect("127.0.0.1", port, config=FAST, timeout=5.0)


def establish(port: int, data: bytes = b"") -> gns.Connection:
    """Establish a session on a raw connection. Raises ConnectionClosed, TimeoutError."""
    raw = connect(port)
    raw.send(hello(data), nagle=False)
    raw.recv(timeout=5.0)
    raw.send(CONFIRM, nagle=False)
    raw.recv(timeout=5.0)
    return raw


def again_and_again(until: float, what: Callable[[], object]) -> None:
    """Wait until then, whatever the server sends."""
    while time.monotonic() < until:
        with contextlib.suppress(gns.ConnectionClosed, TimeoutError):
            what()


def flood(
    make: Callable[[Iterator[int]], bytes], port: str = "echo", *, reliable: bool = True
) -> Callable[[Ports, float], None]:
    """Send as fast as possible on one connection, reading all answers, and on the next one when that is closed."""

    def run(ports: Ports, until: float) -> None:
        def once() -> None:
            numbers = count(1)
            with establish(ports[port]) as raw:
                while time.monotonic() < until:
                    try:
                        raw.send_many([make(numbers) for _ in range(BATCH)], reliable=reliable, nagle=False)
                    except gns.SendQueueFull:
                        time.sleep(0.001)
                    raw.poll()
                    if raw.end is not None:
                        break

        again_and_again(until, once)

    return run


def ack(numbers: Iterator[int]) -> bytes:
    return FRAMES["ACK"][0] + lanes({}) + varint(2**32 + next(numbers)) * 2


def credit_beyond(ports: Ports, until: float) -> None:
    """Give the largest possible credit."""

    def once() -> None:
        with establish(ports["echo"]) as raw:
            raw.send(FRAMES["ACK"][0] + lanes({}) + varint(LARGEST) * 2, nagle=False)
            raw.send(FRAMES["DATA"][0] + b"\x01" + b"echo", nagle=False)
            raw.wait_closed(timeout=0.2)

    again_and_again(until, once)


def hellos(ports: Ports, until: float) -> None:
    """Use one connection after the other, with many of them each."""

    def once() -> None:
        with connect(ports["echo"]) as raw:
            raw.send_many([hello(bytes(1_000))] * 20, nagle=False)
            raw.wait_closed(timeout=0.2)

    again_and_again(until, once)


def goodbye_then_data(ports: Ports, until: float) -> None:
    """Announce more than any credit allows, and go on sending."""

    def once() -> None:
        with establish(ports["deaf"]) as raw:
            raw.configure_lanes([0, 0])
            raw.send(bye({0: 10, 1: LARGEST}), nagle=False)
            sent = 0
            while raw.end is None and time.monotonic() < until:
                try:
                    raw.send(FRAMES["DATA"][0] + varint(sent + 1), lane=1)
                    sent += 1
                except gns.SendQueueFull:
                    time.sleep(0.001)
                if sent % BATCH == 0:
                    raw.poll()

    again_and_again(until, once)


def half_open(ports: Ports, until: float) -> None:
    """Keep a crowd of clients that send nothing, or HELLO and no more, and return when they are sent away."""
    crowd: list[gns.Connection] = []
    numbers = count()
    while time.monotonic() < until:
        for _ in range(min(20, CROWD - len(crowd))):
            raw = gns.connect("127.0.0.1", ports["accept"], config=FAST, wait=False)
            if next(numbers) % 2:
                raw.send(hello())
            crowd.append(raw)
        for raw in crowd:
            raw.poll()
        crowd = [raw for raw in crowd if raw.end is None]
        time.sleep(0.005)


def come_and_go(ports: Ports, until: float) -> None:
    """One connection after the other, each closed at once, in each of the ways."""

    def once() -> None:
        raw = gns.connect("127.0.0.1", ports[random.choice(("echo", "accept", "hasty"))], config=FAST, wait=False)
        raw.send(hello())
        time.sleep(random.choice((0.0, 0.0005, 0.001, 0.003)))
        raw.close(random.choice((1_000, 1_904, 2_907)), linger=random.random() < 0.5)

    again_and_again(until, once)


def busy(ports: Ports) -> list[gns.Connection]:
    """Sessions in which the server has much to send."""
    connections = [establish(ports[port]) for port in ("echo", "echo", "accept", "deaf") for _ in range(5)]
    for raw in connections:
        with contextlib.suppress(gns.ConnectionClosed):  # on a busy machine, it was silent for too long
            for number in range(1, 30):
                raw.send(FRAMES["DATA"][0] + varint(number) + bytes(400))
    return connections


def vanish(ports: Ports, until: float) -> None:
    """Act as a client that is killed in the middle of its work."""
    connections = busy(ports)
    print("begun", flush=True)
    time.sleep(min(max(0.0, until - time.monotonic()), 0.05))
    del connections
    os.kill(os.getpid(), signal.SIGKILL)


def stop(ports: Ports, until: float) -> None:
    """Stop receiving, and then vanish: this must be killed by the process that started it."""
    connections = busy(ports)
    print("begun", flush=True)
    while time.monotonic() < until:
        os.kill(os.getpid(), signal.SIGSTOP)
    del connections


BEHAVIOURS: dict[str, Callable[[Ports, float], None]] = {
    "PING": flood(lambda numbers: FRAMES["PING"][0] + varint(next(numbers))),
    "ACK": flood(ack),
    "same ACK": flood(lambda _: FRAMES["ACK"][0] + lanes({}) + varint(2**32) * 2),
    "UNTRACKED": flood(lambda _: FRAMES["UNTRACKED"][0], "deaf", reliable=False),
    "large UNTRACKED": flood(lambda _: FRAMES["UNTRACKED"][0] + bytes(5_000), "deaf", reliable=False),
    "KEYED": flood(
        lambda numbers: FRAMES["KEYED"][0] + sized(b"%08d" % next(numbers)) + bytes(100), "deaf", reliable=False
    ),
    "tiny DATA": flood(lambda numbers: FRAMES["DATA"][0] + varint(next(numbers))),
    "credit beyond": credit_beyond,
    "many HELLOs": hellos,
    "goodbye, then DATA": goodbye_then_data,
    "half-open": half_open,
    "come and go": come_and_go,
    "vanish": vanish,
    "stop": stop,
}


def main() -> None:
    name, ports, seconds = sys.argv[1], json.loads(sys.argv[2]), float(sys.argv[3])
    if name not in ("vanish", "stop"):
        print("begun", flush=True)
    BEHAVIOURS[name](ports, time.monotonic() + seconds)


if __name__ == "__main__":
    main()
