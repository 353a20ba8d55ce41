"""poll() for everything that has a mailbox: when it waits, and when it does not."""

from __future__ import annotations

import threading
import time

import pytest
from support import PATIENCE, eventually

import gns_py
from gns_py import ConcurrencyError, NotRunningError
from gns_py._core.mailbox import Mailbox
from gns_py.sync import Connection, socket_pair
from gns_py.sync.polling import poll

TIMEOUT = 10.0 * PATIENCE


def never() -> bool:
    return False


def test_it_returns_and_removes_all_events() -> None:
    mailbox = Mailbox()
    mailbox.events += ["one", "two"]
    assert poll(mailbox, None, never) == ["one", "two"]
    assert poll(mailbox, 0.0, never) == []
    start = time.monotonic()
    assert poll(mailbox, 0.05, never) == []
    assert time.monotonic() - start >= 0.05


def test_it_waits_for_the_first_event() -> None:
    first, second = socket_pair()
    with first, second:
        end = Connection.endpoint_of(second)
        end.redirect_events(end.mailbox.events)
        timer = threading.Timer(0.05, first.send, (b"x",))
        timer.start()
        (event,) = poll(end.mailbox, TIMEOUT, never)
        timer.join()
    assert (event.connection, event.message.data) == (second, b"x")


def test_it_does_not_wait_for_what_cannot_happen() -> None:
    mailbox = Mailbox()
    assert poll(mailbox, None, lambda: True) == []
    mailbox.events.append("the last one")
    assert poll(mailbox, None, lambda: True) == ["the last one"]
    answers = iter([False, True])
    timer = threading.Timer(0.05, mailbox.wake)
    timer.start()
    assert poll(mailbox, TIMEOUT, lambda: next(answers)) == []
    timer.join()


def test_a_stop_of_the_runtime_is_an_error_once_nothing_is_left() -> None:
    mailbox = Mailbox()
    mailbox.events.append("before")
    gns_py.stop(linger=0)
    assert poll(mailbox, TIMEOUT, never) == ["before"]
    with pytest.raises(NotRunningError):
        poll(mailbox, TIMEOUT, never)
    assert poll(mailbox, TIMEOUT, lambda: True) == []


def test_one_thread_polls_at_a_time() -> None:
    mailbox = Mailbox()
    is_over = threading.Event()

    def read() -> None:
        poll(mailbox, TIMEOUT, is_over.is_set)

    reader = threading.Thread(target=read)
    reader.start()
    eventually(lambda: mailbox.is_read)
    with pytest.raises(ConcurrencyError):
        poll(mailbox, 0.0, never)
    is_over.set()
    mailbox.wake()
    reader.join(TIMEOUT)
    assert not reader.is_alive()
