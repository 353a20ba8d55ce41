"""A chat: one server, several clients with names, and notices when they join and leave.

    python chat.py [--host HOST] [--port PORT]            the server (127.0.0.1 27015; port 0 finds a free one)
    python chat.py NAME [--host HOST] [--port PORT]       a client; start each in its own terminal

A client's first message is its name, each later one a line for the others. Ctrl-C, or the end of the input, leaves.
"""

import argparse
import contextlib
import sys
import threading

import gns_py.sync as gns


def readable(data: bytes) -> str:
    """Return the text of a peer, without characters that would control the terminal."""
    return "".join(character for character in data.decode(errors="replace") if character.isprintable())


def serve(host: str, port: int) -> None:
    names: dict[gns.Connection, str] = {}

    def tell(text: str, *, but: gns.Connection | None = None) -> None:
        print(text, flush=True)
        for connection in names.keys() - {but}:
            with contextlib.suppress(gns.ConnectionClosed, gns.SendQueueFull):  # a client that hangs misses a line
                connection.send(text.encode())

    with gns.listen(host, port) as socket:
        print(f"listening on {socket.address}", flush=True)
        while True:
            for event in socket.poll(timeout=None):
                match event:
                    case gns.ConnectionRequest():
                        event.accept()
                    case gns.MessageReceived(connection, message) if connection in names:
                        tell(f"{names[connection]}: {readable(message.data)}", but=connection)
                    case gns.MessageReceived(connection, message):
                        name = readable(message.data)[:20]
                        if name in names.values():
                            connection.close(2000, "that name is taken")
                        else:
                            names[connection] = name
                            tell(f"* {name} has joined")
                    case gns.StatusChanged(connection) if event.end and connection in names:
                        tell(f"* {names.pop(connection)} has left")


def chat(host: str, port: int, name: str) -> None:
    def send_lines() -> None:
        with contextlib.suppress(gns.ConnectionClosed):
            for line in sys.stdin:
                connection.send(line.strip().encode())
            connection.close(1000, "bye")

    try:
        with gns.connect(host, port, timeout=3.0) as connection:
            connection.send(name.encode())
            threading.Thread(target=send_lines, daemon=True).start()  # sending works from any thread
            for data in connection:
                print(readable(data), flush=True)
    except gns.ConnectionClosed as closed:
        sys.exit(str(closed))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A chat.")
    parser.add_argument("name", nargs="?", help="your name, as a client; without it this is the server")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=27015)
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        if options.name is None:
            serve(options.host, options.port)
        else:
            chat(options.host, options.port, options.name)
