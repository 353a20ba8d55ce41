"""A network between a client and a server that can be cut, mended and changed."""

from __future__ import annotations

import contextlib
import random
import selectors
import socket
import threading
from types import TracebackType

Peer = tuple[str, int]


class Relay:
    """Passes UDP packets between clients and a server, on loopback, in a thread of its own.

    Each client gets an address of its own at the server; change_addresses() gives all of them new ones, as a NAT or
    another network does.
    """

    def __init__(self, server: Peer, *, seed: int = 0) -> None:
        self._server = server
        self._front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._front.bind(("127.0.0.1", 0))
        self.port: int = self._front.getsockname()[1]
        self._backs: dict[Peer, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._front, selectors.EVENT_READ, None)
        self._lock = threading.Lock()
        self._random = random.Random(seed)
        self._held: list[tuple[socket.socket, bytes, Peer]] = []
        self.is_cut = False
        """True: no packet passes."""
        self.is_cut_to_server = False
        """True: no packet passes from the clients to the server."""
        self.is_cut_to_clients = False
        """True: no packet passes from the server to the clients."""
        self.loss = 0.0
        """The part of the packets that are lost."""
        self.reorder = 0.0
        """The part of the packets that are passed after the next one."""
        self.recorded: list[bytes] = []
        """All packets from clients that have arrived."""
        self.answers: list[bytes] = []
        """All packets from servers that have arrived."""
        self.passed = 0
        """The number of packets that have passed."""
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)

    def __enter__(self) -> Relay:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_closed = True
        self._thread.join()
        for back in self._backs.values():
            back.close()
        self._front.close()
        self._selector.close()

    def change_addresses(self) -> None:
        """Give each client another address at the server."""
        with self._lock:
            for back in self._backs.values():
                self._selector.unregister(back)
                back.close()
            self._backs.clear()

    def change_server(self, server: Peer) -> None:
        """Pass everything to another server from now on."""
        with self._lock:
            self._server = server
        self.change_addresses()

    def replay(self) -> None:
        """Send all packets from clients again, from the address of each client."""
        with self._lock:
            for packet in self.recorded.copy():
                for back in self._backs.values():
                    back.sendto(packet, self._server)

    def _run(self) -> None:
        while not self._is_closed:
            for key, _ in self._selector.select(0.02):
                with self._lock:
                    self._pass_from(key.data, key.fileobj)

    def _pass_from(self, client: Peer | None, source: object) -> None:
        assert isinstance(source, socket.socket)
        try:
            packet, sender = source.recvfrom(65536)
        except OSError:  # closed, or the server's port is
            return
        if self.is_cut or self._random.random() < self.loss:
            return
        if client is None:
            self.recorded.append(packet)
            if not self.is_cut_to_server:
                self._send(self._back_of(sender), packet, self._server)
        else:
            self.answers.append(packet)
            if not self.is_cut_to_clients:
                self._send(self._front, packet, client)

    def _send(self, source: socket.socket, packet: bytes, to: Peer) -> None:
        if self._random.random() < self.reorder:
            self._held.append((source, packet, to))
            return
        held, self._held = self._held, []
        for each in ((source, packet, to), *held):
            with contextlib.suppress(OSError):  # one of them has been closed
                each[0].sendto(each[1], each[2])
                self.passed += 1

    def _back_of(self, client: Peer) -> socket.socket:
        back = self._backs.get(client)
        if back is None:
            back = self._backs[client] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            back.bind(("127.0.0.1", 0))
            self._selector.register(back, selectors.EVENT_READ, client)
        return back
