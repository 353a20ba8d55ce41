"""``gns-py ping``: measure round trips to a GNS server that echoes, and the loss of messages."""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import struct
import time

from .. import Config, ConnectFailed, ConnectionClosed, SendQueueFull, time_us
from ..sync import Connection, connect
from .arguments import AddParser, integer, number, target
from .authentication import add_options, proof, read_options
from .output import CommandError, Output, known

# A random key of this run, and the ping's number: a server may send other messages, or echo those of other clients.
_HEADER = struct.Struct("<8sI")
# GNS sends larger unreliable messages reliably, which would hide all loss.
_MAX_UNRELIABLE = 16_500
_MAX_MESSAGE = 512 * 1024
_DEFAULT_SEND_RATE = 256 * 1024
_MAX_SEND_RATE = 100 * 1024 * 1024
_PERCENTILES = (50, 90, 99)


def add_parser(add: AddParser) -> None:
    """Add this command's parser."""
    parser = add(
        "ping",
        help="measure round trips to a server that echoes",
        description="Send messages to a GNS server that sends them back, and measure round trips and loss.",
        epilog="Messages are unreliable, so that loss is visible; with --reliable, loss shows as longer round trips.",
    )
    parser.add_argument("target", type=target, metavar="HOST[:PORT]", help="address or name; [::1]:27015 for IPv6")
    parser.add_argument(
        "-c", "--count", type=integer(1, 1_000_000), default=10, help="number of messages (%(default)s)"
    )
    parser.add_argument(
        "-i",
        "--interval",
        type=number(0.001, 60),
        default=0.2,
        metavar="SECONDS",
        help="time between messages (%(default)s)",
    )
    parser.add_argument(
        "-s",
        "--size",
        type=integer(_HEADER.size, _MAX_MESSAGE),
        default=32,
        metavar="BYTES",
        help="size of each message (%(default)s)",
    )
    parser.add_argument("--reliable", action="store_true", help="send reliable messages")
    parser.add_argument(
        "-W",
        "--timeout",
        type=number(0.1, 600),
        default=5.0,
        metavar="SECONDS",
        help="longest wait for the connection, and for the first answer (%(default)s)",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="print only the result, not each round trip")
    add_options(parser, expect=True)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, output: Output) -> int:
    """Run the command, and return its exit code."""
    size: int = options.size
    if size > _MAX_UNRELIABLE and not options.reliable:
        options.wrong_usage(f"GNS sends messages over {_MAX_UNRELIABLE} bytes reliably: add --reliable")
    authentication = read_options(options)
    authentication.start(require=True)
    host, port = options.target
    # Twice the rate needed, so that messages do not wait for each other.
    rate = min(max(_DEFAULT_SEND_RATE, math.ceil(2 * size / options.interval)), _MAX_SEND_RATE)
    config = Config(send_rate_min=rate, send_rate_max=rate)
    try:
        connection = connect(host, port, timeout=options.timeout, config=config, expect=authentication.expect)
    except ConnectFailed as error:
        raise CommandError(f"cannot connect to {host} port {port}: {error}") from None
    with connection:
        kind = "reliable" if options.reliable else "unreliable"
        output.line(f"ping {connection.remote_address}: {options.count} {kind} messages of {size} bytes", "bold")
        if proved := proof(connection.info(), authentication.expect):
            output.line(f"server: {proved}", "green")
        pinger = _Pinger(connection, options, output)
        interrupted = False
        trouble = ""
        try:
            pinger.run()
        except KeyboardInterrupt:
            interrupted = True
        except ConnectionClosed as error:
            trouble = f"the connection was {error}"
        pinger.report()
        if trouble:
            raise CommandError(trouble)
        if interrupted:
            return 130
        if not pinger.times_ms:
            raise CommandError("connected, but no message came back: does that server echo?")
    return 0


class _Pinger:
    """Sends the messages over a connection and measures their round trips."""

    def __init__(self, connection: Connection, options: argparse.Namespace, output: Output) -> None:
        self.times_ms: list[float] = []
        self._connection = connection
        self._options = options
        self._output = output
        self._key = os.urandom(8)
        self._padding = bytes(options.size - _HEADER.size)
        self._sent_us: dict[int, int] = {}
        self._sent = 0

    def run(self) -> None:
        count: int = self._options.count
        begin = time.monotonic()
        for sequence in range(count):
            self._send(sequence)
            if sequence < count - 1:
                self._receive_until(begin + (sequence + 1) * self._options.interval, stop_when_complete=False)
        # Late messages may still be on their way: wait for several times the slowest round trip so far.
        waits = max(0.5, 4 * max(self.times_ms) / 1000) if self.times_ms and not self._options.reliable else math.inf
        self._receive_until(time.monotonic() + min(self._options.timeout, waits), stop_when_complete=True)

    def _send(self, sequence: int) -> None:
        message = _HEADER.pack(self._key, sequence) + self._padding
        now = time_us()
        with contextlib.suppress(SendQueueFull):  # then it was not sent, and does not count as lost
            self._connection.send(message, reliable=self._options.reliable, nagle=False)
            self._sent_us[sequence] = now
            self._sent += 1

    def _receive_until(self, end: float, *, stop_when_complete: bool) -> None:
        while not (stop_when_complete and not self._sent_us):
            remaining = end - time.monotonic()
            if remaining <= 0:
                return
            with contextlib.suppress(TimeoutError):
                for message in self._connection.recv_many(timeout=remaining):
                    self._take(message.data, message.received_us)

    def _take(self, data: bytes, received_us: int) -> None:
        if len(data) != self._options.size or not data.startswith(self._key):
            return
        _, sequence = _HEADER.unpack_from(data)
        sent_us = self._sent_us.pop(sequence, None)
        if sent_us is None:  # a duplicate
            return
        # The native thread records the arrival: Python's wake-up is not part of the round trip.
        milliseconds = (received_us - sent_us) / 1000
        self.times_ms.append(milliseconds)
        if not self._options.quiet:
            self._output.line(f"  {len(data)} bytes, seq {sequence + 1}: {milliseconds:.3f} ms")

    def report(self) -> None:
        times = sorted(self.times_ms)
        lost = self._sent - len(times)
        share = f"{lost / self._sent:.1%}" if self._sent else "-"
        rows = [
            ["sent", str(self._sent)],
            ["came back", str(len(times))],
            ["unanswered" if self._options.reliable else "lost", f"{lost} ({share})"],
        ]
        if times:
            rows.append(["min", f"{times[0]:.3f} ms"])
            rows += [[f"p{percent}", f"{_percentile(times, percent):.3f} ms"] for percent in _PERCENTILES]
            rows.append(["max", f"{times[-1]:.3f} ms"])
        status = self._connection.stats()
        rows.append(["GNS's own ping", known(status.ping_ms, "{} ms")])
        rows.append(["quality", known(status.quality_local, "{:.1%}")])
        self._output.table("round trips", ["", ""], rows)


def _percentile(ordered: list[float], percent: float) -> float:
    """Return the smallest value that is not exceeded by `percent` of all values (nearest rank)."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
