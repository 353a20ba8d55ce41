"""Draining a server of threads: handlers that wait for it, and handlers that do not return."""

from __future__ import annotations

import logging
import threading

import pytest
from support import eventually

from gns_py.errors import ConcurrencyError
from gns_py.session.sync import Session, connect, draining, serve


def test_a_handler_cannot_wait_for_its_own_server() -> None:
    errors: list[BaseException] = []

    def handle(session: Session) -> None:
        try:
            server.drain(0.1)
        except ConcurrencyError as error:
            errors.append(error)
        session.close()

    with serve(handle, "127.0.0.1", 0) as server, connect(*server.address) as client:
        assert list(client) == []
        eventually(lambda: len(errors) == 1)
        assert not server.is_draining


def test_handlers_that_do_not_return_are_left_behind(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(draining, "_GRACE", 0.2)
    over = threading.Event()
    begun = threading.Event()

    def handle(_: Session) -> None:
        begun.set()
        over.wait(60.0)

    with serve(handle, "127.0.0.1", 0) as server, connect(*server.address) as client:
        assert begun.wait(10.0)
        threading.Timer(0.3, client.close).start()
        with caplog.at_level(logging.WARNING, "gns_py"):
            assert server.drain(0.1) is False
        server.wait_closed()
        over.set()
    (record,) = caplog.records
    assert "without 1 of its handlers" in record.getMessage()
