"""listen(), ListenSocket, serve(), Server."""

from __future__ import annotations

import errno
import functools
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support import PATIENCE, Api, counts_references, eventually, next_request
from support.platforms import IS_WINE, LATE_ACKS, text_of_a_taken_port

import gns_py
from gns_py import (
    Address,
    ClosedBy,
    Config,
    ConfigError,
    ConfigValue,
    ConnectFailed,
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    ConnectionEnd,
    ConnectionState,
    EndReason,
    InvalidStateError,
    ListenError,
    MessageTooLarge,
    NotRunningError,
    StatusChanged,
)
from gns_py.sync import Connection, ListenSocket

Connect = Callable[..., Connection]


@pytest.fixture
def connect(api: Api, listener: ListenSocket) -> Iterator[Connect]:
    """Begins to connect to the listen socket; closed after the test."""
    clients: list[Connection] = []

    def begin(config: Config | None = None) -> Connection:
        clients.append(api.connect("127.0.0.1", listener.address.port, config=config, wait=False))
        return clients[-1]

    yield begin
    for client in clients:
        client.close()


def echo(connection: Connection) -> None:
    for data in connection:
        connection.send(data)


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


# ---- accept(), iteration, requests -----------------------------------------------------------------------------------


def test_accept_gives_a_connection_to_be_read_on_its_own(listener: ListenSocket, connect: Connect) -> None:
    clients = [connect(), connect()]
    servers = [listener.accept(timeout=5.0), listener.accept(timeout=5.0)]
    for number, client in enumerate(clients):
        client.send(b"%d" % number)
    assert sorted(server.recv(timeout=5.0) for server in servers) == [b"0", b"1"]
    assert [server.state for server in servers] == [ConnectionState.CONNECTED] * 2


def test_accept_times_out(listener: ListenSocket, connect: Connect) -> None:
    with pytest.raises(TimeoutError):
        listener.accept(timeout=0.1)
    client = connect()
    with listener.accept(timeout=5.0):
        eventually(lambda: client.state is ConnectionState.CONNECTED)


@pytest.mark.parametrize("wait", [lambda listener: listener.accept(), list], ids=["accept", "iteration"])
def test_closing_from_another_thread_ends_the_wait(
    listener: ListenSocket, wait: Callable[[ListenSocket], object]
) -> None:
    timer = threading.Timer(0.05, listener.close)
    timer.start()
    outcome: object = None
    try:
        outcome = wait(listener)
    except InvalidStateError as error:
        outcome = str(error)
    assert outcome in ([], "the listen socket is closed")
    timer.join()


def test_accept_passes_over_those_who_have_given_up(listener: ListenSocket, connect: Connect) -> None:
    for _ in range(3):
        connect().close(1001, "changed my mind")
    staying = connect()
    staying.send(b"still here")
    with listener.accept(timeout=5.0) as server:
        assert server.recv(timeout=5.0) == b"still here"
        assert listener.connections == [server]
    with pytest.raises(TimeoutError):
        listener.accept(timeout=0.1)


def test_accept_on_a_closed_listen_socket(listener: ListenSocket) -> None:
    listener.close()
    with pytest.raises(InvalidStateError, match=r"^the listen socket is closed$"):
        listener.accept(timeout=1.0)


def test_requests_can_be_iterated(listener: ListenSocket, connect: Connect) -> None:
    clients = [connect(), connect(), connect()]
    seen = []
    for request in listener:
        seen.append(request.connection)
        if len(seen) == 2:
            request.reject(1400, "not the second one")
        else:
            request.accept()
        if len(seen) == 3:
            break
    eventually(lambda: sum(client.state is ConnectionState.CONNECTED for client in clients) == 2)
    eventually(lambda: [end.code for client in clients if (end := client.end)] == [1400])
    assert seen[1].end is not None
    listener.close()
    assert list(listener) == []


def test_a_request_is_accepted_once(listener: ListenSocket, connect: Connect) -> None:
    connect()
    request = next_request(listener)
    assert request.accept() is request.connection
    with pytest.raises(InvalidStateError):
        request.accept()
    assert request.connection.state is ConnectionState.CONNECTED


def test_a_request_whose_client_has_given_up_cannot_be_accepted(listener: ListenSocket, connect: Connect) -> None:
    client = connect()
    request = next_request(listener)
    client.close(1001, "changed my mind")
    eventually(lambda: request.connection.end is not None)
    with pytest.raises(ConnectionClosedOK, match=r"^closed by the peer, 1001 GOING_AWAY: changed my mind$"):
        request.accept()
    request.connection.close()


