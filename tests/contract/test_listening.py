"""listen() and ListenSocket."""

from __future__ import annotations

import errno
import functools
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
from support import PATIENCE, Api, counts_references, echo, eventually, next_request
from support.platforms import IS_WINE, LATE_ACKS, text_of_a_taken_port

import gns_py
from gns_py import (
    Address,
    ClosedBy,
    Config,
    ConfigError,
    ConfigValue,
    ConnectionEnd,
    ConnectionState,
    EndReason,
    InvalidStateError,
    ListenError,
    MessageTooLarge,
    NotRunningError,
)
from gns_py.sync import Connection, ListenSocket

Connect = Callable[..., Connection]


# ---- listening -------------------------------------------------------------------------------------------------------


def test_port_0_finds_a_free_port_and_tells_it(api: Api) -> None:
    with api.listen("127.0.0.1", 0) as one, api.listen("127.0.0.1", 0) as other:
        assert isinstance(one.address, Address)
        host, port = one.address
        assert host == "127.0.0.1"
        assert port > 0
        assert port != other.address.port


def test_a_port_that_is_given_is_taken_and_given_back(api: Api, listener: ListenSocket) -> None:
    address = listener.address
    listener.close()
    with api.listen(*address) as again:
        assert again.address == address


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "::1", "127.0.0.1", "localhost"])
def test_hosts_to_listen_on(api: Api, host: str) -> None:
    with api.listen(host, 0) as listener:
        assert listener.address.host == {"": "::", "localhost": "127.0.0.1"}.get(host, host)


def test_a_port_that_is_taken_is_a_listen_error(api: Api, listener: ListenSocket) -> None:
    with pytest.raises(
        ListenError, match=rf"^\[Errno \d+\] cannot listen on 127\.0\.0\.1:{listener.address.port}: "
    ) as taken:
        api.listen(*listener.address)
    assert isinstance(taken.value, OSError)
    assert taken.value.errno == errno.EADDRINUSE
    assert text_of_a_taken_port() in str(taken.value)


@pytest.mark.skipif(IS_WINE, reason="wine listens at any address")
@pytest.mark.parametrize("port", [0, 27015])
def test_an_address_that_is_not_this_machines_is_a_listen_error(api: Api, port: int) -> None:
    with pytest.raises(ListenError, match=r"^\[Errno \d+\] cannot listen on 192\.0\.2\.1"):
        api.listen("192.0.2.1", port)


@pytest.mark.parametrize(
    ("arguments", "named", "exception", "text"),
    [
        ((None, 0), {}, TypeError, "host must be a str, not NoneType"),
        (("a\0b", 0), {}, ValueError, r"host 'a\x00b' has a NUL byte"),
        (("fe80::1%lo", 0), {}, ValueError, "'fe80::1%lo' has a scope (the part from % on), which GNS cannot use"),
        (("127.0.0.1", -1), {}, ValueError, "port -1 is out of range: 0 to 65535"),
        (("127.0.0.1", 65536), {}, ValueError, "port 65536 is out of range: 0 to 65535"),
        (("127.0.0.1", "0"), {}, TypeError, "port must be an int, not str"),
        (("127.0.0.1", False), {}, TypeError, "port must be an int, not bool"),
        (("127.0.0.1", 0), {"config": {}}, TypeError, "config must be a Config, not dict"),
        (
            ("127.0.0.1", 0),
            {"config": Config(fake_packet_lag_recv=1)},
            ValueError,
            "fake_packet_lag_recv is a process-wide option: set it with gns_py.set_config(), not on a listen socket",
        ),
        (("127.0.0.1", 0), {"on_status_changed": 1}, TypeError, "on_status_changed must be callable, not int"),
    ],
)
@pytest.mark.parametrize("which", ["listen", "serve"])
def test_wrong_arguments(
    api: Api,
    which: str,
    arguments: tuple[Any, ...],
    named: dict[str, Any],
    exception: type[Exception],
    text: str,
) -> None:
    open_it: Callable[..., Any] = api.listen if which == "listen" else functools.partial(api.serve, echo)
    with pytest.raises(exception) as wrong:
        open_it(*arguments, **named)
    assert type(wrong.value) is exception
    assert str(wrong.value) == text


