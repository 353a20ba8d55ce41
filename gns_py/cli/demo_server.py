"""The server process of ``gns-py demo``, and what both of its processes share."""

from __future__ import annotations

import contextlib
import logging
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from .._core.runtime import set_config, time_us
from ..config import Config
from ..errors import ConnectionClosed
from ..events import StatusChanged
from ..message import Message
from ..stats import ConnectionStatus
from ..sync import Connection, ConnectionRequest, MessageReceived, listen

if TYPE_CHECKING:
    from multiprocessing.connection import Connection as Pipe

LARGE = 512 * 1024
SEND_RATE = 16 * 1024 * 1024
LIMIT = 25.0
"""Seconds after which both processes give up, whatever happens."""
CONNECTION_CONFIG = Config(
    send_rate_min=SEND_RATE,
    send_rate_max=SEND_RATE,
    send_buffer_size=4 * LARGE,  # what is not acknowledged yet counts, too
    timeout_connected=5000,
    send_time_since_previous_packet=1,  # else GNS measures jitter only now and then
)


class Entry(NamedTuple):
    """One line of the timeline. when: of time.perf_counter(), which all processes of a machine share."""

    when: float
    who: str
    text: str


@dataclass
class Side:
    """What one end has counted and measured."""

    reliable_sent: int = 0
    reliable_received: int = 0
    unreliable_sent: int = 0
    unreliable_received: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    large_received_at: float = 0.0
    status: ConnectionStatus | None = None
    flags: int = 0

    def send(self, connection: Connection, data: bytes, *, reliable: bool) -> None:
        connection.send(data, reliable=reliable, nagle=False)
        self.bytes_sent += len(data)
        if reliable:
            self.reliable_sent += 1
        else:
            self.unreliable_sent += 1

    def received(self, message: Message) -> None:
        self.bytes_received += len(message.data)
        if message.reliable:
            self.reliable_received += 1
        else:
            self.unreliable_received += 1
        if len(message.data) == LARGE:
            self.large_received_at = clock(message.received_us)

    def measure(self, connection: Connection) -> None:
        self.status = connection.stats()
        self.flags = connection.info().flags


def simulation(loss: float, lag: int) -> Config:
    """A bad network, for all that this process sends. loss: percent. lag: ms."""
    return Config(fake_packet_loss_send=loss, fake_packet_lag_send=lag)


def clock(when_us: int) -> float:
    """A time of GNS's clock, which each process has its own of, as one of time.perf_counter()."""
    return time.perf_counter() - (time_us() - when_us) / 1e6


def state_change(who: str, event: StatusChanged[Any]) -> Entry:
    reason = f" ({event.end})" if event.end else ""
    return Entry(clock(event.time_us), who, f"{event.old} -> {event.new}{reason}")


def run_server(pipe: Pipe, loss: float, lag: int) -> None:
    """Echoes what one connection sends, and tells the pipe: the address, entries of the timeline, at last its Side."""
    # Ctrl-C reaches this process, too. It ends when the other one does: the pipe is closed then.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.getLogger("gns_py").setLevel(logging.CRITICAL)
    set_config(simulation(loss, lag))
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        _serve(pipe)


def _serve(pipe: Pipe) -> None:
    def on_status_changed(event: StatusChanged[Connection]) -> None:
        pipe.send(state_change("server", event))

    side = Side()
    deadline = time.monotonic() + LIMIT
    with listen("127.0.0.1", 0, config=CONNECTION_CONFIG, limits=None, on_status_changed=on_status_changed) as socket:
        pipe.send(tuple(socket.address))
        while time.monotonic() < deadline and not pipe.poll():  # nothing is sent this way: it would be the end
            for event in socket.poll(timeout=0.05):
                match event:
                    case ConnectionRequest():
                        event.accept()
                    case MessageReceived(connection, message):
                        side.received(message)
                        if len(message.data) == LARGE:
                            text = f"received {len(message.data):,} bytes in one message"
                            pipe.send(Entry(side.large_received_at, "server", text))
                        with contextlib.suppress(ConnectionClosed):  # its StatusChanged comes next
                            side.send(connection, message.data, reliable=message.reliable)
                    case StatusChanged(connection) if event.end:
                        side.measure(connection)
                        pipe.send(side)
                        return