@pytest.mark.parametrize(
    ("arguments", "exception", "text"),
    [
        ((999,), ValueError, "code is 999: 1000 to 1999 say a normal end, 2000 to 2999 a fault"),
        ((3000,), ValueError, "code is 3000: 1000 to 1999 say a normal end, 2000 to 2999 a fault"),
        (("1000",), TypeError, "code must be an int, not str"),
        ((1000, b"text"), TypeError, "text must be a str, not bytes"),
        ((1000, "a\0b"), ValueError, "text has a NUL byte"),
        ((1000, "ä" * 64), ValueError, "text has 128 bytes: at most 127 are allowed"),
    ],
)
def test_wrong_goodbyes_close_nothing(
    api: Api,
    listener: ListenSocket,
    connect: Connect,
    arguments: tuple[Any, ...],
    exception: type[Exception],
    text: str,
) -> None:
    connect()
    request = next_request(listener)
    server = request.accept()
    with api.serve(echo, "127.0.0.1", 0) as running:
        for close in (request.reject, server.close, listener.close, running.close):
            with pytest.raises(exception) as wrong:
                close(*arguments)
            assert type(wrong.value) is exception
            assert str(wrong.value) == text
        with api.connect("127.0.0.1", running.address.port):
            pass
    assert server.state is ConnectionState.CONNECTED
    connect()
    assert next_request(listener)


def test_callbacks_of_inbound_connections(api: Api) -> None:
    told: list[tuple[Connection, str, str]] = []

    def on_status_changed(event: StatusChanged[Connection]) -> None:
        told.append((event.connection, event.old.name, event.new.name))

    with api.listen("127.0.0.1", 0, on_status_changed=on_status_changed) as listener:
        with api.connect("127.0.0.1", listener.address.port, wait=False) as client:
            request = next_request(listener)
            assert told == [(request.connection, "NONE", "CONNECTING")]
            server = request.accept()
            client.send(b"hello")
            assert server.recv(timeout=5.0) == b"hello"
        with pytest.raises(ConnectionClosedOK):
            server.recv(timeout=5.0)
        server.close()
    assert told == [
        (server, "NONE", "CONNECTING"),
        (server, "CONNECTING", "CONNECTED"),
        (server, "CONNECTED", "CLOSED_BY_PEER"),
    ]


def test_callbacks_of_accepted_connections(api: Api, listener: ListenSocket) -> None:
    told: list[str] = []
    with api.listen("127.0.0.1", 0, on_status_changed=lambda event: told.append(event.new.name)) as socket_:
        client = api.connect("127.0.0.1", socket_.address.port, wait=False)
        server = socket_.accept(timeout=5.0)
        client.close()
        server.wait_closed(timeout=5.0)
        server.close()
    assert told[0] == "CONNECTING"
    assert told[-1] == "CLOSED_BY_PEER"
    assert listener.connections == []


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
    assert listener.broadcast(b"nobody is there") == []


def test_broadcast_tells_who_has_no_room(api: Api, process_config: Callable[[Config], None]) -> None:
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


def test_broadcast_to_nobody_and_with_wrong_messages(listener: ListenSocket, connect: Connect) -> None:
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
def test_one_that_is_forgotten_warns_and_closes_itself(api: Api) -> None:
    forgotten = api.listen("127.0.0.1", 0)
    address = forgotten.address
    text = rf"^unclosed listen socket <{api.__name__}.server.ListenSocket {address} open>"
    with pytest.warns(ResourceWarning, match=text) as warned:  # noqa: PT031 - it may come from another thread
        del forgotten
        eventually(lambda: list(warned))
    with api.listen(*address):
        pass


# ---- serve() ---------------------------------------------------------------------------------------------------------


def test_serve_runs_a_handler_for_each_connection_beside_the_others(api: Api) -> None:
    together = threading.Barrier(3)

    def handler(connection: Connection) -> None:
        together.wait(timeout=5.0)
        echo(connection)

    with api.serve(handler, "127.0.0.1", 0) as server:
        clients = [api.connect(*server.address) for _ in range(3)]
        for number, client in enumerate(clients):
            client.send(b"%d" % number)
        assert [client.recv(timeout=5.0) for client in clients] == [b"0", b"1", b"2"]
        assert len(server.connections) == 3
        assert server.broadcast(b"to all") == []
        assert [client.recv(timeout=5.0) for client in clients] == [b"to all"] * 3
        for client in clients:
            client.close()


