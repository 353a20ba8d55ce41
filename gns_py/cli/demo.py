"""``gns-py demo``: a client and a server in two processes, over loopback and a bad network that GNS simulates.

This process is the client, and the server is its child (demo_server). Events of both are printed as one timeline.
With ``--failover`` it is another demo (failover).
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from .. import ConfigValue, ConnectFailed, EndReason, InfoFlags, get_config, reset_config, set_config
from ..sync import Connection, StatusChanged, connect
from .arguments import AddParser, integer, number
from .demo_server import CONNECTION_CONFIG, LARGE, LIMIT, SEND_RATE, Entry, Side, run_server, simulation, state_change
from .output import CommandError, Output, known

if TYPE_CHECKING:
    from multiprocessing.connection import Connection as Pipe

_RATE_HZ = 50
_UNRELIABLE = 150
_RELIABLE_EVERY = 5
_FAKES = (ConfigValue.FAKE_PACKET_LOSS_SEND, ConfigValue.FAKE_PACKET_LAG_SEND)
# The longest that each step may take, in seconds; all of them together may take LIMIT.
_START, _CONNECT, _ARRIVE, _END = 10.0, 7.0, 6.0, 8.0
# GNS measures rates and quality over some seconds: this long after connecting they are known, or left out.
_MEASURED = 8.0


def add_parser(add: AddParser) -> None:
    """Add this command's parser."""
    parser = add(
        "demo",
        help="watch a server and a client communicate over a bad network",
        description="Start a server process, connect to it over loopback, and show what happens at both ends. "
        "Or, with --failover, play with servers that are killed.",
    )
    _add_options(parser, _NETWORK)
    parser.add_argument(
        "--failover", action="store_true", help="kill servers; players go on at others, and no message is lost"
    )
    _add_options(parser.add_argument_group("with --failover"), _FAILOVER)
    parser.set_defaults(run=run, wrong_usage=parser.error)


class _Option(NamedTuple):
    """An option of one of the two demos. Its default is filled in later, so that the other demo can refuse it."""

    name: str
    type: Callable[[str], object]
    default: object
    metavar: str
    help: str


_NETWORK = [
    _Option("loss", number(0, 100), 5.0, "PERCENT", "packet loss in each direction (5)"),
    _Option("lag", number(0, 1000), 50.0, "MS", "delay of each packet, one way (50)"),
]
_FAILOVER = [
    _Option("players", integer(1, 50), 3, "COUNT", "number of players (3)"),
    _Option("seconds", number(5, 86_400), 20.0, "SECONDS", "duration (20)"),
    _Option("store", str, None, "URL", "a Valkey or Redis that runs, as valkey://localhost; else one is started"),
]


def _add_options(parser: argparse._ActionsContainer, options: list[_Option]) -> None:
    for each in options:
        parser.add_argument(f"--{each.name}", type=each.type, metavar=each.metavar, help=each.help)


def _settle(options: argparse.Namespace) -> None:
    """Fill in the defaults, and refuse options of the other demo."""
    used, others = (_FAILOVER, _NETWORK) if options.failover else (_NETWORK, _FAILOVER)
    for each in others:
        if getattr(options, each.name) is not None:
            options.wrong_usage(f"--{each.name} {'does not go with' if options.failover else 'needs'} --failover")
    for each in used:
        if getattr(options, each.name) is None:
            setattr(options, each.name, each.default)


def run(options: argparse.Namespace, output: Output) -> int:
    """Run the command, and return its exit code."""
    _settle(options)
    if options.failover:
        from . import failover  # here, since the other commands need no sessions

        return failover.run(options, output)
    network = options.loss, int(options.lag)
    # A new process, not a fork: the child of a process where GNS runs cannot use it.
    context = multiprocessing.get_context("spawn")
    pipe, server_pipe = context.Pipe()
    server = context.Process(target=run_server, args=(server_pipe, *network), name="gns-py demo server", daemon=True)
    server.start()
    server_pipe.close()
    timeline = _Timeline(pipe, output)
    try:
        set_config(simulation(*network))
        timeline.add(
            "network",
            f"simulated: {options.loss:g} % of the packets are lost, all others take {network[1]} ms, each way",
        )
        client = _Client(timeline)
        client.run()
    finally:
        timeline.show()
        reset_config(*_FAKES)
        pipe.close()
        server.join(1.0)
        server.kill()
        server.join()
    assert timeline.server is not None
    _report(client, timeline.server, output)
    return 0