@pytest.mark.native_errors("No cert authority")
def test_an_option_that_needs_certificates_is_refused_with_gns_own_words(api: Api) -> None:
    with pytest.raises(ListenError, match=r"^cannot listen on 127\.0\.0\.1:27015: .*No cert authority"):
        api.listen("127.0.0.1", 27015, config=Config(ip_allow_without_auth=0, ip_local_host_allow_without_auth=0))


@pytest.mark.native_errors("No cert authority")
def test_a_failure_that_is_not_about_the_port_tries_no_other_port(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ListenError, match="No cert authority"):
        api.listen("127.0.0.1", 0, config=Config(ip_allow_without_auth=0, ip_local_host_allow_without_auth=0))
    gns_py.dispatch_logs()
    assert sum("No cert authority" in record.getMessage() for record in caplog.records) == 1


def test_a_host_that_does_not_resolve(api: Api) -> None:
    with pytest.raises(socket.gaierror, match=r"cannot resolve 'no-such-host\.invalid'"):
        api.listen("no-such-host.invalid", 0)


# ---- its connections -------------------------------------------------------------------------------------------------


def test_connections_are_those_that_live(listener: ListenSocket, connect: Connect) -> None:
    assert listener.connections == []
    clients = [connect(), connect(), connect()]
    servers = [listener.accept(timeout=5.0), listener.accept(timeout=5.0)]
    servers.append(next_request(listener).accept())
    assert set(listener.connections) == set(servers)
    servers[0].close()
    assert set(listener.connections) == set(servers[1:])
    clients[1].close()
    clients[2].close()
    for server in servers[1:]:
        server.wait_closed(timeout=5.0)
        server.close()
    assert listener.connections == []


def test_broadcast_reaches_all_that_are_connected(listener: ListenSocket, connect: Connect) -> None:
    clients = [connect() for _ in range(3)]
    accepted = [listener.accept(timeout=5.0) for _ in range(2)]
    polled = next_request(listener).accept()
    clients.append(connect())
    assert listener.broadcast(b"state 1") == []
    assert listener.broadcast(b"state 2", reliable=False, nagle=False) == []
    eventually(lambda: sum(client.state is ConnectionState.CONNECTED for client in clients) == 3)
    connected = [client for client in clients if client.state is ConnectionState.CONNECTED]
    for client in connected:
        assert [client.recv(timeout=5.0), client.recv(timeout=5.0)] == [b"state 1", b"state 2"]
    waiting = next(client for client in clients if client not in connected)
    with pytest.raises(TimeoutError):
        waiting.recv(timeout=0.1)
    for server in (polled, *accepted):
        server.close()
    assert listener.broadcast(b"no one is there") == []


def test_broadcast_reports_connections_without_room(api: Api, process_config: Callable[[Config], None]) -> None:
    with api.listen("127.0.0.1", 0, config=Config(send_buffer_size=10_000)) as listener:
        clients = [api.connect("127.0.0.1", listener.address.port, wait=False) for _ in range(2)]
        full, free = listener.accept(timeout=5.0), listener.accept(timeout=5.0)
        process_config(LATE_ACKS)
        while full.send_queue().bytes < 9000:
            full.send(bytes(1000))
        assert listener.broadcast(bytes(5000)) == [full]
        assert free.send_queue().messages == 1
        assert listener.broadcast(bytes(20_000)) == [full, free]
        assert listener.broadcast(b"x", lane=1) == [full, free]
        free.configure_lanes([0, 0])
        assert listener.broadcast(b"x", lane=1) == [full]
        for client in clients:
            client.close()


def test_broadcast_without_connections_and_with_wrong_messages(listener: ListenSocket, connect: Connect) -> None:
    assert listener.broadcast(b"x") == []
    client = connect()
    listener.accept(timeout=5.0)
    wrong: Any
    for wrong, exception, text in (
        ("text", TypeError, "a message is bytes, not str: encode it"),
        (5, TypeError, "a message is bytes or another contiguous buffer, not int"),
        (memoryview(bytes(10))[::2], TypeError, "a message is bytes or another contiguous buffer, not memoryview"),
        (bytes(524289), MessageTooLarge, "a message may have 524288 bytes, not 524289"),
    ):
        with pytest.raises(exception) as refused:
            listener.broadcast(wrong)
        assert str(refused.value) == text
    for lane in (-1, 255, 65536):
        with pytest.raises(ValueError, match=rf"^lane is {lane}: a connection has lanes 0 to 254 at most$"):
            listener.broadcast(b"x", lane=lane)
    assert listener.broadcast(bytearray(b"all is well")) == []
    assert client.recv(timeout=5.0) == b"all is well"


