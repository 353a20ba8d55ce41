"""connect() and socket_pair()."""

from __future__ import annotations

import errno
import logging
import math
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from support import PATIENCE, Api, echo, next_request

from gns_py import (
    Address,
    ClosedBy,
    Config,
    ConfigValue,
    ConnectFailed,
    ConnectionClosedError,
    ConnectionClosedOK,
    ConnectionEnd,
    ConnectionLimitError,
    ConnectionState,
    ConnectTimeout,
    EndReason,
    Identity,
    InfoFlags,
    SocketError,
    StatusChanged,
    _native,
)
from gns_py.sync import Connection, ListenSocket


def accept_in_background(listener: ListenSocket) -> threading.Thread:
    """Accept one connection and wait until the client closes it."""

    def accept() -> None:
        with listener.accept(timeout=10.0) as connection:
            connection.wait_closed(timeout=10.0)

    thread = threading.Thread(target=accept)
    thread.start()
    return thread


def addresses_of(name: str) -> set[str]:
    return {str(answer[4][0]) for answer in socket.getaddrinfo(name, 1, type=socket.SOCK_DGRAM)}


# ---- connecting ------------------------------------------------------------------------------------------------------


def test_connect_returns_a_connection_that_is_established(api: Api) -> None:
    with api.serve(echo, "127.0.0.1", 0) as server, api.connect("127.0.0.1", server.address.port) as connection:
        assert connection.state is ConnectionState.CONNECTED
        assert connection.remote_address == server.address == ("127.0.0.1", server.address.port)
        assert connection.end is None
        connection.send(b"hello")
        assert connection.recv(timeout=5.0) == b"hello"


@pytest.mark.parametrize(
    ("listen_on", "connect_to"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "localhost"),
        ("localhost", "localhost"),
        ("0.0.0.0", "127.0.0.1"),
        ("::1", "::1"),
        ("::", "127.0.0.1"),
        ("::", "::1"),
        ("", "127.0.0.1"),
        ("", "::1"),
        ("127.0.0.1", "::ffff:127.0.0.1"),
    ],
)
def test_hosts_of_both_families_and_names(api: Api, listen_on: str, connect_to: str) -> None:
    with (
        api.serve(echo, listen_on, 0) as server,
        api.connect(connect_to, server.address.port, timeout=5.0) as connection,
    ):
        connection.send(b"hello")
        assert connection.recv(timeout=5.0) == b"hello"


