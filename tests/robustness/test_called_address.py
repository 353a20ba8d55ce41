"""A server on all addresses of its host answers from the one that was called, whatever else arrives in the meantime."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import PATIENCE, echo

import gns_py.sync as gns

LINUX = sys.platform == "linux"
# On other systems 127.0.0.1 is the only such address.
pytestmark = pytest.mark.skipif(not LINUX, reason="needs several addresses of this host: only Linux has all of 127/8")

EVERYWHERE = ["0.0.0.0", "::", ""]
CALLED = "127.0.0.2"


class Relay:
    """Forwards what a client sends, from an address of its own, and records the sources of the answers."""

    def __init__(self, server: tuple[str, int]) -> None:
        self.server = server
        self.answered_from: set[tuple[str, int]] = set()
        self.first: bytes | None = None
        self.outer = socket.socket(type=socket.SOCK_DGRAM)
        self._inner = socket.socket(type=socket.SOCK_DGRAM)
        self.outer.bind(("127.0.0.1", 0))
        self._inner.bind(("127.0.0.1", 0))
        self.port = self._inner.getsockname()[1]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Relay:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.outer.close()
        self._inner.close()

    def _run(self) -> None:
        client = None
        while not self._stop.is_set():
            for ready in select.select([self.outer, self._inner], [], [], 0.05)[0]:
                data, sender = ready.recvfrom(2048)
                if ready is self._inner:
                    self.first = self.first or data
                    client = sender
                    self.outer.sendto(data, self.server)
                else:
                    self.answered_from.add(sender)
                    if client is not None:
                        self._inner.sendto(data, client)


@pytest.fixture
def relayed() -> Iterator[Callable[[str], tuple[gns.Connection, Relay]]]:
    """Connect to a server at these addresses through a relay that calls an address other than the routes prefer."""
    with contextlib.ExitStack() as stack:

        def connect(host: str) -> tuple[gns.Connection, Relay]:
            server = stack.enter_context(gns.serve(echo, host, 0))
            relay = stack.enter_context(Relay((CALLED, server.address.port)))
            return stack.enter_context(gns.connect("127.0.0.1", relay.port, timeout=5 * PATIENCE)), relay

        yield connect


def talk(connection: gns.Connection, messages: int = 20) -> None:
    for number in range(messages):
        connection.send(b"%d" % number * 500)
    for number in range(messages):
        assert connection.recv(5 * PATIENCE) == b"%d" % number * 500


@pytest.mark.parametrize("host", EVERYWHERE)
def test_all_answers_come_from_the_address_that_was_called(
    relayed: Callable[[str], tuple[gns.Connection, Relay]], host: str
) -> None:
    connection, relay = relayed(host)
    talk(connection)
    connection.close()
    connection.wait_closed(5 * PATIENCE)
    assert relay.answered_from == {relay.server}


@pytest.mark.parametrize("called", ["127.0.0.1", "127.0.0.2", "127.1.2.3", "::1"])
@pytest.mark.parametrize("host", EVERYWHERE)
def test_each_address_can_be_called(host: str, called: str) -> None:
    if host == "0.0.0.0" and called == "::1":
        pytest.skip("IPv4 only")
    with (
        gns.serve(echo, host, 0) as server,
        gns.connect(called, server.address.port, timeout=5 * PATIENCE) as connection,
    ):
        talk(connection)


def test_addresses_are_kept_apart() -> None:
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(gns.serve(echo, "0.0.0.0", 0))
        connections = [
            stack.enter_context(gns.connect(f"127.0.0.{last}", server.address.port, timeout=5 * PATIENCE))
            for last in range(1, 30)
        ]
        for _ in range(3):
            for connection in connections:
                connection.send(b"anybody?")
            for connection in connections:
                assert connection.recv(5 * PATIENCE) == b"anybody?"


@pytest.mark.parametrize("where", ["send", "recv"])
def test_what_a_simulated_network_holds_back_too(
    relayed: Callable[[str], tuple[gns.Connection, Relay]], simulate: Callable[..., None], where: str
) -> None:
    simulate(**{f"fake_packet_lag_{where}": 20, f"fake_packet_dup_{where}": 20.0})
    connection, relay = relayed("0.0.0.0")
    talk(connection)
    assert relay.answered_from == {relay.server}


def test_packets_to_another_address_do_not_move_a_connection(
    relayed: Callable[[str], tuple[gns.Connection, Relay]],
) -> None:
    """The sender may be forged: an attacker off the path must not be able to cut a connection off."""
    connection, relay = relayed("0.0.0.0")
    assert relay.first is not None
    elsewhere = ("127.0.0.3", relay.server[1])
    talk(connection)
    for _ in range(20):
        relay.outer.sendto(relay.first, elsewhere)
        relay.outer.sendto(b"\x80" + b"\x01" * 100, elsewhere)
        talk(connection, 2)
    assert relay.answered_from == {relay.server}


@pytest.mark.parametrize("host", EVERYWHERE)
def test_a_stranger_is_answered_from_where_it_called(
    relayed: Callable[[str], tuple[gns.Connection, Relay]], host: str
) -> None:
    """Before there is a connection the server stores nothing about its callers, and answers each at once."""
    _, relay = relayed(host)
    assert relay.first is not None
    with socket.socket(type=socket.SOCK_DGRAM) as stranger:
        stranger.settimeout(5 * PATIENCE)
        for last in (4, 1, 9):
            called = (f"127.0.0.{last}", relay.server[1])
            stranger.sendto(relay.first, called)
            assert stranger.recvfrom(2048)[1] == called


# Over a link: the host has two addresses of each family on one interface, and the client is another host.

SERVER = """
import sys
import gns_py.sync as gns

