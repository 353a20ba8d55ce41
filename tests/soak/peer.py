"""One end of a soak test, in a process of its own, since the faults that GNS simulates are process-wide.

It takes its Task as JSON. A server first prints its port; then each end prints "connected" and obeys lines on stdin:
"round" (send for a while, be quiet until all has left; prints a Round), "end N" (N reliable messages must have arrived;
prints a Report), "quit". Errors are raised, or are in the Report.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import queue
import random
import struct
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import gns_py
import gns_py.asyncio as aio
import gns_py.sync as gns

# Number among its kind, number among all, size of the payload, reliable.
HEADER = struct.Struct("<qqi?")
SMALLEST = 20
FLOOD_RELIABLE_SHARE = 0.6
FLOOD_LARGEST = {True: 10_000, False: 2_000}
GAME_LARGEST = {True: 4_000, False: 2_000}
GAME_INTERVAL = 0.030
FULL = 16 * 1024  # this many bytes below the bound of the send queue
STEP = 0.01
ARRIVE = 10.0
ESTABLISHING = (gns.ConnectionState.CONNECTING, gns.ConnectionState.FINDING_ROUTE)


@dataclass(frozen=True)
class Task:
    """The task of one end."""

    api: str
    """sync or asyncio."""
    seed: int
    """The seed of both ends: each knows what the other sends."""
    port: int
    """0: it is the server."""
    rate: int
    """Bytes per second."""
    loss: float
    """Per cent of the packets that it sends; so is reorder."""
    lag: int
    """ms; so is reorder_time."""
    reorder: float
    reorder_time: int
    game: bool
    """Small messages at a fixed rate, instead of as many as the send queue takes."""
    active: float
    """Seconds of each round; so is quiet."""
    quiet: float


@dataclass
class Round:
    """The figures of one round."""

    sent: int = 0
    """Reliable messages up to now."""
    drained: float = 0.0
    """Seconds from the last send until everything was acknowledged."""
    most_queued: int = 0
    """Bytes in the send queue."""
    bytes_per_second: float = 0.0
    """Bytes of the payload that the peer acknowledged in this round."""
    active: dict[str, Any] = field(default_factory=dict)
    """stats() at the end of the sending."""


@dataclass
class Report:
    """The figures of one end in total."""

    state: str
    reliable: int
    """Received."""
    unreliable: int
    sent_unreliable: int
    stats: dict[str, Any]
    send_queue: list[int]
    log: list[str]
    """Errors and bugs."""


class Connection(Protocol):
    """The part that both APIs have in common."""

    @property
    def state(self) -> gns.ConnectionState: ...
    def send(self, data: bytes, *, reliable: bool = True) -> int: ...
    def stats(self) -> gns_py.ConnectionStatus: ...
    def send_queue(self) -> gns_py.SendQueue: ...


def payload(seed: int, from_server: bool, number: int, size: int) -> bytes:
    """Return the content of the number-th message of an end, which both ends can compute."""
    return random.Random((seed << 64) | (number << 1) | from_server).randbytes(size)


class Traffic:
    """The sending and checking of one end. It waits for nothing, so that any API can drive it."""

    def __init__(self, task: Task, connection: Connection, commands: queue.SimpleQueue[str]) -> None:
        self.over = False
        self._told = False
        self._bytes = 0
        self._task = task
        self._connection = connection
        self._commands = commands
        self._is_server = task.port == 0
        self._random = random.Random(task.seed + self._is_server)
        self._sent = {True: 0, False: 0}
        self._received = {True: 0, False: 0}
        self._seen: set[int] = set()
        self._doing = self._steps()
        self._log = _Errors()
        logging.getLogger("gns_py").addHandler(self._log)

    def step(self) -> None:
        """Do what is due now; to be called every STEP seconds."""
        # Once everything has been reported, the other end may close it at any moment.
        assert self._told or self._connection.state is gns.ConnectionState.CONNECTED, repr(self._connection)
        next(self._doing, None)

    def take(self, message: gns.Message) -> None:
        """Check what has arrived."""
        number, index, size, reliable = HEADER.unpack_from(message.data)
        assert (reliable, index) == (message.reliable, message.number)
        if reliable:
            assert number == self._received[True] + 1, f"reliable message {number} after {self._received[True]}"
        else:
            assert index not in self._seen, f"unreliable message {number} came twice"
            self._seen.add(index)
        assert len(message.data) == HEADER.size + size
        content = payload(self._task.seed, not self._is_server, index, size)
        assert message.data[HEADER.size :] == content, f"message {index} of {size} bytes has changed"
        self._received[reliable] += 1

    def _steps(self) -> Iterator[None]:
        while True:
            try:
                command, *arguments = self._commands.get_nowait().split()
            except queue.Empty:
                yield
                continue
            if command == "round":
                yield from self._round()
            elif command == "end":
                yield from self._end(int(arguments[0]))
            else:
                self.over = True
                return

    def _round(self) -> Iterator[None]:
        result = Round()
        begin = time.monotonic()
        sent_before = self._bytes
        last = begin
        while time.monotonic() < begin + self._task.active:
            if self._task.game:
                if time.monotonic() >= last + GAME_INTERVAL:
                    last += GAME_INTERVAL
                    if self._has_room():  # as in any game, messages that cannot be sent in time are not worth sending
                        self._send(reliable=True)
                        self._send(reliable=False)
            else:
                while self._has_room():
                    self._send(reliable=self._random.random() < FLOOD_RELIABLE_SHARE)
            result.most_queued = max(result.most_queued, self._connection.send_queue().bytes)
            yield
        result.active = self._connection.stats()._asdict()
        silent = time.monotonic()
        while not self._is_drained():
            yield
        now = time.monotonic()
        result.drained = now - silent
        result.bytes_per_second = (self._bytes - sent_before) / (now - begin)
        while time.monotonic() < silent + self._task.quiet:
            yield
        assert self._is_drained(), "something is sent in the quiet time"
        result.sent = self._sent[True]
        say(json.dumps(asdict(result)))

    def _end(self, expected: int) -> Iterator[None]:
        # All of it was acknowledged, so it is here: only the reading may be a moment late.
        deadline = time.monotonic() + ARRIVE
        while self._received[True] < expected and time.monotonic() < deadline:
            yield
        report = Report(
            self._connection.state.name,
            self._received[True],
            self._received[False],
            self._sent[False],
            self._connection.stats()._asdict(),
            list(self._connection.send_queue()),
            self._log.lines,
        )
        self._told = True
        say(json.dumps(asdict(report)))

    def _send(self, *, reliable: bool) -> None:
        self._sent[reliable] += 1
        index = sum(self._sent.values())
        largest = GAME_LARGEST if self._task.game else FLOOD_LARGEST
        size = self._random.randint(SMALLEST, largest[reliable])
        header = HEADER.pack(self._sent[reliable], index, size, reliable)
        data = header + payload(self._task.seed, self._is_server, index, size)
        self._bytes += len(data)
        assert self._connection.send(data, reliable=reliable) == index

    def _has_room(self) -> bool:
        waiting = self._connection.send_queue()
        return waiting.bytes <= waiting.max_bytes - FULL

    def _is_drained(self) -> bool:
        status = self._connection.stats()
        gns_has = status.pending_reliable + status.pending_unreliable + status.sent_unacked_reliable
        return gns_has == 0 and self._connection.send_queue()[:3] == (0, 0, 0)


class _Errors(logging.Handler):
    """Keeps log records of errors and bugs."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def say(line: object) -> None:
    """Print a line for the process that has started this one."""
    print(line, flush=True)


