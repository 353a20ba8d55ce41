"""Opening and closing: handles, and what happens with those that are gone."""

from __future__ import annotations

import errno
import socket

import pytest

import gns_py
from gns_py import Address, Config, ConnectionLimits, LimitCounters, _native
from gns_py.errors import GNSError, InvalidStateError, NotRunningError

from .conftest import Ends


@pytest.fixture
def mailbox() -> _native.MailboxReader:
    gns_py.start()
    return _native.MailboxReader()


def free_address() -> Address:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return Address(*probe.getsockname())


def test_a_listen_socket_counts_and_closes_once(mailbox: _native.MailboxReader) -> None:
    handle = _native.listen(mailbox.handle, free_address(), Config(), ConnectionLimits())
    assert _native.listen_counters(handle) == LimitCounters(0, 0, 0, 0, 0, 0)
    assert _native.listen_close(handle, 1000, b"", False) is True
    assert _native.listen_close(handle, 1000, b"", False) is False
    with pytest.raises(InvalidStateError):
        _native.listen_counters(handle)
    mailbox.destroy()


def test_a_taken_port_is_an_error(mailbox: _native.MailboxReader) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        with pytest.raises(GNSError) as refused:
            _native.listen(mailbox.handle, Address(*other.getsockname()), Config(), None)
        if isinstance(refused.value, OSError):
            assert refused.value.errno == errno.EADDRINUSE
    mailbox.destroy()


def test_a_connection_that_is_closed_is_gone(ends: Ends) -> None:
    handle = ends.here.handle
    _native.close(handle, 1234, b"bye", False)
    _native.close(handle, 1234, b"bye", False)  # raises nothing
    for call in (_native.info, _native.flush, _native.ping, _native.send_queue, _native.get_name, _native.details):
        with pytest.raises(_native.ConnectionGoneError):
            call(handle)
    with pytest.raises(_native.ConnectionGoneError):
        _native.move(handle, ends.there.mailbox.handle)
    with pytest.raises(_native.ConnectionGoneError):
        _native.accept(handle, 0)


def test_what_is_no_inbound_connection_cannot_be_accepted(ends: Ends) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        _native.accept(ends.here.handle, 0)


def test_without_a_runtime_connections_are_gone_and_sockets_an_error(ends: Ends) -> None:
    gns_py.stop(linger=0)
    with pytest.raises(_native.ConnectionGoneError):
        _native.info(ends.here.handle)
    with pytest.raises(NotRunningError):
        _native.connect(ends.here.mailbox.handle, Address("127.0.0.1", 1), Config())
