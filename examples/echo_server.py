"""An echo server: sends every message back to its sender.

    python echo_server.py [HOST] [PORT]      (127.0.0.1 27015; port 0 finds a free one)

Each connection has a thread of its own, so the handler reads like a conversation. Ctrl-C ends the server and notifies
its clients. Try it with echo_client.py, or with `gns-py ping 127.0.0.1:27015`.
"""

import argparse
import contextlib

import gns_py.sync as gns


def handler(connection: gns.Connection) -> None:
    print(f"{connection.remote_address} connected", flush=True)
    try:
        while True:
            message = connection.recv_message()
            # nagle=False: this answer is complete, and no other message could share its packet.
            connection.send(message.data, reliable=message.reliable, nagle=False)
    except gns.ConnectionClosed as closed:
        print(f"{connection.remote_address} {closed}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Sends every message back.")
    parser.add_argument("host", nargs="?", default="127.0.0.1")
    parser.add_argument("port", nargs="?", type=int, default=27015)
    arguments = parser.parse_args()

    with contextlib.suppress(KeyboardInterrupt), gns.serve(handler, arguments.host, arguments.port) as server:
        print(f"listening on {server.address}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