def test_serve_closes_with_1000_what_its_handler_has_returned_from(api: Api) -> None:
    def handler(connection: Connection) -> None:
        connection.send(b"that is all")

    with api.serve(handler, "127.0.0.1", 0) as server, api.connect(*server.address) as client:
        assert list(client) == [b"that is all"]
        assert client.end is not None
        assert client.end.code == EndReason.APP_GENERIC
        eventually(lambda: server.connections == [])


def test_a_handler_that_fails_is_logged_once_its_connection_closed_with_2001_and_others_go_on(
    api: Api,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def handler(connection: Connection) -> None:
        for data in connection:
            if data == b"fail":
                raise KeyError("on purpose")
            connection.send(data)

    with api.serve(handler, "127.0.0.1", 0) as server:
        with api.connect(*server.address) as failing, api.connect(*server.address) as going_on:
            failing.send(b"fail")
            with pytest.raises(ConnectionClosedError) as closed:
                failing.recv(timeout=5.0)
            assert (closed.value.code, closed.value.text) == (EndReason.INTERNAL_ERROR, "an exception was raised")
            going_on.send(b"still there?")
            assert going_on.recv(timeout=5.0) == b"still there?"
        with api.connect(*server.address) as new:
            new.send(b"and new ones?")
            assert new.recv(timeout=5.0) == b"and new ones?"
    failures = [record for record in caplog.records if record.name == "gns_py" and record.levelno >= logging.ERROR]
    assert len(failures) == 1
    assert failures[0].getMessage().startswith(f"the handler of <{api.__name__}.connection.Connection 127.0.0.1:")
    assert failures[0].exc_info is not None
    assert isinstance(failures[0].exc_info[1], KeyError)


@pytest.mark.parametrize("own", [True, False])
def test_a_handler_may_end_by_the_end_of_its_own_connection_but_not_of_another(
    api: Api, caplog: pytest.LogCaptureFixture, own: bool
) -> None:
    other = api.socket_pair()
    other[1].close(2100, "of another connection")

    def handler(connection: Connection) -> None:
        (connection if own else other[0]).recv(timeout=5.0)

    with api.serve(handler, "127.0.0.1", 0) as server, api.connect(*server.address) as client:
        if own:
            client.close(2200, "a fault, but the client's")
        else:
            assert client.wait_closed(timeout=5.0).code == EndReason.INTERNAL_ERROR
    other[0].close()
    assert len([record for record in caplog.records if record.levelno >= logging.ERROR]) == (0 if own else 1)


def test_closing_a_server_ends_its_handlers_and_waits_for_them(api: Api) -> None:
    ended: list[ConnectionClosed] = []

    def handler(connection: Connection) -> None:
        connection.send(b"ready")
        try:
            connection.recv()
        except ConnectionClosed as error:
            time.sleep(0.3)
            ended.append(error)
            raise

    server = api.serve(handler, "127.0.0.1", 0)
    with api.connect(*server.address) as one, api.connect(*server.address) as other:
        assert (one.recv(timeout=5.0), other.recv(timeout=5.0)) == (b"ready", b"ready")
        server.close(1800, "closing time")
        with pytest.raises(TimeoutError):
            server.wait_closed(timeout=0.1)
        server.wait_closed(timeout=5.0)
        assert [str(error) for error in ended] == ["closed by this end, 1800 APP_1800: closing time"] * 2
        assert one.wait_closed(timeout=5.0).text == "closing time"
    server.close()
    server.wait_closed()


def test_wait_closed_waits_for_handlers_that_began_after_it(api: Api) -> None:
    finished = threading.Event()

    def handler(connection: Connection) -> None:
        connection.wait_closed()
        time.sleep(0.3)
        finished.set()

    server = api.serve(handler, "127.0.0.1", 0)
    seen: list[bool] = []

    def wait() -> None:
        server.wait_closed()
        seen.append(finished.is_set())

    waiter = threading.Thread(target=wait)
    waiter.start()
    time.sleep(0.05)
    with api.connect(*server.address):
        eventually(lambda: server.connections)
        server.close()
        waiter.join(timeout=5.0)
    assert seen == [True]


def test_serve_forever_ends_when_the_server_is_closed(api: Api) -> None:
    server = api.serve(echo, "127.0.0.1", 0)
    timer = threading.Timer(0.1, server.close)
    timer.start()
    server.serve_forever()
    timer.join()
    with api.listen(*server.address):
        pass


def test_a_handler_may_close_its_server(api: Api) -> None:
    server = api.serve(lambda connection: server.close(1900, connection.recv().decode()), "127.0.0.1", 0)
    with api.connect(*server.address) as client:
        client.send(b"go home")
        assert client.wait_closed(timeout=5.0).text == "go home"
    server.wait_closed(timeout=5.0)


def test_clients_that_give_up_do_not_stop_a_server(api: Api) -> None:
    with api.serve(echo, "127.0.0.1", 0) as server:
        for _ in range(20):
            api.connect(*server.address, wait=False).close()
        with api.connect(*server.address) as client:
            client.send(b"still serving?")
            assert client.recv(timeout=5.0) == b"still serving?"


def test_a_handler_must_be_callable(api: Api) -> None:
    wrong: Any = "echo"
    with pytest.raises(TypeError, match=r"^handler must be callable, not str$"):
        api.serve(wrong, "127.0.0.1", 0)


def test_callbacks_of_served_connections(api: Api) -> None:
    told: list[str] = []
    done = threading.Event()

    def on_status_changed(event: StatusChanged[Connection]) -> None:
        told.append(event.new.name)
        if event.end:
            done.set()

    with api.serve(echo, "127.0.0.1", 0, on_status_changed=on_status_changed) as server:
        with api.connect(*server.address):
            pass
        assert done.wait(timeout=5.0)
    assert told == ["CONNECTING", "CONNECTED", "CLOSED_BY_PEER"]


def test_a_stopped_runtime_ends_a_server(api: Api) -> None:
    server = api.serve(echo, "127.0.0.1", 0)
    client = api.connect(*server.address)
    gns_py.stop(linger=0)
    server.wait_closed(timeout=5.0)
    server.close()
    assert client.wait_closed(timeout=1.0).code == EndReason.SHUTDOWN
    client.close()


# ---- draining a server -----------------------------------------------------------------------------------------------


def test_drain_lets_the_handlers_finish_and_sends_newcomers_away(api: Api) -> None:
    with api.serve(echo, "127.0.0.1", 0) as server, api.connect(*server.address) as client:
        client.send(b"in?")
        assert client.recv(timeout=5.0) == b"in?"
        assert server.is_serving()
        drained: list[bool] = []
        thread = threading.Thread(target=lambda: drained.append(server.drain(timeout=10.0)))
        thread.start()
        eventually(lambda: "draining" in repr(server))
        with pytest.raises(ConnectFailed, match=r"^closed by the peer, 1001 GOING_AWAY: the server is closing$"):
            api.connect(*server.address)
        assert server.is_serving()
        client.send(b"still?")
        assert client.recv(timeout=5.0) == b"still?"
        client.close()
        thread.join(timeout=5.0)
        assert drained == [True]
        assert not server.is_serving()


def test_drain_closes_what_has_not_finished_in_time(api: Api) -> None:
    ended: list[ConnectionClosed] = []

    def handler(connection: Connection) -> None:
        connection.send(b"ready")
        try:
            connection.recv()
        except ConnectionClosed as error:
            ended.append(error)
            raise

    with api.serve(handler, "127.0.0.1", 0) as server, api.connect(*server.address) as client:
        assert client.recv(timeout=5.0) == b"ready"
        assert server.drain(timeout=0.1) is False
        assert not server.is_serving()
        assert client.wait_closed(timeout=5.0).code == EndReason.GOING_AWAY
        eventually(lambda: [error.code for error in ended] == [EndReason.GOING_AWAY])


def test_drain_of_a_server_without_connections_is_a_close(api: Api) -> None:
    server = api.serve(echo, "127.0.0.1", 0)
    for wrong in (-1, float("nan")):
        with pytest.raises(ValueError, match=r"^timeout is (-1|nan): it must not be negative$"):
            server.drain(timeout=wrong)
    assert server.is_serving()
    assert server.drain() is True
    assert server.drain(timeout=0) is True
    assert "closed" in repr(server)
    with api.listen(*server.address):
        pass
