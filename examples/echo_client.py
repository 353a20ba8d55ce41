"""An echo client: sends lines to an echo server, and prints the answers and their round-trip times.

    python echo_client.py [HOST] [PORT] [LINE ...]      (127.0.0.1 27015 hello)

The exit code is 0 if every line was answered, and 1 if not. Start echo_server.py first.
"""

import argparse
import sys
import time

import gns_py.sync as gns


def main() -> int:
    parser = argparse.ArgumentParser(description="Sends lines to an echo server.")
    parser.add_argument("host", nargs="?", default="127.0.0.1")
    parser.add_argument("port", nargs="?", type=int, default=27015)
    parser.add_argument("lines", nargs="*", metavar="LINE", default=["hello"])
    arguments = parser.parse_args()

    try:
        with gns.connect(arguments.host, arguments.port, timeout=3.0) as connection:
            for line in arguments.lines:
                started = time.perf_counter()
                connection.send(line.encode(), nagle=False)
                answer = connection.recv(timeout=3.0).decode()
                print(f"{answer}    ({1000 * (time.perf_counter() - started):.2f} ms)")
            # More that GNS knows about the connection.
            status = connection.stats()
            print(f"{connection.state}, ping {status.ping_ms} ms, {connection.info().flags!r}")
            connection.close(1000, "that was all")
    except (gns.ConnectionClosed, OSError) as error:  # TimeoutError is an OSError
        print(f"failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
