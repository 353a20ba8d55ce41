"""Two peers of gns_py on this machine: the test's process, and another one."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

from gns_py._loop_thread import LoopThread
from gns_py.p2p.signalling import LineSignallingServer

from .peer import Peer

PARTNER = Path(__file__).parents[1] / "p2p" / "partner.py"


class Meeting:
    """A signalling server, and the other peers that the test starts."""

    def __init__(self, port: int, start: Callable[..., Peer]) -> None:
        self.port = port
        """The signalling server's."""
        self._start = start

    def partner(self, name: str = "str:bob", *calls: str) -> Peer:
        """Start another peer, which echoes: connections at port 0, and sessions at port 1.

        Args:
            name: Its identity.
            *calls: The identity of a peer to whose port 5 it connects.
        """
        partner = self._start(PARTNER, self.port, name, *calls)
        assert partner.line() == "ready"
        return partner


def skip_without_network() -> None:
    """Skip the test if peers on this machine cannot reach each other."""
    addresses = [each for name in psutil.net_if_addrs().values() for each in name if each.family == socket.AF_INET]
    if all(each.address.startswith("127.") for each in addresses):
        pytest.skip("ICE needs an address that is not loopback's")


@contextmanager
def meeting(directory: Path) -> Iterator[Meeting]:
    """Yield a Meeting; skip the test if peers on this machine cannot reach each other."""
    skip_without_network()
    server = LineSignallingServer()
    thread = LoopThread("signalling of the test")
    with ExitStack() as stack:
        stack.callback(thread.stop)
        _, port = thread.begin(server.listen()).result(10.0)
        stack.callback(lambda: thread.begin(server.aclose()).result(10.0))
        yield Meeting(port, lambda source, *arguments: stack.enter_context(Peer(source, directory, *arguments)))
