"""Mailboxes: they are not copied, and one bad event ends one connection."""

from __future__ import annotations

import copy
import logging
import pickle
import threading
from collections.abc import Callable

import pytest
from support import eventually, next_event, until_connected
from support.states import CLOSED_BY_PEER, CONNECTED

import gns_py
import gns_py.sync as gns
from gns_py import ConcurrencyError, EndReason
from gns_py._core.connection import BaseConnection
from gns_py._core.endpoint import Endpoint
from gns_py._core.listener import Listener
from gns_py._core.mailbox import Mailbox
from gns_py._native import MailboxReader


@pytest.mark.parametrize("kind", [Mailbox, MailboxReader])
def test_it_is_not_copied(kind: type[Mailbox | MailboxReader]) -> None:
    gns_py.start()
    thing = kind()
    for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="cannot be copied or pickled"):
            attempt(thing)
    assert thing.handle != 0
    del thing


def test_a_message_that_cannot_be_handled_ends_its_connection_only(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    on_message = Endpoint.on_message
    victims: list[int] = []

    def fail_for_victims(endpoint: Endpoint, *arguments: object) -> None:
        if endpoint.handle in victims:
            raise MemoryError("as planned")
        on_message(endpoint, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Endpoint, "on_message", fail_for_victims)
    with (
        gns.listen("127.0.0.1", 0) as listener,
        gns.connect(*listener.address, wait=False) as bad,
        gns.connect(*listener.address, wait=False) as good,
    ):
        requests = [event for event in listener.poll(5.0) if isinstance(event, gns.ConnectionRequest)]
        while len(requests) < 2:
            requests += [event for event in listener.poll(5.0) if isinstance(event, gns.ConnectionRequest)]
        for request in requests:
            request.accept()
        victims.append(requests[0].connection.handle)
        for client in (bad, good):
            client.send(b"x")
        received = 0
        with caplog.at_level(logging.ERROR, "gns_py"):
            while received < 1 or requests[0].connection.end is None:
                received += sum(isinstance(event, gns.MessageReceived) for event in listener.poll(5.0))
        eventually(lambda: sorted(each.state for each in (bad, good)) == [CONNECTED, CLOSED_BY_PEER])
    assert received == 1
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "as planned" in str(caplog.records[0].exc_text)


def test_an_inbound_connection_that_cannot_be_handled_is_closed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError("as planned")

    with gns.listen("127.0.0.1", 0) as listener:
        with monkeypatch.context() as patched, gns.connect(*listener.address, wait=False) as client:
            patched.setattr(Listener, "on_inbound", fail)
            with caplog.at_level(logging.ERROR, "gns_py"):
                eventually(lambda: listener.poll(0.1) == [] and client.state is not gns.ConnectionState.CONNECTING)
            end = client.wait_closed(timeout=5.0)
            assert end.code == EndReason.INTERNAL_ERROR
        assert any("an inbound connection" in record.getMessage() for record in caplog.records)
        with gns.connect(*listener.address, wait=False) as client:
            listener.accept(timeout=5.0).close()


def test_a_callback_of_close_cannot_read(caplog: pytest.LogCaptureFixture) -> None:
    """The thread that closes dispatches the event: it would wait for itself."""
    errors: list[BaseException] = []

    def read(event: gns.StatusChanged[gns.Connection]) -> None:
        if event.connection.end is not None:
            try:
                listener.poll(1.0)
            except ConcurrencyError as error:
                errors.append(error)

    with gns.listen("127.0.0.1", 0, on_status_changed=read) as listener:
        client = gns.connect(*listener.address, wait=False)
        request = next_event(listener, gns.ConnectionRequest)
        request.accept()
        until_connected(listener)
        closing = threading.Thread(target=request.connection.close)
        closing.start()
        closing.join(10.0)
        assert not closing.is_alive()
        client.close()
    assert len(errors) == 1
    assert caplog.records == []


def test_an_exception_while_another_thread_is_served_loses_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread asks the reader to dispatch; a signal handler raises when the reader does, with a message at hand."""
    receive_if_idle = Mailbox.receive_if_idle
    reader = threading.get_ident()

    def interrupted(mailbox: Mailbox, until: Callable[[], object] | None = None) -> None:
        if threading.get_ident() == reader:
            raise KeyboardInterrupt
        receive_if_idle(mailbox, until)

    a, b = gns.socket_pair()
    with a, b:
        mailbox = BaseConnection.endpoint_of(b).mailbox

        def ask_and_send() -> None:
            eventually(lambda: mailbox.is_read)
            mailbox.receive_if_idle()
            a.send(b"x")

        thread = threading.Thread(target=ask_and_send)
        with monkeypatch.context() as patched:
            patched.setattr(Mailbox, "receive_if_idle", interrupted)
            thread.start()
            with pytest.raises(KeyboardInterrupt):
                b.recv()
            thread.join()
        assert b.recv(timeout=10.0) == b"x"