def test_the_next_address_of_a_name_is_tried_when_the_first_does_not_answer(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    if addresses_of("localhost") < {"127.0.0.1", "::1"}:  # the localhost of this machine has one family only
        answers = [(socket.AF_INET, 2, 17, "", ("127.0.0.1", 0)), (socket.AF_INET6, 2, 17, "", ("::1", 0, 0, 0))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_named: answers)
    with api.serve(echo, "::1", 0) as server:
        began = time.monotonic()
        with api.connect("localhost", server.address.port, timeout=5.0) as connection:
            assert 0.2 < time.monotonic() - began < 4.0 * PATIENCE
            assert connection.remote_address == ("::1", server.address.port)
            connection.send(b"hello")
            assert connection.recv(timeout=5.0) == b"hello"


@pytest.mark.parametrize("timeout", [None, math.inf, 1e300, 5, 5.0])
def test_time_limits_that_are_met(api: Api, timeout: float | None) -> None:
    with api.serve(echo, "127.0.0.1", 0) as server, api.connect("127.0.0.1", server.address.port, timeout=timeout):
        pass


def test_the_timeout_is_the_connections_own_option_too(api: Api, listener: ListenSocket) -> None:
    thread = accept_in_background(listener)
    with api.connect("127.0.0.1", listener.address.port, timeout=2.5) as connection:
        assert connection.get_config(ConfigValue.TIMEOUT_INITIAL) == 2500
    thread.join()


def test_a_timeout_in_the_config_is_kept_and_counts_if_it_is_shorter(api: Api) -> None:
    began = time.monotonic()
    with pytest.raises(ConnectTimeout):
        api.connect("127.0.0.1", 9, timeout=5.0, config=Config(timeout_initial=200))
    assert time.monotonic() - began < 3.0 * PATIENCE


@pytest.mark.parametrize("timeout", [0, 0.2])
def test_there_is_no_server(api: Api, timeout: float) -> None:
    began = time.monotonic()
    with pytest.raises(ConnectTimeout, match=r"^ended by a problem, 5003 MISC_TIMEOUT: Timed out") as failed:
        api.connect("127.0.0.1", 9, timeout=timeout)
    assert timeout <= time.monotonic() - began < (timeout + 3.0) * PATIENCE
    assert isinstance(failed.value, TimeoutError)
    assert isinstance(failed.value, ConnectionError)
    assert failed.value.end.can_retry


def test_being_refused(api: Api, listener: ListenSocket) -> None:
    def refuse() -> None:
        next_request(listener).reject(1500, "full")

    thread = threading.Thread(target=refuse)
    thread.start()
    with pytest.raises(ConnectFailed, match=r"^closed by the peer, 1500 APP_1500: full$") as failed:
        api.connect("127.0.0.1", listener.address.port, timeout=5.0)
    thread.join()
    assert not isinstance(failed.value, TimeoutError)
    assert (failed.value.end.closed_by, failed.value.code, failed.value.text) == (ClosedBy.PEER, 1500, "full")


def test_a_name_all_of_whose_addresses_fail(api: Api) -> None:
    with pytest.raises(ConnectTimeout):
        api.connect("localhost", 9, timeout=0.4)


def test_options_take_effect(api: Api, listener: ListenSocket) -> None:
    thread = accept_in_background(listener)
    config = Config(send_rate_min=500_000, send_rate_max=500_000, nagle_time=0, max_unacked_segments=100)
    with api.connect("127.0.0.1", listener.address.port, config=config) as connection:
        assert connection.stats().send_rate == 500_000
        assert connection.get_config(ConfigValue.NAGLE_TIME) == 0
        assert connection.send_queue().max_segments == 100
        assert connection.get_config(ConfigValue.MAX_UNACKED_SEGMENTS) == 100
    thread.join()


# ---- callbacks -------------------------------------------------------------------------------------------------------


def test_status_changes_are_told_in_order_by_one_thread(api: Api) -> None:
    told: list[tuple[str, str]] = []
    threads: set[int] = set()

    def on_status_changed(event: StatusChanged[Connection]) -> None:
        told.append((event.old.name, event.new.name))
        threads.add(threading.get_ident())

    with (
        api.serve(echo, "127.0.0.1", 0) as server,
        api.connect("127.0.0.1", server.address.port, on_status_changed=on_status_changed) as connection,
    ):
        assert told == [("NONE", "CONNECTING"), ("CONNECTING", "CONNECTED")]
        server.close(1600, "good night")
        with pytest.raises(ConnectionClosedOK):
            connection.recv(timeout=5.0)
    assert told[2:] == [("CONNECTED", "CLOSED_BY_PEER")]
    assert len(threads) == 1


def test_a_callback_may_send_from_the_first_event_on(api: Api, listener: ListenSocket) -> None:
    def on_status_changed(event: StatusChanged[Connection]) -> None:
        if event.end is None:
            event.connection.send(event.new.name.encode())

    received: list[bytes] = []

    def serve() -> None:
        with listener.accept(timeout=5.0) as connection:
            received.extend(connection.recv(timeout=5.0) for _ in range(2))

    thread = threading.Thread(target=serve)
    thread.start()
    with api.connect("127.0.0.1", listener.address.port, on_status_changed=on_status_changed) as connection:
        connection.wait_closed(timeout=5.0)
    thread.join()
    assert received == [b"CONNECTING", b"CONNECTED"]


def test_a_callback_that_fails_is_logged_and_nothing_else_suffers(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    def on_status_changed(_event: StatusChanged[Connection]) -> None:
        raise KeyError("on purpose")

    with (
        api.serve(echo, "127.0.0.1", 0) as server,
        caplog.at_level(logging.ERROR, "gns_py"),
        api.connect("127.0.0.1", server.address.port, on_status_changed=on_status_changed) as connection,
    ):
        connection.send(b"hello")
        assert connection.recv(timeout=5.0) == b"hello"
    failures = [record for record in caplog.records if record.name == "gns_py"]
    assert len(failures) == 3  # connecting, connected, closed
    for record in failures:
        assert record.getMessage().startswith(
            f"on_status_changed failed for <{api.__name__}.connection.Connection 127.0.0.1"
        )
        assert record.exc_info is not None
        assert isinstance(record.exc_info[1], KeyError)


# ---- as a context manager --------------------------------------------------------------------------------------------


def test_leaving_the_block_closes_with_1000(pair: tuple[Connection, Connection]) -> None:
    client, server = pair
    with client as entered:
        assert entered is client
    end = server.wait_closed(timeout=5.0)
    assert (end.code, end.closed_by) == (EndReason.APP_GENERIC, ClosedBy.PEER)
    assert end.text == "Application closed connection"  # GNS's own code where there is no other


@pytest.mark.parametrize(
    ("exception", "code"),
    [
        (RuntimeError, EndReason.INTERNAL_ERROR),
        (ConnectionClosedError, EndReason.INTERNAL_ERROR),
        (KeyboardInterrupt, EndReason.APP_GENERIC),
        (SystemExit, EndReason.APP_GENERIC),
        (GeneratorExit, EndReason.APP_GENERIC),
    ],
)
def test_leaving_the_block_by_an_exception_tells_the_peer(
    pair: tuple[Connection, Connection], exception: type[BaseException], code: EndReason
) -> None:
    client, server = pair
    raised = exception("on purpose") if exception is not ConnectionClosedError else exception(_an_end())
    with pytest.raises(exception), client:
        raise raised
    end = server.wait_closed(timeout=5.0)
    assert end.code == code
    assert end.ok is (code == EndReason.APP_GENERIC)
    assert end.text == (
        "an exception was raised" if code == EndReason.INTERNAL_ERROR else "Application closed connection"
    )


def _an_end() -> ConnectionEnd:
    return ConnectionEnd(ClosedBy.PROBLEM, EndReason.MISC_TIMEOUT, "of another connection")


# ---- arguments -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "named", "exception", "text"),
    [
        ((None, 27015), {}, TypeError, "host must be a str, not NoneType"),
        ((b"localhost", 27015), {}, TypeError, "host must be a str, not bytes"),
        (("a\0b", 27015), {}, ValueError, r"host 'a\x00b' has a NUL byte"),
        (("fe80::1%lo", 27015), {}, ValueError, "'fe80::1%lo' has a scope (the part from % on), which GNS cannot use"),
        (("1.2.3", 27015), {}, ValueError, "'1.2.3' is not a numeric IPv4 or IPv6 address"),
        (("127.0.0.1", 0), {}, ValueError, "port 0 is not a port to connect to"),
        (("127.0.0.1", -1), {}, ValueError, "port -1 is out of range: 0 to 65535"),
        (("127.0.0.1", 65536), {}, ValueError, "port 65536 is out of range: 0 to 65535"),
        (("127.0.0.1", "27015"), {}, TypeError, "port must be an int, not str"),
        (("127.0.0.1", True), {}, TypeError, "port must be an int, not bool"),
        (("127.0.0.1", 1.0), {}, TypeError, "port must be an int, not float"),
        (("127.0.0.1", 27015), {"timeout": -1}, ValueError, "timeout is -1: it must not be negative"),
        (("127.0.0.1", 27015), {"timeout": math.nan}, ValueError, "timeout is nan: it must not be negative"),
        (("127.0.0.1", 27015), {"timeout": "5"}, TypeError, "timeout must be seconds or None, not str"),
        (("127.0.0.1", 27015), {"timeout": True}, TypeError, "timeout must be seconds or None, not bool"),
        (("127.0.0.1", 27015), {"config": {"nagle_time": 0}}, TypeError, "config must be a Config, not dict"),
        (("127.0.0.1", 27015), {"config": {}}, TypeError, "config must be a Config, not dict"),
        (
            ("127.0.0.1", 27015),
            {"config": Config(fake_packet_lag_send=1)},
            ValueError,
            "fake_packet_lag_send is a process-wide option: set it with gns_py.set_config(), not on a connection",
        ),
        (
            ("127.0.0.1", 27015),
            {"on_status_changed": "print"},
            TypeError,
            "on_status_changed must be callable, not str",
        ),
    ],
)
def test_wrong_arguments(
    api: Api, arguments: tuple[Any, ...], named: dict[str, Any], exception: type[Exception], text: str
) -> None:
    with pytest.raises(exception) as wrong:
        api.connect(*arguments, **named)
    assert type(wrong.value) is exception
    assert str(wrong.value) == text


def test_a_name_that_does_not_resolve_is_an_os_error_that_names_it(api: Api) -> None:
    with pytest.raises(socket.gaierror, match=r"cannot resolve 'no-such-host\.invalid'"):
        api.connect("no-such-host.invalid", 27015)


# ---- socket pairs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", [False, True])
def test_a_socket_pair_is_connected(api: Api, network: bool) -> None:
    one, other = api.socket_pair(network=network)
    with one, other:
        for end in (one, other):
            assert end.state is ConnectionState.CONNECTED
            assert bool(end.info().flags & InfoFlags.LOOPBACK_BUFFERS) is not network
            assert (end.remote_address is None) is not network
        one.send(b"to the other")
        other.send(b"to the one", reliable=False)
        assert one.recv(timeout=5.0) == b"to the one"
        assert other.recv(timeout=5.0) == b"to the other"
        one.close(1300, "over", linger=False)
        with pytest.raises(ConnectionClosedOK, match=r"^closed by the peer, 1300 APP_1300: over$"):
            other.recv(timeout=5.0)


@pytest.mark.parametrize("network", [False, True])
def test_the_ends_of_a_socket_pair_have_identities(api: Api, network: bool) -> None:
    one, other = api.socket_pair(network=network, identities=(Identity.string("one"), Identity.string("other")))
    with one, other:
        assert other.remote_identity == Identity.string("one")
        assert one.remote_identity == Identity.string("other")


def test_a_socket_pair_in_memory_takes_the_largest_message_at_once(api: Api) -> None:
    one, other = api.socket_pair()
    with one, other:
        data = bytes(range(256)) * 2048
        one.send(data)
        assert other.recv(timeout=5.0) == data
        assert "in memory" in repr(one)


def test_wrong_identities_of_a_socket_pair(api: Api) -> None:
    make: Callable[..., Any] = api.socket_pair
    with pytest.raises(TypeError, match=r"^an identity must be an Identity or None, not str$"):
        make(identities=(None, "str:alice"))
    with pytest.raises(ValueError, match="too many values"):
        make(identities=(None, None, None))


def _without_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer as the core does where the kernel lacks IPv6, and give each name an IPv6 address."""
    connect_natively = _native.connect

    def connect(mailbox: int, address: Address, *options: Any) -> int:
        if address.ip.version == 6:
            raise SocketError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
        return connect_natively(mailbox, address, *options)

    def both(_host: str, port: int, *_: object, **__: object) -> list[tuple[Any, ...]]:
        kinds: list[tuple[int, tuple[Any, ...]]] = [
            (socket.AF_INET6, ("::1", port, 0, 0)),
            (socket.AF_INET, ("127.0.0.1", port)),
        ]
        return [(family, socket.SOCK_DGRAM, 17, "", address) for family, address in kinds]

    monkeypatch.setattr(_native, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", both)


def test_an_address_family_that_the_system_lacks_is_passed_over(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    with api.serve(echo, "127.0.0.1", 0) as server:
        _without_ipv6(monkeypatch)
        with api.connect("both.example", server.address.port) as connection:
            connection.send(b"x")
            assert connection.recv(timeout=5.0 * PATIENCE) == b"x"


def test_an_address_of_a_family_that_the_system_lacks_is_an_os_error(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    _without_ipv6(monkeypatch)
    with pytest.raises(SocketError, match=os.strerror(errno.EAFNOSUPPORT)) as lacking:
        api.connect("::1", 27015)
    assert isinstance(lacking.value, OSError)
    assert lacking.value.errno == errno.EAFNOSUPPORT


def test_a_family_that_fails_first_is_passed_over(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = _native.connect

    def connect_by_ipv6(mailbox: int, address: Address, *options: Any) -> int:
        if address.ip.version == 4:
            raise SocketError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
        return connect(mailbox, address, *options)

    with api.serve(echo, "::1", 0) as server:
        _without_ipv6(monkeypatch)
        monkeypatch.setattr(_native, "connect", connect_by_ipv6)
        with api.connect("both.example", server.address.port) as connection:
            connection.send(b"x")
            assert connection.recv(timeout=5.0 * PATIENCE) == b"x"


def test_the_limit_of_connections_is_waited_for(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closed connections count for a while, so connect() tries again until its time is over."""
    connect, refusals = _native.connect, 3

    def connect_later(mailbox: int, address: Address, *options: Any) -> int:
        nonlocal refusals
        refusals -= 1
        if refusals >= 0:
            raise ConnectionLimitError(errno.EAGAIN, "too many")
        return connect(mailbox, address, *options)

    with api.serve(echo, "127.0.0.1", 0) as server:
        monkeypatch.setattr(_native, "connect", connect_later)
        with api.connect(*server.address) as connection:
            connection.send(b"x")
            assert connection.recv(timeout=5.0 * PATIENCE) == b"x"
        refusals = 10_000
        with pytest.raises(ConnectionLimitError):
            api.connect(*server.address, timeout=0.2)