def hear() -> queue.SimpleQueue[str]:
    """Return the lines that arrive on stdin, read by a thread."""
    commands: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin:
            commands.put(line)

    threading.Thread(target=read, daemon=True).start()
    return commands


def run(task: Task) -> None:
    """Run the end as a program of the blocking API: a loop that polls."""
    config = gns.Config(send_rate_min=task.rate, send_rate_max=task.rate)
    with contextlib.ExitStack() as stack:
        if task.port:
            connection = stack.enter_context(gns.connect("127.0.0.1", task.port, timeout=ARRIVE, config=config))
        else:
            listener = stack.enter_context(gns.listen("127.0.0.1", 0, config=config, limits=None))
            say(listener.address.port)
            connection = stack.enter_context(listener.accept(timeout=ARRIVE))
        while connection.state in ESTABLISHING:
            connection.poll(STEP)
        say("connected")
        traffic = Traffic(task, connection, hear())
        while not traffic.over:
            for event in connection.poll(STEP):
                if isinstance(event, gns.MessageReceived):
                    traffic.take(event.message)
            traffic.step()


async def run_asyncio(task: Task) -> None:
    """Run the end as a program of asyncio: a task that reads, and one that sends."""
    config = aio.Config(send_rate_min=task.rate, send_rate_max=task.rate)
    async with contextlib.AsyncExitStack() as stack:
        if task.port:
            connecting = aio.connect("127.0.0.1", task.port, timeout=ARRIVE, config=config)
            connection = await stack.enter_async_context(connecting)
        else:
            listener = await stack.enter_async_context(aio.listen("127.0.0.1", 0, config=config, limits=None))
            say(listener.address.port)
            accepted = await asyncio.wait_for(listener.accept(), ARRIVE)
            connection = await stack.enter_async_context(accepted)
        while connection.state in ESTABLISHING:
            await asyncio.sleep(STEP)
        say("connected")
        traffic = Traffic(task, connection, hear())

        async def read() -> None:
            with contextlib.suppress(aio.ConnectionClosedOK):
                while True:
                    for message in await connection.recv_many():
                        traffic.take(message)

        reader = asyncio.create_task(read())
        while not traffic.over:
            traffic.step()
            await asyncio.sleep(STEP)
            if reader.done():
                await reader
        reader.cancel()


def main() -> None:
    warnings.simplefilter("error")
    task = Task(**json.loads(sys.argv[1]))
    gns_py.set_config(
        gns.Config(
            fake_packet_loss_send=task.loss,
            fake_packet_lag_send=task.lag,
            fake_packet_reorder_send=task.reorder,
            fake_packet_reorder_time=task.reorder_time,
        )
    )
    if task.api == "sync":
        run(task)
    else:
        asyncio.run(run_asyncio(task))


if __name__ == "__main__":
    main()
