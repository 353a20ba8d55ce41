"""``gns-py echo``: a server that sends back what it gets, for `gns-py ping` and for any other GNS client."""

from __future__ import annotations

import argparse
import contextlib
import time
from typing import TYPE_CHECKING

from .._generated.enums import ConnectionState
from ..config import Config
from ..errors import SendQueueFull
from ..sync import Connection, Message, StatusChanged, serve
from .arguments import DEFAULT_PORT, host, port
from .output import Output

if TYPE_CHECKING:
    from .arguments import Commands

# What comes in has been paced by its sender: GNS's 256 KiB/s would only add to the times that clients measure.
_SEND_RATE = 8 * 1024 * 1024
# Once it is drained to one half, a message of any size has room.
_SEND_BUFFER = 2 * 1024 * 1024


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "echo",
        help="run a server that sends every message back",
        description="Sends every message back, on the lane it came on and as reliably. Ctrl-C ends it.",
    )
    parser.add_argument(
        "--host", type=host, default="0.0.0.0", help="where to listen (%(default)s; :: for IPv6 as well)"
    )
    parser.add_argument("--port", type=port, default=DEFAULT_PORT, help="UDP port (%(default)s; 0 finds a free one)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, output: Output) -> int:
    def on_status_changed(event: StatusChanged[Connection]) -> None:
        peer = event.info.remote_address
        clock = time.strftime("%H:%M:%S")
        with contextlib.suppress(OSError):  # whoever has read this may be gone: the server goes on
            if event.new is ConnectionState.CONNECTED:
                output.line(f"{clock}  {peer} connected", "green")
            elif event.end is not None:
                output.line(f"{clock}  {peer} {event.end}", "dim" if event.end.ok else "yellow")

    config = Config(send_rate_min=_SEND_RATE, send_rate_max=_SEND_RATE, send_buffer_size=_SEND_BUFFER)
    with serve(_echo, options.host, options.port, config=config, on_status_changed=on_status_changed) as server:
        output.line(f"listening on {server.address}", "bold")
        server.serve_forever()
    return 0


def _echo(connection: Connection) -> None:
    lanes = 1
    while True:
        message = connection.recv_message()
        if message.lane >= lanes:
            lanes = message.lane + 1
            connection.configure_lanes([0] * lanes)
        _send_back(connection, message)


def _send_back(connection: Connection, message: Message) -> None:
    def send() -> None:
        # Without Nagle: whoever asks wants to know how long the way is, not how long we wait for more.
        connection.send(message.data, reliable=message.reliable, nagle=False, lane=message.lane)

    try:
        send()
    except SendQueueFull:
        if message.reliable:
            connection.drain()
            send()
