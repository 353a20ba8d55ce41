"""Connecting: which address is tried when, which attempt wins, and the arguments of connect()."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from support import PATIENCE, next_event

import gns_py.sync as gns
from gns_py import (
    Address,
    Config,
    ConnectFailed,
    ConnectionLimitError,
    ConnectionRequest,
    ConnectTimeout,
    SocketError,
)
from gns_py._core.connecting import Attempts, begin, connect_options, reachable
from gns_py._core.mailbox import Mailbox

Make = Callable[[Address], gns.Connection]
TIMEOUT = 10.0 * PATIENCE


@pytest.fixture
def silent() -> Iterator[Address]:
    """Yield an address at which nothing answers."""
    with socket.socket(type=socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        yield Address(*taken.getsockname())


@pytest.fixture
def tried() -> list[Address]:
    """Return a list that the test's attempts are added to."""
    return []


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def make(mailbox: Mailbox, tried: list[Address]) -> Iterator[Make]:
    """Yield a function that begins to connect."""
    made: list[gns.Connection] = []

    def connect(address: Address) -> gns.Connection:
        tried.append(address)
        options = connect_options(address.port, TIMEOUT, None, None)
        made.append(gns.Connection(begin(mailbox, address, options, None)))
        return made[-1]

    yield connect
    for each in made:
        each.close()


def test_the_next_address_has_its_turn_when_the_first_does_not_answer(
    listener: gns.ListenSocket, mailbox: Mailbox, silent: Address, make: Make, tried: list[Address]
) -> None:
    attempts = Attempts[gns.Connection]([silent, listener.address], TIMEOUT)
    attempts.begin_next(make)
    attempts.begin_next(make)
    assert tried == [silent]
    assert 0.0 <= (attempts.remaining() or 0.0) <= 0.25
    with ThreadPoolExecutor(1) as pool:
        accepting = pool.submit(listener.accept, TIMEOUT)
        while (winner := attempts.winner()) is None:
            mailbox.receive(attempts.remaining())
            attempts.begin_next(make)
        accepted = accepting.result()
    first, second = attempts.alive
    assert tried == [silent, listener.address]
    assert second is winner
    assert 1.0 < (attempts.remaining() or 0.0) <= TIMEOUT + 1.0
    attempts.close()
    assert first.state is gns.ConnectionState.NONE
    assert attempts.alive == [winner]
    accepted.close()


def test_a_family_that_is_missing_does_not_delay_the_next(
    silent: Address, make: Make, mailbox: Mailbox, tried: list[Address]
) -> None:
    def without_ipv6(address: Address) -> gns.Connection:
        if address.ip.version == 6:
            tried.append(address)
            raise SocketError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
        return make(address)

    missing = Address("::1", silent.port)
    attempts = Attempts[gns.Connection]([missing, silent, missing], TIMEOUT)
    attempts.begin_next(without_ipv6)
    assert tried == [missing, silent]
    while len(tried) < 3:  # the last one cannot be tried either, but the attempt in the middle goes on
        mailbox.receive(attempts.remaining())
        attempts.begin_next(without_ipv6)
    assert attempts.winner() is None
    assert attempts.first() is attempts.alive[0]
    with pytest.raises(SocketError):
        Attempts[gns.Connection]([missing, missing], TIMEOUT).begin_next(without_ipv6)


def test_an_address_is_tried_again_when_there_is_room(silent: Address, make: Make, tried: list[Address]) -> None:
    def without_room(address: Address) -> gns.Connection:
        tried.append(address)
        raise ConnectionLimitError(errno.EAGAIN, "as planned")

    attempts = Attempts[gns.Connection]([silent], TIMEOUT)
    attempts.begin_next(without_room)
    assert attempts.first() is None
    assert attempts.winner() is None
    assert 0.0 <= (attempts.remaining() or 0.0) <= 0.05
    attempts.begin_next(make)
    assert tried == [silent, silent]
    assert attempts.first() is not None
    with pytest.raises(ConnectionLimitError):
        Attempts[gns.Connection]([silent], 0.0).begin_next(without_room)


def test_the_last_attempts_end_is_the_error(
    listener: gns.ListenSocket, mailbox: Mailbox, silent: Address, make: Make
) -> None:
    attempts = Attempts[gns.Connection]([listener.address], TIMEOUT)
    attempts.begin_next(make)
    next_event(listener, ConnectionRequest).reject(1500, "not today")
    while attempts.alive:
        mailbox.receive(attempts.remaining())
    with pytest.raises(ConnectFailed, match="not today") as failed:
        attempts.winner()
    assert failed.value.code == 1500
    late = Attempts[gns.Connection]([silent], 0.0)
    late.begin_next(make)
    while late.remaining():  # with some time for GNS to say it
        assert late.winner() is None
        mailbox.receive(late.remaining())
    with pytest.raises(ConnectTimeout, match="not connected in time"):
        late.winner()


def test_addresses_without_a_route_are_left_out() -> None:
    no_route, good = Address("255.255.255.255", 9), Address("127.0.0.1", 9)  # broadcasting needs a permission
    assert reachable([no_route, good, good]) == [good]
    assert reachable([Address("0.0.0.0", 9)]) == [good]
    assert reachable([Address("::", 9)])[-1] == good
    with pytest.raises(OSError, match=r"^\[.*\] cannot connect to 255\.255\.255\.255:9: "):
        reachable([no_route])


def test_the_timeout_is_an_option_unless_the_options_have_one() -> None:
    assert connect_options(1, 1.0005, None, None) == Config(timeout_initial=1001)
    assert connect_options(1, None, Config(nagle_time=1), None) == Config(nagle_time=1, timeout_initial=2**31 - 1)
    assert connect_options(1, 1e9, None, None).timeout_initial == 2**31 - 1
    assert connect_options(1, 1.0, Config(timeout_initial=7), None).timeout_initial == 7
    with pytest.raises(ValueError, match="port 0 is not a port to connect to"):
        connect_options(0, 1.0, None, None)
    with pytest.raises(ValueError, match="must not be negative"):
        connect_options(1, -1.0, None, None)
    with pytest.raises(TypeError, match="config must be a Config, not dict"):
        connect_options(1, 1.0, {}, None)  # type: ignore[arg-type]


def test_a_machine_that_stalls_gets_the_limits_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """All time is over before there is a first attempt: the limit is the reason, and no attempt is looked for."""
    monkeypatch.setattr("gns_py._core.connecting._GRACE", 0.0)

    def full(address: Address) -> gns.Connection:
        raise ConnectionLimitError(errno.EAGAIN, f"no place for {address}")

    attempts: Attempts[gns.Connection] = Attempts([Address("127.0.0.1", 1)], 0.0)
    assert attempts.winner() is None
    with pytest.raises(ConnectionLimitError):
        attempts.begin_next(full)
    attempts.close()
