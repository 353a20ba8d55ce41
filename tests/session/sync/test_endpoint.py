"""The internal end of a session of threads: one thread reads, others wait for what it brings."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from support import PATIENCE, eventually
from support.threads import until_waiting

from gns_py import ConcurrencyError
from gns_py._core.deadline import Deadline
from gns_py.session._core.session import BaseSession
from gns_py.session.sync import Session
from gns_py.session.sync.endpoint import ThreadEndpoint

Ends = tuple[Session, Session]
LONG = 60.0


@pytest.fixture(autouse=True)
def no_second_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let threads that wait for another one look again only if they are woken."""
    monkeypatch.setattr("gns_py.session.sync.endpoint._LOOK", LONG)


def endpoint_of(session: Session) -> ThreadEndpoint:
    """Return the internal end of a session."""
    return BaseSession.session_endpoint_of(session)


def start(function: Callable[[], object]) -> threading.Thread:
    """Return a thread that runs the function, and waits there."""
    thread = threading.Thread(target=function)
    thread.start()
    until_waiting(thread)
    return thread


def test_others_wait_while_one_thread_reads(thread_ends: Ends, pool: ThreadPoolExecutor) -> None:
    client, server = thread_ends
    endpoint, received = endpoint_of(client), list[bytes]()

    def read() -> None:
        received.extend(client)
        client.close()

    reader = start(read)
    waiting = [pool.submit(client.wait_closed, LONG) for _ in range(2)]
    eventually(lambda: endpoint.readers == 2)
    with pytest.raises(ConcurrencyError, match="two threads receive"):
        client.recv(timeout=5.0)
    server.send(b"x")
    server.close(1007)
    assert [each.result(timeout=5.0 * PATIENCE).code for each in waiting] == [1007, 1007]
    reader.join()
    assert received == [b"x"]
    assert endpoint.readers == 0


def test_a_wait_ends_at_once_if_its_condition_is_true(thread_ends: Ends) -> None:
    client, server = thread_ends
    endpoint = endpoint_of(client)
    reader = start(lambda: client.recv(timeout=LONG))
    assert endpoint.wait(Deadline(LONG), lambda: True) is False
    assert endpoint.wait(Deadline(0.01), lambda: False) is False
    assert endpoint.readers == 0
    server.send(b"x")
    reader.join()


def test_a_message_that_does_not_arrive_in_time(thread_ends: Ends) -> None:
    client, server = thread_ends
    with pytest.raises(TimeoutError, match=r"no message within 0\.01 s"):
        client.recv(timeout=0.01)
    server.send(b"x")  # the turn was given back
    assert client.recv(timeout=5.0) == b"x"


def test_the_ticker_reads_what_no_other_thread_reads(thread_ends: Ends) -> None:
    client, server = thread_ends
    endpoint = endpoint_of(client)
    assert endpoint.keep_going()
    server.abort()
    eventually(lambda: not endpoint.keep_going())
    assert endpoint.has_ended


def test_the_listeners_mailbox_is_read_for_it_meanwhile(thread_ends: Ends) -> None:
    endpoint, looks = endpoint_of(thread_ends[0]), list[Deadline]()

    def look(deadline: Deadline, ready: Callable[[], object]) -> None:
        assert not ready()
        looks.append(deadline)

    endpoint.look_at_listener = look
    deadline = Deadline(LONG)
    assert endpoint.wait(deadline, lambda: False) is False
    assert looks == [deadline]
    assert endpoint.keep_going()
    endpoint.look_at_listener = None


def test_the_ticker_leaves_the_end_for_a_reader(thread_ends: Ends, pool: ThreadPoolExecutor) -> None:
    """Another thread has made it, and woken the mailbox: the ticker may take that."""
    endpoint = endpoint_of(thread_ends[1])
    thread_ends[1].abort()
    assert not endpoint.keep_going()
    pool.submit(endpoint.read, Deadline(LONG)).result(timeout=5.0 * PATIENCE)
