"""The server process of ``gns-py demo``, and the parts that it shares with the client."""

from __future__ import annotations

import contextlib
import logging
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import (
    Config,
    ConnectionClosed,
    ConnectionRequest,
    ConnectionStatus,
    Message,
    MessageReceived,
    StatusChanged,
    set_config,
    time_us,
)
from ..sync import Connection, listen

if TYPE_CHECKING:
    from multiprocessing.connection import Connection as Pipe

LARGE = 512 * 1024
SEND_RATE = 16 * 1024 * 1024
LIMIT = 25.0
"""The number of seconds after which both processes give up."""
CONNECTION_CONFIG = Config(
    send_rate_min=SEND_RATE,
    send_rate_max=SEND_RATE,
    send_buffer_size=4 * LARGE,  # unacknowledged data counts, too
    timeout_connected=5000,
    send_time_since_previous_packet=1,  # otherwise GNS measures jitter only occasionally
)


class Entry(NamedTuple):
    """One line of the timeline. `when` is a time.perf_counter(), which all processes of a machine share."""

    when: float
    who: str
    text: str


@dataclass
class Side:
    """Counts and measurements of one end."""

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
        """Send a message and count it."""
        connection.send(data, reliable=reliable, nagle=False)
        self.bytes_sent += len(data)
        if reliable:
            self.reliable_sent += 1
        else:
            self.unreliable_sent += 1

    def received(self, message: Message) -> None:
        """Count a message that arrived."""
        self.bytes_received += len(message.data)
        if message.reliable:
            self.reliable_received += 1
        else:
            self.unreliable_received += 1
        if len(message.data) == LARGE:
            self.large_received_at = clock(message.received_us)

    def measure(self, connection: Connection) -> None:
        """Store the connection's statistics and flags."""
        self.status = connection.stats()
        self.flags = connection.info().flags


def simulation(loss: float, lag: int) -> Config:
    """Return the options of a bad network for the packets that this process sends: loss in percent, lag in ms."""
    return Config(fake_packet_loss_send=loss, fake_packet_lag_send=lag)


def clock(when_us: int) -> float:
    """Convert a time of GNS's clock, which differs between processes, to one of time.perf_counter()."""
    return time.perf_counter() - (time_us() - when_us) / 1e6


def state_change(who: str, event: StatusChanged[Any]) -> Entry:
    """Return the line for a change of state."""
    reason = f" ({event.end})" if event.end else ""
    return Entry(clock(event.time_us), who, f"{event.old} -> {event.new}{reason}")


def run_server(pipe: Pipe, loss: float, lag: int) -> None:
    """Echo one connection's messages. The pipe gets the address, entries of the timeline, and at the end the Side."""
    # Ctrl-C reaches this process, too, but it is to end after the other one, when the pipe closes.
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
        while time.monotonic() < deadline and not pipe.poll():  # nothing is sent this way: readable means closed
            for event in socket.poll(timeout=0.05):
                match event:
                    case ConnectionRequest():
                        event.accept()
                    case MessageReceived(connection, message):
                        side.received(message)
                        if len(message.data) == LARGE:
                            text = f"received {len(message.data):,} bytes in one message"
                            pipe.send(Entry(side.large_received_at, "server", text))
                        with contextlib.suppress(ConnectionClosed):  # its StatusChanged follows
                            side.send(connection, message.data, reliable=message.reliable)
                    case StatusChanged(connection) if event.end:
                        side.measure(connection)
                        pipe.send(side)
                        return
