"""A plain GNS program in C++ (tests/core/gns_peer.cpp), without gns_py, as server and as client."""

from __future__ import annotations

import base64
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest
from support import eventually
from support.certificates import TestAuthority
from support.certified import start
from support.native import build_program

import gns_py
import gns_py.sync as gns
from gns_py import ClosedBy, ConnectFailed
from gns_py.certs import Expect

pytestmark = pytest.mark.clone

_TIMEOUT = 60.0


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the peer, linked with the GNS that was built for this package."""
    return build_program("gns_peer", tmp_path_factory.mktemp("native"))


class Outcome(NamedTuple):
    """The end of the program, and its output."""

    code: int
    lines: list[str]
    errors: str


class Native:
    """The running program."""

    def __init__(self, program: Path, *arguments: object) -> None:
        self.process = subprocess.Popen(
            [program, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def line(self) -> str:
        """Return the next line that it prints. The program itself limits the time."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def outcome(self) -> Outcome:
        """Wait until it has ended."""
        out, errors = self.process.communicate(timeout=_TIMEOUT)
        return Outcome(self.process.returncode, out.splitlines(), errors)

    def end(self) -> None:
        """Kill it, whatever it is doing."""
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def run(program: Path) -> Iterator[Callable[..., Native]]:
    """Return a function that starts the program with arguments."""
    with ExitStack() as stack:

        def start(*arguments: object) -> Native:
            native = Native(program, *arguments)
            stack.callback(native.end)
            return native

        yield start


