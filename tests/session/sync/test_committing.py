"""Commits in the blocking API: other threads, time limits of the store, forks."""

from __future__ import annotations

import os
import threading

import pytest
from support import eventually
from support.durable_pair import make_pair
from support.faulty_store import FaultyStore

import gns_py.session.sync as gns
from gns_py import ForkedError
from gns_py.session.store import StoreUnavailable


def test_threads_commit_at_once() -> None:
    with make_pair(gns, FaultyStore()) as (client, server):
        threads = [threading.Thread(target=server.commit, args=(b"%d" % number,)) for number in range(8)]
        for number, thread in enumerate(threads):
            server.send(b"%d" % number)
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(client.recv(timeout=5.0) for _ in threads) == [b"%d" % number for number in range(8)]


def test_a_store_that_hangs_keeps_no_other_thread_waiting() -> None:
    store = FaultyStore()
    with make_pair(gns, store) as (client, server):
        store.delay, store.is_away = 0.3, True
        errors: list[Exception] = []

        def commit() -> None:
            try:
                server.commit()
            except StoreUnavailable as error:
                errors.append(error)

        thread = threading.Thread(target=commit)
        thread.start()
        client.send(b"meanwhile")
        assert server.recv(timeout=5.0) == b"meanwhile"
        thread.join()
        assert len(errors) == 1
        store.delay, store.is_away = 0.0, False
        server.commit()


def test_a_server_that_closes_lets_a_commit_come_to_its_end() -> None:
    """The next commit of its handler learns that the session is another server's, and does not hang."""
    store = FaultyStore()
    outcomes: list[str] = []

    def handler(session: gns.Session) -> None:
        session.recv()
        store.delay = 0.2
        session.commit(b"first")
        outcomes.append("stored")
        with pytest.raises(gns.SessionClosed) as closed:
            session.commit(b"second")
        outcomes.append(closed.value.reason.name)

    with gns.serve(handler, "127.0.0.1", 0, store=store, durable=True) as server:
        client = gns.connect(*server.address)
        client.send(b"go")
        eventually(lambda: store.commits == 1)
        server.drain(0.0)
        client.abort()
    assert outcomes == ["stored", "FAILED_OVER"]
    assert server.commit({}) == {}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork()")
def test_a_forked_child_does_not_hang() -> None:
    with make_pair(gns, FaultyStore()) as (_, server):
        child = os.fork()
        if child == 0:  # pragma: no cover - the child's coverage is lost
            try:
                server.commit()
            except ForkedError:
                os._exit(7)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        server.commit()
