"""Measure the cost of copying messages for the sending or receiving thread, and the size at which to avoid copies.

Both ends are in one process, with a connection in memory, so that only the call is measured: the CPU time of the
calling thread, best of several rounds. The pump's work afterwards does not depend on the way of the call.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from itertools import accumulate, chain
from typing import Any

from peers.config import CONFIG

import gns_py.sync as gns

ROUNDS = 21
MOST = 1000  # messages in a round
RECIPIENTS = 50


def pair(stack: ExitStack) -> tuple[gns.Connection, gns.Connection]:
    ends = gns.socket_pair()
    for end in ends:
        stack.enter_context(closing(end))
        end.set_config(CONFIG)
    return ends


def best(begin: Callable[[], object], timed: Callable[[], object], finish: Callable[[], object]) -> float:
    """Return the seconds of this thread's CPU time in timed()."""
    times = []
    for _ in range(ROUNDS):
        begin()
        before = time.thread_time()
        timed()
        times.append(time.thread_time() - before)
        finish()
    return min(times)


def nothing() -> None:
    """Do nothing, before or after a round."""


def receiving(size: int, count: int) -> Iterator[tuple[str, float]]:
    with ExitStack() as stack:
        ours, theirs = pair(stack)
        ways: dict[str, Callable[[], object]] = {
            "recv_message(copy=True)": lambda: [ours.recv_message(20.0) and None for _ in range(count)],
            "recv_message(copy=False)": lambda: [ours.recv_message(20.0, copy=False) and None for _ in range(count)],
        }
        for way, timed in ways.items():
            yield way, best(lambda: theirs.send_many([bytes(size)] * count), timed, nothing) / count


def sending(size: int, count: int) -> Iterator[tuple[str, float]]:
    data = bytes(size)
    buffer = bytearray(2 * size)
    view = memoryview(buffer)
    offsets = [0, *accumulate([size] * (count - 1))]
    large = bytearray(size * count)
    large_view = memoryview(large)
    with ExitStack() as stack:
        ours, theirs = pair(stack)
        send = ours.send
        ways: dict[str, Callable[[], Any]] = {
            "send(bytes)": lambda: [send(data) for _ in range(count)],
            "send(memoryview[a:b])": lambda: [send(view[:size]) for _ in range(count)],
            "send(bytes(memoryview[a:b]))": lambda: [send(bytes(view[:size])) for _ in range(count)],
            "send_many([bytes, ...])": lambda: ours.send_many([data] * count),
            "send_many(buffer, offsets=...)": lambda: ours.send_many(large, offsets=offsets),
            "send_many([memoryview[a:b], ...])": lambda: ours.send_many(
                [large_view[begin : begin + size] for begin in offsets]
            ),
        }

        def receive() -> None:
            left = count
            while left:
                left -= len(theirs.recv_many(timeout=20.0))

        for way, timed in ways.items():
            yield way, best(nothing, timed, receive) / count


def to_many(size: int) -> Iterator[tuple[str, float]]:
    """Yield the ways of sending to many, with the seconds for each recipient."""
    data = bytes(size)
    with ExitStack() as stack:
        senders, receivers = stack.enter_context(gns.PollGroup()), stack.enter_context(gns.PollGroup())
        for _ in range(RECIPIENTS):
            ours, theirs = pair(stack)
            senders.add(ours)
            receivers.add(theirs)

        def receive() -> None:
            left = RECIPIENTS
            while left:
                left -= sum(isinstance(event, gns.MessageReceived) for event in receivers.poll(20.0))

        connections = senders.connections
        yield "broadcast(bytes)", best(nothing, lambda: senders.broadcast(data), receive) / RECIPIENTS
        yield (
            "loop of send(bytes)",
            best(nothing, lambda: [each.send(data) for each in connections], receive) / RECIPIENTS,
        )


def measure(sizes: tuple[int, ...], volume: int) -> Iterator[dict[str, Any]]:
    """Yield rows of way, size and microseconds of CPU time per message, with at most `volume` bytes in a round."""
    for size in sizes:
        count = max(2, min(MOST, volume // size))
        for way, seconds in chain(receiving(size, count), sending(size, count), to_many(size)):
            yield {"way": way, "size": size, "us": seconds * 1e6}
