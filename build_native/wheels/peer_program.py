"""One end of a pair, as a program.

    python peer_program.py listen             (prints its port)
    python peer_program.py connect PORT

The connecting end sends reliable and unreliable messages, expects them back unchanged, and closes with a reason that
the other end expects. The exit code is 0 if all of this happened.
"""

from __future__ import annotations

import random
import sys

import gns_py.sync as gns

RELIABLE = [50_000, 1, 20_000, 50_000]
"""The sizes of the reliable messages: one packet, and many."""
UNRELIABLE = 100
"""The number of unreliable messages. Losing a few is not a failure."""
GOODBYE = (1234, "that was all")
TIMEOUT = 60.0  # seconds; one end may be emulated


def listen() -> None:
    """Echo the messages of one connection."""
    with gns.listen("127.0.0.1", 0) as listener:
        print(listener.address.port, flush=True)
        with listener.accept(timeout=TIMEOUT) as connection:
            try:
                while True:
                    message = connection.recv_message(timeout=TIMEOUT)
                    connection.send(message.data, reliable=message.reliable, nagle=False)
            except gns.ConnectionClosed as closed:
                said = (closed.end.code, closed.end.text)
    assert said == GOODBYE, said


def connect(port: int) -> None:
    """Send messages and check the echo."""
    with gns.connect("127.0.0.1", port, timeout=TIMEOUT) as connection:
        for size in RELIABLE:
            sent = random.randbytes(size)
            connection.send(sent)
            assert connection.recv(timeout=TIMEOUT) == sent
        echoed = 0
        for number in range(UNRELIABLE):
            sent = b"%d" % number * 100
            connection.send(sent, reliable=False, nagle=False)
            try:
                back = connection.recv_message(timeout=2.0)
            except TimeoutError:
                continue
            assert not back.reliable
            echoed += back.data == sent
        assert echoed > UNRELIABLE * 0.9, echoed
        print(f"{len(RELIABLE)} reliable messages and {echoed} of {UNRELIABLE} unreliable ones came back")
        connection.close(*GOODBYE)


if __name__ == "__main__":
    if sys.argv[1] == "listen":
        listen()
    else:
        connect(int(sys.argv[2]))