@pytest.fixture
def server(run: Callable[..., Native]) -> tuple[Native, int]:
    """Start the program as a server, and return it with its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    native = run("serve", port)
    assert native.line() == str(port), native.outcome().errors
    return native, port


# ---- Python client, C++ server ----


@pytest.mark.parametrize("size", [0, 1, 1200, 200_000])
def test_a_native_server_echoes_reliable_messages(server: tuple[Native, int], fast: gns.Config, size: int) -> None:
    with gns.connect("127.0.0.1", server[1], config=fast) as connection:
        for number in range(1, 6):
            data = os.urandom(size)
            assert connection.send(data) == number
            message = connection.recv_message(timeout=10.0)
            assert (message.data, message.number, message.reliable) == (data, number, True)


def test_a_native_server_echoes_unreliable_messages(server: tuple[Native, int]) -> None:
    with gns.connect("127.0.0.1", server[1]) as connection:
        for _ in range(20):  # loopback loses hardly any, and certainly not all
            connection.send(b"maybe", reliable=False)
        message = connection.recv_message(timeout=10.0)
        assert (message.data, message.reliable) == (b"maybe", False)


def test_a_native_server_closes_with_reason_and_text(server: tuple[Native, int]) -> None:
    native, port = server
    with gns.connect("127.0.0.1", port) as connection:
        connection.send(b"last words")
        connection.send(b"quit")
        assert connection.recv(timeout=10.0) == b"last words"
        end = connection.wait_closed(timeout=10.0)
    assert (end.closed_by, end.code, end.text) == (ClosedBy.PEER, 1042, "quit, as you say")
    outcome = native.outcome()
    assert (outcome.code, outcome.errors) == (0, "")
    assert outcome.lines[-1] == "state 3 -> 0 reason 1042 text quit, as you say"


def test_a_native_server_sees_how_we_close(server: tuple[Native, int]) -> None:
    native, port = server
    with gns.connect("127.0.0.1", port) as connection:
        connection.close(1500, "grüße from Python")
    assert [native.line() for _ in range(3)] == [
        "state 0 -> 1 reason 0 text ",
        "state 1 -> 3 reason 0 text ",
        "state 3 -> 4 reason 1500 text grüße from Python",
    ]


# ---- certificates, both ways ----


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TestAuthority:
    """Give the program a certificate, and this process another one."""
    authority = TestAuthority()
    native, own = authority.issue("str:native"), authority.issue("str:python")
    (tmp_path / "root").write_bytes(base64.b64encode(authority.root))
    (tmp_path / "certificate").write_bytes(b"\x0a\x20" + native.private_key + native.certificate)
    monkeypatch.setenv("GNS_PEER_ROOT", str(tmp_path / "root"))
    monkeypatch.setenv("GNS_PEER_CERTIFICATE", str(tmp_path / "certificate"))
    start(own, authority.root, require_authentication=True)
    return authority


@pytest.mark.usefixtures("authority")
def test_a_native_server_proves_its_identity(request: pytest.FixtureRequest) -> None:
    native, port = request.getfixturevalue("server")
    with gns.connect("127.0.0.1", port, expect=Expect("str:native")) as connection:
        assert connection.authenticated
        connection.send(b"hello")
        assert connection.recv(timeout=10.0) == b"hello"
    assert [native.line() for _ in range(3)][1:] == ["state 1 -> 3 reason 0 text ", "str:python proved"]
    with pytest.raises(ConnectFailed, match="expected str:other, found str:native"):
        gns.connect("127.0.0.1", port, expect=Expect("str:other"))


def test_a_native_client_proves_its_identity(run: Callable[..., Native], authority: TestAuthority) -> None:
    with gns.serve(_echo, "127.0.0.1", 0) as listening:
        outcome = run("connect", "127.0.0.1", listening.address.port, 5, 100).outcome()
        assert (outcome.code, outcome.errors) == (0, "")
        assert "str:python proved" in outcome.lines
        gns_py.set_revoked([authority.key_id])
        outcome = run("connect", "127.0.0.1", listening.address.port, 5, 100).outcome()
    refusal = f"certificate of str:native: CA key {authority.key_id} is not trusted.  Revoked"
    assert f"state 1 -> 4 reason 4003 text authentication required: {refusal}" in outcome.lines
    assert (outcome.code, outcome.errors) == (1, "not connected\n")


# ---- C++ client, Python server ----


def _echo(connection: gns.Connection) -> None:
    while True:
        message = connection.recv_message()
        connection.send(message.data, reliable=message.reliable)


@pytest.mark.parametrize(("count", "size"), [(200, 32), (20, 200_000)])
def test_a_native_client_is_echoed(run: Callable[..., Native], fast: gns.Config, count: int, size: int) -> None:
    ends = []

    def note(event: gns.StatusChanged[gns.Connection]) -> None:
        if event.end:
            ends.append(event.end)

    with gns.serve(_echo, "127.0.0.1", 0, config=fast, on_status_changed=note) as listening:
        outcome = run("connect", "127.0.0.1", listening.address.port, count, size).outcome()
        eventually(lambda: ends, what="the end of the client's connection")
    assert (outcome.code, outcome.errors) == (0, "")
    assert outcome.lines[-1].startswith(f"echoes {count} unreliable ")
    assert [(end.closed_by, end.code, end.text) for end in ends] == [(ClosedBy.PEER, 1234, "peer done")]


def test_a_native_client_is_refused(run: Callable[..., Native], listener: gns.ListenSocket) -> None:
    native = run("connect", "127.0.0.1", listener.address.port, 1, 1)
    for request in listener:
        request.reject(1003, "full")
        break
    outcome = native.outcome()
    assert "state 1 -> 4 reason 1003 text full" in outcome.lines
    assert (outcome.code, outcome.errors) == (1, "not connected\n")


def test_a_native_client_sees_how_we_close(run: Callable[..., Native], listener: gns.ListenSocket) -> None:
    native = run("connect", "127.0.0.1", listener.address.port, 5, 100)
    with listener.accept(timeout=10.0) as connection:
        first = connection.recv_message(timeout=10.0)
        connection.send(first.data, reliable=first.reliable)
        connection.close(2345, "enough", linger=True)
    outcome = native.outcome()
    assert "state 3 -> 4 reason 2345 text enough" in outcome.lines
    assert outcome.code == 1
    assert outcome.errors.startswith("ended after ")