def echo(connection):
    for data in connection:
        connection.send(data)

with gns.serve(echo, sys.argv[1], 0) as server:
    print(server.address.port, flush=True)
    sys.stdin.read()
"""
CLIENT = """
import sys
import gns_py.sync as gns

for host in sys.argv[2:]:
    with gns.connect(host, int(sys.argv[1]), timeout=5.0) as connection:
        connection.send(b"x")
        assert connection.recv(5.0) == b"x"
    print(host, flush=True)
"""
IPV4 = ["10.9.0.1", "10.9.0.2"]
IPV6 = ["fd00:9::1", "fd00:9::2"]


@pytest.fixture(scope="module")
def link() -> Iterator[tuple[list[str], list[str]]]:
    """Yield the first arguments of commands that run on the server's and on the client's host."""
    if shutil.which("ip") is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("network namespaces need root and iproute2")
    hosts = [f"gns-py-{os.getpid()}-{end}" for end in ("server", "client")]

    def ip(*args: str) -> None:
        subprocess.run(["ip", *args], check=True, capture_output=True, timeout=20)

    try:
        ip("netns", "add", hosts[0])
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no network namespaces: {error.stderr.decode().strip()}")
    try:
        ip("netns", "add", hosts[1])
        ip("-n", hosts[0], "link", "add", "veth0", "type", "veth", "peer", "name", "veth0", "netns", hosts[1])
        for host, addresses in ((hosts[0], IPV4 + IPV6), (hosts[1], ["10.9.0.100", "fd00:9::100"])):
            for address in addresses:
                prefix, quick = ("64", ["nodad"]) if ":" in address else ("24", [])
                ip("-n", host, "address", "add", f"{address}/{prefix}", "dev", "veth0", *quick)
            ip("-n", host, "link", "set", "lo", "up")
            ip("-n", host, "link", "set", "veth0", "up")
        server, client = (["ip", "netns", "exec", host, sys.executable, "-c"] for host in hosts)
        yield server, client
    finally:
        for host in hosts:
            subprocess.run(["ip", "netns", "delete", host], capture_output=True, timeout=20)


@pytest.mark.parametrize("host", EVERYWHERE)
def test_over_a_link(link: tuple[list[str], list[str]], host: str, tmp_path: Path) -> None:
    at_server, at_client = link
    called = IPV4 if host == "0.0.0.0" else IPV4 + IPV6
    server = subprocess.Popen(
        [*at_server, SERVER, host], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tmp_path
    )
    try:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        client = subprocess.run(
            [*at_client, CLIENT, port, *called], capture_output=True, text=True, timeout=60 * PATIENCE, cwd=tmp_path
        )
        assert (client.stdout.split(), client.stderr, client.returncode) == (called, "", 0)
    finally:
        server.communicate("", timeout=20 * PATIENCE)
    assert server.returncode == 0