class _Timeline:
    """Events of both ends, printed in the order of their times."""

    def __init__(self, pipe: Pipe, output: Output) -> None:
        self.address: tuple[str, int] | None = None
        self.server: Side | None = None
        self._pipe = pipe
        self._output = output
        self._begin = time.perf_counter()
        self._entries: list[Entry] = []

    def add(self, who: str, text: str) -> None:
        self.append(Entry(time.perf_counter(), who, text))

    def append(self, entry: Entry) -> None:
        self._entries.append(entry)

    def hear(self, timeout: float = 0.0) -> None:
        """Take all that the server has sent, after waiting up to `timeout` seconds for the first of it."""
        try:
            while self.server is None and self._pipe.poll(timeout):
                timeout = 0.0
                item = self._pipe.recv()
                if isinstance(item, Entry):
                    self.append(item)
                elif isinstance(item, Side):
                    self.server = item
                else:
                    self.address = item
        except (EOFError, ConnectionResetError):
            raise CommandError("the server process ended too early") from None

    def show(self) -> None:
        """Print the entries that have not been printed yet."""
        with contextlib.suppress(CommandError):  # a later hear() raises it again
            self.hear()
        for when, who, text in sorted(self._entries):
            style = {"client": "green", "server": "cyan"}.get(who, "dim")
            self._output.line(f"{when - self._begin:7.3f} s  {who:<8}{text}", style)
        self._entries.clear()