def test_options_of_a_listen_socket(listener: ListenSocket, connect: Connect) -> None:
    assert listener.get_config(ConfigValue.SEND_RATE_MIN) == 262144
    listener.set_config(Config(send_rate_min=500_000, send_rate_max=500_000, recv_queue_messages=7))
    assert listener.get_config(ConfigValue.SEND_RATE_MIN) == 500_000
    assert listener.get_config(ConfigValue.RECV_QUEUE_MESSAGES) == 7
    connect()
    server = listener.accept(timeout=5.0)
    assert server.get_config(ConfigValue.SEND_RATE_MAX) == 500_000
    assert server.get_config(ConfigValue.RECV_QUEUE_MESSAGES) == 7
    assert server.stats().send_rate == 500_000
    with pytest.raises(ValueError, match=r"^fake_packet_loss_send is a process-wide option"):
        listener.set_config(Config(fake_packet_loss_send=1))
    with pytest.raises(ConfigError, match=r"^fake_packet_loss_send: the option does not exist at this scope$"):
        listener.get_config(ConfigValue.FAKE_PACKET_LOSS_SEND)
    listener.close()
    for use in (
        lambda: listener.set_config(Config(nagle_time=0)),
        lambda: listener.get_config(ConfigValue.NAGLE_TIME),
    ):
        with pytest.raises(InvalidStateError):
            use()


# ---- closing a listen socket -----------------------------------------------------------------------------------------


def test_closing_tells_all_connections_at_once_and_frees_the_port(
    api: Api, listener: ListenSocket, connect: Connect
) -> None:
    clients = [connect() for _ in range(2)]
    accepted = listener.accept(timeout=5.0)
    polled = next_request(listener).accept()
    began = time.monotonic()
    listener.close(1700, "maintenance")
    for client in clients:
        end = client.wait_closed(timeout=5.0)
        assert (end.closed_by, end.code, end.text) == (ClosedBy.PEER, 1700, "maintenance")
    assert time.monotonic() - began < 3.0 * PATIENCE
    for server in (accepted, polled):
        assert server.end == ConnectionEnd(ClosedBy.LOCAL, 1700, "maintenance")
        assert server.state is ConnectionState.NONE
    with api.listen(*listener.address):
        pass
    listener.close(1701, "again")  # nothing
    assert "closed" in repr(listener)


def test_closing_lingers_for_what_was_sent(listener: ListenSocket, connect: Connect) -> None:
    client = connect()
    server = listener.accept(timeout=5.0)
    for _ in range(20):
        server.send(bytes(4096))
    listener.close()
    assert len(list(client)) == 20
    assert client.end is not None
    assert client.end.code == EndReason.GOING_AWAY


def test_closing_without_linger_discards_what_was_sent(listener: ListenSocket, connect: Connect) -> None:
    client = connect()
    server = listener.accept(timeout=5.0)
    server.set_config(Config(send_rate_min=50_000, send_rate_max=50_000))
    for _ in range(20):
        server.send(bytes(4096))
    listener.close(linger=False)
    assert len(list(client)) < 20


def test_a_listen_socket_can_be_closed_after_the_runtime(listener: ListenSocket, connect: Connect) -> None:
    client = connect()
    server = listener.accept(timeout=5.0)
    gns_py.stop(linger=0)
    with pytest.raises(NotRunningError):
        listener.accept(timeout=1.0)
    listener.close()
    listener.close()
    for connection in (client, server):
        connection.close()
        assert connection.end is not None
        assert connection.end.code == EndReason.SHUTDOWN
    with pytest.raises(NotRunningError):
        listener.broadcast(b"x")


@counts_references
def test_a_forgotten_listen_socket_warns_and_closes_itself(api: Api) -> None:
    forgotten = api.listen("127.0.0.1", 0)
    address = forgotten.address
    text = rf"^unclosed listen socket {address}$"
    with pytest.warns(ResourceWarning, match=text) as warned:  # noqa: PT031 - it may come from another thread
        del forgotten
        eventually(lambda: list(warned))
    with api.listen(*address):
        pass
