"""The listener of threads: one thread wants requests, and one at a time looks for arrivals."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from support import PATIENCE
from support.threads import until_waiting

import gns_py
import gns_py.session.sync as gns
from gns_py import ConcurrencyError, NotRunningError
from gns_py._core.deadline import Deadline
from gns_py.session.sync.listener import open_session_listener
from gns_py.session.sync.thread_listener import ThreadListener


@pytest.fixture
def listener() -> Iterator[ThreadListener]:
    """Yield an open port."""
    listener = open_session_listener("127.0.0.1", 0, None, None, None, None, None)
    yield listener
    listener.close()


def looking(listener: ThreadListener) -> threading.Thread:
    """Return a thread that looks for the first arrival."""

    def look() -> None:
        while not listener.registry.counters.requested and not listener.listener.is_closed:
            listener.look(Deadline(10.0 * PATIENCE))

    thread = threading.Thread(target=look)
    thread.start()
    until_waiting(thread)
    return thread


def test_two_threads_cannot_want_requests(listener: ThreadListener) -> None:
    with listener.as_reader(), pytest.raises(ConcurrencyError, match="same listen socket"), listener.as_reader():
        pass
    with pytest.raises(LookupError), listener.as_reader():
        raise LookupError
    with listener.as_reader():  # the turn was given back
        pass


def test_one_looks_while_another_waits_for_it(
    listener: ThreadListener, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gns_py.session.sync.thread_listener._LOOK", 60.0)
    thread = looking(listener)
    listener.look(Deadline(60.0), lambda: True)  # there is nothing to wait for
    waiting = pool.submit(listener.look, Deadline(60.0))
    with pytest.raises(TimeoutError):
        waiting.result(timeout=0.1)
    client = pool.submit(gns.connect, *listener.listener.address, timeout=10.0)
    waiting.result(timeout=5.0 * PATIENCE)
    thread.join()
    request = listener.next_request()
    assert request is not None
    server = request.accept()
    server.wait_established(timeout=5.0)
    client.result().abort()
    server.abort()


def test_waiting_for_another_thread_has_a_limit(listener: ThreadListener) -> None:
    thread = looking(listener)
    listener.look(Deadline(0.01))
    assert thread.is_alive()
    listener.close()
    assert listener.next_request() is None
    thread.join()


def test_it_reports_that_the_runtime_was_stopped(listener: ThreadListener) -> None:
    gns_py.stop(linger=0)
    with pytest.raises(NotRunningError):
        listener.look(Deadline(5.0))
    with pytest.raises(NotRunningError):  # the turn was given back
        listener.look(Deadline(5.0))


def test_handshakes_that_are_too_slow_end_while_a_thread_looks() -> None:
    config = gns.SessionConfig(hello_timeout=0.1)
    listener = open_session_listener("127.0.0.1", 0, None, None, None, config, None)
    with gns_py.sync.connect(*listener.listener.address, wait=False):
        deadline = Deadline(5.0 * PATIENCE)
        while not listener.registry.counters.failed and not deadline.is_over():
            listener.look(deadline)
        assert listener.registry.counters.failed == 1
    listener.close()