class _Client:
    """The client: connects, sends and receives, and checks each message."""

    def __init__(self, timeline: _Timeline) -> None:
        self.side = Side()
        self.jitter_us = 0
        self.large_sent_at = 0.0
        self._timeline = timeline
        self._deadline = time.monotonic() + LIMIT
        self._reliable_back: list[bytes] = []
        self._unreliable_back: list[bytes] = []

    def run(self) -> None:
        timeline = self._timeline
        self._wait(lambda: timeline.address, _START, "the server process did not start", timeline.hear)
        assert timeline.address is not None
        try:
            connection = connect(
                *timeline.address, timeout=_CONNECT, config=CONNECTION_CONFIG, on_status_changed=self._on_status_changed
            )
        except ConnectFailed as error:
            raise CommandError(f"the client did not get through to the server: {error}") from None
        begin = time.monotonic()
        try:
            timeline.show()
            self._exchange_small(connection)
            timeline.show()
            self._exchange_large(connection)
            timeline.show()
            self._measure(connection, begin + _MEASURED)
            timeline.add("network", "loss and lag end: the close is announced only once, and must arrive")
            reset_config(*_FAKES)
            connection.close(EndReason.APP_GENERIC, "the demo is over")
        finally:
            connection.close(linger=False)  # no need to linger after a failure; closing twice does no harm
        self._wait(lambda: timeline.server, _END, "the server did not notice the end", timeline.hear)

    def _on_status_changed(self, event: StatusChanged[Connection]) -> None:
        self._timeline.append(state_change("client", event))

    def _exchange_small(self, connection: Connection) -> None:
        """Send like a game: a stream of unreliable messages with a reliable one now and then."""
        unreliable = [b"unreliable %d" % i + bytes(200) for i in range(_UNRELIABLE)]
        reliable = [b"reliable %d" % i for i in range(_UNRELIABLE // _RELIABLE_EVERY)]
        plan = f"{len(unreliable)} unreliable and {len(reliable)} reliable messages, {_RATE_HZ} times a second"
        self._timeline.add("client", f"sends {plan}; the server sends each back")
        begin = time.monotonic()
        for i, data in enumerate(unreliable):
            self.side.send(connection, data, reliable=False)
            if i % _RELIABLE_EVERY == 0:
                self.side.send(connection, reliable[i // _RELIABLE_EVERY], reliable=True)
            next_tick = begin + (i + 1) / _RATE_HZ
            while (remaining := next_tick - time.monotonic()) > 0:
                self._receive(connection, remaining)
        self._wait(
            lambda: len(self._reliable_back) >= len(reliable),
            _ARRIVE,
            "not all reliable messages came back",
            lambda timeout: self._receive(connection, timeout),
        )
        if self._reliable_back != reliable:
            raise CommandError("reliable messages came back changed or in another order")
        if not set(self._unreliable_back) <= set(unreliable):
            raise CommandError("unreliable messages came back changed")
        self._timeline.add("client", f"received all {len(reliable)} reliable messages back, in order")

    def _exchange_large(self, connection: Connection) -> None:
        default = int(get_config(ConfigValue.SEND_RATE_MAX))
        rates = f"{SEND_RATE // 2**20} MiB/s, raised from GNS's {default // 2**10} KiB/s"
        self._timeline.add("client", f"sends {LARGE:,} bytes in one message, at a send rate of {rates}")
        data = os.urandom(LARGE)
        self._reliable_back.clear()
        self.large_sent_at = time.perf_counter()
        self.side.send(connection, data, reliable=True)
        self._wait(
            lambda: self._reliable_back,
            _ARRIVE,
            f"the message of {LARGE:,} bytes did not come back",
            lambda timeout: self._receive(connection, timeout),
        )
        if self._reliable_back != [data]:
            raise CommandError(f"the message of {LARGE:,} bytes came back changed")
        self._timeline.add("client", f"received the {LARGE:,} bytes back, unchanged")

    def _measure(self, connection: Connection, until: float) -> None:
        self._timeline.add("client", "waits until GNS has measured the rates")
        while True:
            self._receive(connection, 0.1)
            self.side.measure(connection)
            status = self.side.status
            assert status is not None
            self.jitter_us = max(self.jitter_us, status.max_jitter_us or 0)  # each call resets it
            if status.quality_local is not None or time.monotonic() >= until:
                break
        if not self._unreliable_back:
            raise CommandError(f"none of {_UNRELIABLE} unreliable messages came back")

    def _receive(self, connection: Connection, timeout: float) -> None:
        self._timeline.hear()
        with contextlib.suppress(TimeoutError):
            for message in connection.recv_many(timeout=timeout):
                self.side.received(message)
                (self._reliable_back if message.reliable else self._unreliable_back).append(message.data)

    def _wait(self, ready: Callable[[], object], limit: float, failure: str, step: Callable[[float], None]) -> None:
        deadline = min(time.monotonic() + limit, self._deadline)
        while not ready():
            if time.monotonic() >= deadline:
                raise CommandError(f"{failure} within {limit:g} s")
            step(0.05)


def _report(client: _Client, server: Side, output: Output) -> None:
    ends = client.side, server
    statuses = [end.status for end in ends if end.status is not None]
    jitters = [client.jitter_us / 1000, (statuses[1].max_jitter_us or 0) / 1000]
    # Messages that one end has sent and the other has not received.
    lost = [
        ends[0].unreliable_sent - ends[1].unreliable_received,
        ends[1].unreliable_sent - ends[0].unreliable_received,
    ]
    rows = [
        ["ping", *(known(status.ping_ms, "{} ms") for status in statuses)],
        ["jitter, largest", *(f"{jitter:.1f} ms" for jitter in jitters)],
        ["packets received in order", *(known(status.quality_local, "{:.1%}") for status in statuses)],
        ["packets out", *(f"{status.out_packets_per_second:.0f}/s" for status in statuses)],
        ["packets in", *(f"{status.in_packets_per_second:.0f}/s" for status in statuses)],
        ["data out", *(f"{status.out_bytes_per_second / 1024:.0f} KiB/s" for status in statuses)],
        ["data in", *(f"{status.in_bytes_per_second / 1024:.0f} KiB/s" for status in statuses)],
        ["reliable messages sent", *(str(end.reliable_sent) for end in ends)],
        ["reliable messages received", *(str(end.reliable_received) for end in ends)],
        ["unreliable messages sent", *(str(end.unreliable_sent) for end in ends)],
        ["unreliable messages received", *(str(end.unreliable_received) for end in ends)],
        ["unreliable messages lost", *(str(each) for each in lost)],
        ["bytes sent in messages", *(f"{end.bytes_sent:,}" for end in ends)],
        ["bytes received in messages", *(f"{end.bytes_received:,}" for end in ends)],
        ["encryption", *(_encryption(end.flags) for end in ends)],
        ["peer authenticated", *(_authentication(end.flags) for end in ends)],
    ]
    output.line()
    output.table("what the connection measured", ["", "client", "server"], rows)
    seconds = server.large_received_at - client.large_sent_at
    output.line()
    output.line(f"{LARGE // 1024} KiB in one message: {seconds:.3f} s one way, {LARGE / seconds / 2**20:.2f} MiB/s")
    output.line("All reliable messages arrived, unchanged and in order.", "bold green")


def _encryption(flags: int) -> str:
    # GNS has no other cipher.
    return "none" if flags & InfoFlags.UNENCRYPTED else "AES-256-GCM, X25519"


def _authentication(flags: int) -> str:
    return "no (UNAUTHENTICATED)" if flags & InfoFlags.UNAUTHENTICATED else "yes"
