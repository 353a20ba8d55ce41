"""One end of a pair, a program: python peer_program.py listen, which prints its port, or python peer_program.py connect PORT.

The connecting end sends reliable and unreliable messages, wants them back unchanged, and says goodbye, which the other
end wants to hear. Exit code 0 if all that has happened.
"""

from __future__ import annotations

import random
import sys

import gns_py.sync as gns

RELIABLE = [50_000, 1, 20_000, 50_000]
"""Sizes of the reliable messages: one packet, and many."""
UNRELIABLE = 100
"""How many unreliable messages; that a few get lost on their way is no failure."""
GOODBYE = (1234, "that was all")
TIMEOUT = 60.0  # one end may be emulated


def listen() -> None:
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
    with gns.connect("127.0.0.1", port, timeout=TIMEOUT) as connection:
        for size in RELIABLE:
            sent = random.randbytes(size)
            connection.send(sent)
            assert connection.recv(timeout=TIMEOUT) == sent
        came = 0
        for number in range(UNRELIABLE):
            sent = b"%d" % number * 100
            connection.send(sent, reliable=False, nagle=False)
            try:
                back = connection.recv_message(timeout=2.0)
            except TimeoutError:
                continue
            assert not back.reliable
            came += back.data == sent
        assert came > UNRELIABLE * 0.9, came
        print(f"{len(RELIABLE)} reliable messages and {came} of {UNRELIABLE} unreliable ones came back")
        connection.close(*GOODBYE)


if __name__ == "__main__":
    if sys.argv[1] == "listen":
        listen()
    else:
        connect(int(sys.argv[2]))
