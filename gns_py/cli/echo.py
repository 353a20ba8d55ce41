"""``gns-py echo``: a server that sends every message back, for `gns-py ping` or any other GNS client."""

from __future__ import annotations

import argparse
import contextlib
import time

from .. import Config, ConnectionState, Message, SendQueueFull
from ..sync import Connection, StatusChanged, serve
from .arguments import DEFAULT_PORT, AddParser, host, port
from .authentication import add_options, proof, read_options
from .output import Output

# The sender has paced its messages already: GNS's 256 KiB/s would only add to the times that clients measure.
_SEND_RATE = 8 * 1024 * 1024
# When it has drained to one half, a message of any size fits.
_SEND_BUFFER = 2 * 1024 * 1024


def add_parser(add: AddParser) -> None:
    """Add this command's parser."""
    parser = add(
        "echo",
        help="run a server that sends every message back",
        description="Send every message back on its lane, reliably if it was reliable. Ctrl-C ends it.",
    )
    parser.add_argument(
        "--host", type=host, default="0.0.0.0", help="address to listen on (%(default)s; :: for IPv6 as well)"
    )
    parser.add_argument("--port", type=port, default=DEFAULT_PORT, help="UDP port (%(default)s; 0 finds a free one)")
    add_options(parser, expect=False)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, output: Output) -> int:
    """Run the command, and return its exit code."""
    read_options(options).start(require=True)

    def on_status_changed(event: StatusChanged[Connection]) -> None:
        peer = event.info.remote_address
        clock = time.strftime("%H:%M:%S")
        with contextlib.suppress(OSError):  # no one may be reading the output any longer: the server goes on
            if event.new is ConnectionState.CONNECTED:
                proved = proof(event.info)
                output.line(f"{clock}  {peer} connected" + (f", {proved}" if proved else ""), "green")
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
        # Without Nagle: a client measures the network, not how long the server waits for more data.
        connection.send(message.data, reliable=message.reliable, nagle=False, lane=message.lane)

    try:
        send()
    except SendQueueFull:
        if message.reliable:
            connection.drain()
            send()
