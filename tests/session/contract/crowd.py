"""A crowd of half-open handshakes from many loopback addresses, in a process. Arguments: the server's port, how many.

GNS's clients send from one address. So a relay here, on the loopback interface, gives each of them a socket of its own:
127.1.0.1, 127.1.0.2, ... Alternately, one client sends nothing at all, and one sends HELLO and then nothing once it is
accepted. The program prints how many it has begun, how many of them the server has ended and how many are left, once
all have ended.
"""

from __future__ import annotations

import contextlib
import json
import selectors
import socket
import sys
import threading
import time

import gns_py.sync as gns
from gns_py import ClosedBy
from gns_py.session.protocol.frames import Hello

# More at once than a server lets in, and fewer than GNS has in a process.
AT_ONCE = 2_000
ADDRESSES = 500
GIVE_UP = 60.0
HELLO = Hello(1, 1, 0, 1000, 1000, 1000, 0, 0, b"").encode()


class Relay:
    """Forwards datagrams, those of each sender from an address of its own."""

    def __init__(self, port: int) -> None:
        self._server = ("127.0.0.1", port)
        self._inner = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._inner.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._inner.bind(("127.0.0.1", 0))
        self._inner.setblocking(False)
        self.port = self._inner.getsockname()[1]
        self._outer: dict[tuple[str, int], socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._inner, selectors.EVENT_READ)
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
                    while True:
                        if key.data is None:
                            data, sender = self._inner.recvfrom(2048)
                            self._outside(sender).send(data)
                        else:
                            self._inner.sendto(key.fileobj.recv(2048), key.data)  # type: ignore[union-attr]

    def _outside(self, sender: tuple[str, int]) -> socket.socket:
        outer = self._outer.get(sender)
        if outer is None:
            outer = self._outer[sender] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            outer.setblocking(False)
            number = len(self._outer) % ADDRESSES
            outer.bind((f"127.1.{number // 250}.{number % 250 + 1}", 0))
            outer.connect(self._server)
            self._selector.register(outer, selectors.EVENT_READ, sender)
        return outer


def main(port: int, total: int) -> None:
    relay = Relay(port)
    config = gns.Config(timeout_initial=30_000)
    open_now: list[gns.Connection] = []
    begun = ended = 0
    deadline = time.monotonic() + GIVE_UP
    while (begun < total or open_now) and time.monotonic() < deadline:
        for _ in range(min(total - begun, AT_ONCE - len(open_now), 50)):
            connection = gns.connect("127.0.0.1", relay.port, config=config, wait=False)
            if begun % 2:
                with contextlib.suppress(gns.ConnectionClosed):  # the server may be quicker
                    connection.send(HELLO)
            begun += 1
            open_now.append(connection)
        still: list[gns.Connection] = []
        for connection in open_now:
            connection.poll()
            if connection.end is None:
                still.append(connection)
            else:
                ended += connection.end.closed_by is ClosedBy.PEER
                connection.close()
        open_now = still
        time.sleep(0.005)
    print(json.dumps({"begun": begun, "ended": ended, "left": len(open_now)}), flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
