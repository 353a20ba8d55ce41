"""Connections from peer to peer, with a process that connects to itself: signals go straight back."""

from __future__ import annotations

import errno
from collections.abc import Iterator

import pytest

import gns_py
from gns_py import Config, _native
from gns_py.errors import InvalidStateError, SocketError
from gns_py.route import Route

from .conftest import End

ALICE = "str:alice"


@pytest.fixture
def mailbox() -> Iterator[_native.MailboxReader]:
    gns_py.stop()
    gns_py.start(ALICE)
    reader = _native.MailboxReader()
    yield reader
    reader.destroy()
    gns_py.stop()


@pytest.fixture
def signalling(mailbox: _native.MailboxReader) -> Iterator[int]:
    handle = _native.create_signalling(mailbox.handle)
    yield handle
    _native.destroy_signalling(handle)


def next_event(mailbox: _native.MailboxReader, signalling: int, connection: int = 0) -> tuple[_native.Record, bytes]:
    """Return the next event of this connection, or of any; deliver signals meanwhile."""
    while True:
        assert mailbox.receive(15_000_000), "no event in time"
        for record in mailbox.records():
            payload = bytes(mailbox.payloads[record[3] : record[3] + record[4]])
            if record[5] == _native.EVENT_SIGNAL:
                assert record[0] == signalling
                to, signal = _native.read_signal(payload)
                assert to == ALICE
                assert _native.deliver_signal(signalling, ALICE, signal) == ""
            elif connection in (0, record[0]):
                return record, payload


def test_two_ends_find_each_other(mailbox: _native.MailboxReader, signalling: int) -> None:
    listener = _native.listen_p2p(mailbox.handle, signalling, 7, Config())
    client = _native.MailboxReader()
    here = _native.connect_p2p(client.handle, signalling, ALICE, 7, Config())
    record, payload = next_event(mailbox, signalling)
    there = record[0]
    info, listen_socket = _native.read_info(payload)
    assert (listen_socket, info.identity, record[6:8]) == (listener, ALICE, (0, 1))
    assert (info.route, info.virtual_port) == (Route.UNKNOWN, 7)
    _native.accept(there, 0)
    states = [next_event(mailbox, signalling, there)[0][7] for _ in range(2)]
    assert states == [2, 3]
    info = _native.info(there)
    assert info.route in (Route.LOCAL, Route.DIRECT)
    assert info.virtual_port == 7
    end = End(client, here)
    assert [end.receive(_native.EVENT_STATUS)[0][7] for _ in range(3)] == [1, 2, 3]
    counters = _native.signalling_counters(signalling)
    assert counters.sent >= counters.received >= 2
    assert counters._replace(sent=0, received=0) == (0,) * 11
    _native.close(here, 1000, b"", False)
    _native.listen_close(listener, 1000, b"", False)
    client.destroy()


def test_a_signal_that_is_refused_says_why(signalling: int) -> None:
    assert "not a signal" in _native.deliver_signal(signalling, ALICE, b"\xff" * 10)
    assert "too large" in _native.deliver_signal(signalling, ALICE, bytes(_native.MAX_SIGNAL + 1))
    assert "not an identity" in _native.deliver_signal(signalling, "nonsense", b"")
    # from_identity and from_connection_id of the .proto file
    forged = b"\x42\x07str:bob" + b"\x4d\x01\x00\x00\x00"
    assert "not from str:alice" in _native.deliver_signal(signalling, ALICE, forged)
    assert _native.signalling_counters(signalling).bad == 3


def test_what_is_taken_or_gone_is_an_error(mailbox: _native.MailboxReader, signalling: int) -> None:
    listener = _native.listen_p2p(mailbox.handle, signalling, 0, Config())
    with pytest.raises(SocketError) as refused:
        _native.listen_p2p(mailbox.handle, signalling, 0, Config())
    assert refused.value.errno == errno.EADDRINUSE
    for port in (-1, 65536):
        with pytest.raises(ValueError, match="virtual port"):
            _native.connect_p2p(mailbox.handle, signalling, ALICE, port, Config())
    with pytest.raises(ValueError, match="not an identity"):
        _native.connect_p2p(mailbox.handle, signalling, "nonsense", 0, Config())
    _native.listen_close(listener, 1000, b"", False)
    _native.destroy_signalling(signalling)
    _native.destroy_signalling(signalling)  # raises nothing
    for call in (
        lambda: _native.connect_p2p(mailbox.handle, signalling, ALICE, 0, Config()),
        lambda: _native.deliver_signal(signalling, ALICE, b""),
        lambda: _native.signalling_counters(signalling),
    ):
        with pytest.raises(InvalidStateError):
            call()


def test_without_an_identity_there_is_no_peer() -> None:
    gns_py.stop()
    gns_py.start()
    reader = _native.MailboxReader()
    signalling = _native.create_signalling(reader.handle)
    with pytest.raises(InvalidStateError, match="no identity"):
        _native.listen_p2p(reader.handle, signalling, 0, Config())
    with pytest.raises(InvalidStateError, match="no identity"):
        _native.connect_p2p(reader.handle, signalling, ALICE, 0, Config())
    reader.destroy()
