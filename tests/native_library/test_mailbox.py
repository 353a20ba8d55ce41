"""MailboxReader: batches of events, and the buffers that they are copied into."""

from __future__ import annotations

import copy
import select
import socket
import sys

import pytest

from gns_py import _native

from .conftest import Ends


def test_a_batch_has_records_and_payloads(ends: Ends) -> None:
    here, there = ends
    for number, data in enumerate((b"one", b"three"), 1):
        assert _native.send(here.handle, data, len(data), _native.SEND_RELIABLE, 0) == number
    received = [there.receive(_native.EVENT_MESSAGE) for _ in range(2)]
    assert [(record[0], record[1], payload) for record, payload in received] == [
        (there.handle, 1, b"one"),
        (there.handle, 2, b"three"),
    ]


def test_a_large_message_makes_the_buffer_grow(ends: Ends) -> None:
    data = bytes(range(256)) * 1024
    _native.send(ends.here.handle, data, len(data), _native.SEND_RELIABLE, 0)
    assert ends.there.receive(_native.EVENT_MESSAGE)[1] == data


def test_a_lent_message_stays_while_others_arrive(ends: Ends) -> None:
    here, there = ends
    _native.send(here.handle, b"first", 5, _native.SEND_RELIABLE, 0)
    record, _ = there.receive(_native.EVENT_MESSAGE)
    view = there.mailbox.lend(record[3], record[4])
    assert view.readonly
    _native.send(here.handle, b"other", 5, _native.SEND_RELIABLE, 0)
    assert there.receive(_native.EVENT_MESSAGE)[1] == b"other"
    assert bytes(view) == b"first"


def test_waking_and_timeouts_give_no_events(ends: Ends) -> None:
    mailbox = ends.here.mailbox
    assert mailbox.receive(1000) == 0
    assert (mailbox.events, mailbox.fresh) == (0, True)
    mailbox.wake()
    assert mailbox.receive(60_000_000) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="the descriptor is a socket there, for select only")
def test_the_descriptor_is_readable_while_events_are_pending(ends: Ends) -> None:
    here, there = ends
    descriptor = there.mailbox.descriptor()
    assert select.select([descriptor], [], [], 0)[0] == []
    _native.send(here.handle, b"x", 1, _native.SEND_RELIABLE, 0)
    assert select.select([descriptor], [], [], 5.0)[0] == [descriptor]
    there.receive(_native.EVENT_MESSAGE)
    assert select.select([descriptor], [], [], 0)[0] == []


def test_a_callers_socket_gets_a_byte(ends: Ends) -> None:
    here, there = ends
    reading, writing = socket.socketpair()
    with reading, writing:
        writing.setblocking(False)
        reading.settimeout(5.0)
        there.mailbox.notify(writing.fileno())
        _native.send(here.handle, b"x", 1, _native.SEND_RELIABLE, 0)
        assert len(reading.recv(1)) == 1
        there.receive(_native.EVENT_MESSAGE)
        there.mailbox.descriptor()  # takes the socket's place, so that it can be closed


def test_a_mailbox_cannot_be_copied(ends: Ends) -> None:
    with pytest.raises(TypeError, match="cannot be copied or pickled"):
        copy.copy(ends.here.mailbox)
