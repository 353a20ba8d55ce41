"""Strangers: they request connections as GNS does, from any address of this machine, and never complete them.

They need no keys: each sends the connect request of a client of ours, with a number and a challenge of its own.
"""

from __future__ import annotations

import contextlib
import functools
import ipaddress
import select
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from types import TracebackType

import gns_py.sync as gns

from .deadline import PATIENCE

# All of 127.0.0.0/8 is this machine, except on macOS.
ANY_LOOPBACK = sys.platform != "darwin"

_CHALLENGE_REQUEST, _CHALLENGE_REPLY, _CONNECT_REQUEST, _CONNECT_OK, _CLOSED = range(32, 37)
_Address = tuple[str, int]


def loopback(number: int) -> str:
    """Return the address with that number in 127.0.0.0/8."""
    return str(ipaddress.IPv4Address("127.1.0.0") + number)


class Strangers:
    """Strangers with one address each, and their answers; closed at the end of the block.

    With the packets that an observer has recorded, they send the connect request among them.
    """

    def __init__(self, server: _Address, hosts: Sequence[str], recorded: Sequence[bytes] = ()) -> None:
        requests = [packet for packet in recorded if packet[0] == _CONNECT_REQUEST] or [connect_request()]
        self._request = bytearray(requests[-1])
        self._sockets: dict[int, socket.socket] = {}
        for host in hosts:
            one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            one.bind((host, 0))
            one.connect(server)
            one.setblocking(False)
            self._sockets[one.fileno()] = one
        self.refusals: list[str] = []
        """The texts that refused strangers were told."""
        self.requested = 0
        """The number that have requested a connection: their address is proved."""
        self.accepted = 0

    def ask(self, rounds: int = 1) -> Strangers:
        """Let each request a connection, from the first step on."""
        for _ in range(rounds):
            for one in self._sockets.values():
                with contextlib.suppress(OSError):
                    one.send(challenge_request(1))
            self.look(0.0)
        return self

    def look(self, seconds: float) -> Strangers:
        """Handle what arrives within that time."""
        end = time.monotonic() + seconds
        while readable := select.select(list(self._sockets), [], [], max(0.0, end - time.monotonic()))[0]:
            for descriptor in readable:
                one = self._sockets[descriptor]
                with contextlib.suppress(OSError):
                    self._answer(one, one.recv(2048))
        return self

    def _answer(self, one: socket.socket, packet: bytes) -> None:
        if packet[0] == _CHALLENGE_REPLY:
            self.requested += 1
            at = _places(bytes(self._request))
            struct.pack_into("<I", self._request, at[1], self.requested + 1000)
            self._request[at[2] : at[2] + 8] = packet[7:15]
            one.send(self._request)
        elif packet[0] == _CONNECT_OK:
            self.accepted += 1
        elif packet[0] == _CLOSED:
            size = struct.unpack_from("<H", packet, 1)[0]
            self.refusals.append(packet[3 : 3 + size].decode("latin-1"))

    def __enter__(self) -> Strangers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for one in self._sockets.values():
            one.close()


def challenge_request(connection: int) -> bytes:
    """Return a request, padded to 512 bytes, as GNS requires."""
    body = struct.pack("<BIBQBB", 0x0D, connection, 0x19, 1, 0x20, 13)
    return (struct.pack("<BH", _CHALLENGE_REQUEST, len(body)) + body).ljust(512, b"\0")


@functools.cache
def connect_request() -> bytes:
    """Return what a client of ours sends when its challenge has arrived."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as between, gns.listen("127.0.0.1", 0, limits=None) as server:
        between.bind(("127.0.0.1", 0))
        between.settimeout(10.0 * PATIENCE)
        client = gns.connect(*between.getsockname(), timeout=10.0 * PATIENCE, wait=False)
        try:
            there = server.address
            here: _Address | None = None
            while True:
                packet, source = between.recvfrom(2048)
                if packet[0] == _CONNECT_REQUEST:
                    return packet
                if source == there:
                    assert here is not None
                    between.sendto(packet, here)
                else:
                    here = source
                    between.sendto(packet, there)
        finally:
            client.close(linger=False)


def _places(message: bytes) -> dict[int, int]:
    """Return where the values of a message's numbered fields begin, for fields of fixed size."""
    found: dict[int, int] = {}
    at = 1
    while at < len(message):
        number, kind = message[at] >> 3, message[at] & 7
        at += 1
        if kind in (1, 5):
            found[number] = at
            at += 8 if kind == 1 else 4
            continue
        value = shift = 0
        while True:
            value |= (message[at] & 127) << shift
            shift += 7
            at += 1
            if message[at - 1] < 128:
                break
        if kind == 2:
            at += value
    return found


@contextlib.contextmanager
def flood(server: _Address, hosts: Sequence[str]) -> Iterator[Strangers]:
    """Send requests again and again, as fast as possible, in a thread of its own."""
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            strangers.ask().look(0.0)
            time.sleep(0.001)

    with Strangers(server, hosts) as strangers:
        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield strangers
        finally:
            stop.set()
            thread.join()
