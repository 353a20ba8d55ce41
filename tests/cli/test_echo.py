"""`gns-py echo`."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from support import PATIENCE, Peer
from support.platforms import IS_WINE, text_of_a_taken_port

import gns_py.sync as gns
from gns_py import ClosedBy

if TYPE_CHECKING:
    import subprocess

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def test_sends_back_every_message_as_it_came(echo: Any, fast: gns.Config) -> None:
    config = fast | gns.Config(send_buffer_size=2 * 1024 * 1024)
    with gns.connect("127.0.0.1", echo.port, config=config) as client:
        client.configure_lanes([0, 0, 0])
        large = os.urandom(512 * 1024)
        for data, reliable, lane in [
            (b"a", True, 0),
            (b"", True, 0),
            (b"b", False, 0),
            (b"c", True, 2),
            (large, True, 1),
        ]:
            client.send(data, reliable=reliable, lane=lane)
            message = client.recv_message(timeout=10.0)
            assert (message.data, message.reliable, message.lane) == (data, reliable, lane)


def test_sends_back_more_than_its_send_queue_holds(echo: Any, fast: gns.Config) -> None:
    """The server must wait for room in its queue and lose nothing reliable in the meantime."""
    config = fast | gns.Config(send_buffer_size=8 * 1024 * 1024)
    messages = [bytes([i]) * 500_000 for i in range(10)]
    with gns.connect("127.0.0.1", echo.port, config=config) as client:
        client.send_many(messages)
        assert [client.recv(timeout=30.0) for _ in messages] == messages


def test_prints_clients_that_join_and_leave(echo: Any) -> None:
    with gns.connect("127.0.0.1", echo.port) as client:
        client.send(b"hello")
        client.recv(timeout=5.0)
        line = echo.program.line()
        client.close(1234, "see you")
    went = echo.program.line()
    assert line.endswith(" connected")
    peer = line.split()[1]
    assert peer.startswith("127.0.0.1:")
    assert peer in went
    assert "1234" in went
    assert "see you" in went


def test_serves_several_at_once(echo: Any) -> None:
    clients = [gns.connect("127.0.0.1", echo.port) for _ in range(5)]
    try:
        for i, client in enumerate(clients):
            client.send(b"%d" % i)
        assert [client.recv(timeout=5.0) for client in clients] == [b"%d" % i for i in range(5)]
    finally:
        for client in clients:
            client.close()


def test_ctrl_c_tells_its_clients_and_ends_it_with_130(echo: Any) -> None:
    with gns.connect("127.0.0.1", echo.port) as client:
        client.send(b"hello")
        client.recv(timeout=5.0)
        begin = time.monotonic()
        echo.program.interrupt()
        end = client.wait_closed(timeout=5.0)
        assert (end.closed_by, end.code) == (ClosedBy.PEER, gns.EndReason.GOING_AWAY)
        assert echo.program.wait() == 130
        assert time.monotonic() - begin < 2.0 * PATIENCE
    assert echo.program.stderr == ""


def test_listens_on_ipv6(start: Callable[..., Peer]) -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 loopback")
    with start("echo", "--host", "::1", "--port", 0) as program:
        line = program.line()
        assert line.startswith("listening on [::1]:")
        with gns.connect("::1", int(line.rpartition(":")[2])) as client:
            client.send(b"six")
            assert client.recv(timeout=5.0) == b"six"


def test_a_port_that_is_taken(run: Run, echo: Any) -> None:
    result = run("echo", "--host", "127.0.0.1", "--port", echo.port)
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert f"cannot listen on 127.0.0.1:{echo.port}" in result.stderr
    assert text_of_a_taken_port() in result.stderr


@pytest.mark.skipif(IS_WINE, reason="wine listens at any address")
def test_an_address_of_another_machine(run: Run) -> None:
    result = run("echo", "--host", "192.0.2.1")
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "cannot listen on 192.0.2.1:27015" in result.stderr


def test_what_a_client_says_is_shown_as_data(echo: Any) -> None:
    with gns.connect("127.0.0.1", echo.port) as client:
        assert echo.program.line().endswith(" connected")
        client.close(2000, "a\nERROR forged\r\x1b[2J\u202e")
    line = echo.program.line()
    assert line.rstrip("\n").isprintable()
    assert "ERROR forged" in line
