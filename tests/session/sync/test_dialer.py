"""The dialer of threads: real attempts, and those that are given up, cut short or of no use."""

from __future__ import annotations

import logging
import queue
import threading
from typing import Any

import pytest
from support import PATIENCE, counts_references, eventually

import gns_py
import gns_py.sync as gns
from gns_py import Config
from gns_py._core.sending import SendingConnection
from gns_py.session import CloseReason, SessionEnd
from gns_py.session._core.addresses import Route, Source
from gns_py.session.sync.dialer import ThreadDialer
from gns_py.session.sync.discovery import ThreadInquiry

IMPATIENT = Config(timeout_initial=200)


def dialer_at(host: str, port: int, config: Config | None = None) -> ThreadDialer:
    """Return a dialer with one address."""
    source = Source(host, port, may_await=False)
    return ThreadDialer(Route(source, source.known[0]), ThreadInquiry(source), config, None)


class Caller:
    """A caller whose tests wait for what it hears of."""

    def __init__(self) -> None:
        self.heard: queue.Queue[Any] = queue.Queue()

    def welcome(self, connection: SendingConnection) -> None:
        """See Caller."""
        self.heard.put(connection)

    def attempt_failed(self, end: SessionEnd) -> None:
        """See Caller."""
        self.heard.put(end)

    def on_change(self) -> None:
        """See Caller."""
        self.heard.put("change")

    def on_stopped(self) -> None:
        """See Caller."""
        self.heard.put("stopped")

    def hear(self) -> Any:
        """Wait for the next thing."""
        return self.heard.get(timeout=10.0 * PATIENCE)


@pytest.fixture(autouse=True)
def running() -> None:
    """Start GNS: a session that dials was connected before."""
    gns_py.start()


@pytest.fixture
def long_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make each pause last longer than the test."""
    monkeypatch.setattr("random.uniform", lambda *_: 1000.0)


def attempts() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "gns_py reconnect"]


def test_an_attempt_brings_a_connection() -> None:
    with gns.listen("127.0.0.1", 0) as listener:
        dialer, caller = dialer_at(*listener.address), Caller()
        dialer.dial(caller)
        with listener.accept(timeout=5.0) as accepted:
            connection = caller.hear()
            assert isinstance(connection, gns.Connection)
            assert not dialer.is_dialing
            connection.send(b"here")
            assert accepted.recv(timeout=5.0) == b"here"
            connection.close()


def test_a_server_that_does_not_answer_or_does_not_want_it() -> None:
    with gns.listen("127.0.0.1", 0) as listener:
        address = listener.address
        dialer, caller = dialer_at(*address), Caller()
        dialer.dial(caller)
        next(iter(listener)).reject(CloseReason.RATE_LIMITED.native_code)
        end = caller.hear()
        assert (end.reason, end.can_retry) == (CloseReason.RATE_LIMITED, True)
    dialer = dialer_at(*address, config=IMPATIENT)
    dialer.dial(caller)
    end = caller.hear()
    assert (end.reason, end.can_retry) == (CloseReason.CONNECTION_LOST, True)


def test_without_a_way_to_the_server_it_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_way(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr("gns_py.session.sync.dialer.connect_in", no_way)
    dialer, caller = dialer_at("127.0.0.1", 1), Caller()
    for _ in range(2):
        dialer.dial(caller)
        assert caller.hear() == "change"
        assert not dialer.is_dialing


def test_an_error_of_the_program_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    dialer, caller = dialer_at("127.0.0.1", -1), Caller()
    with caplog.at_level(logging.ERROR, "gns_py"):
        dialer.dial(caller)
        end = caller.hear()
    assert (end.reason, end.can_retry) == (CloseReason.ABORTED, False)
    assert len(caplog.records) == 1


def test_without_a_thread_it_is_tried_again(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    dialer, caller = dialer_at("127.0.0.1", -1), Caller()
    with monkeypatch.context() as patch, caplog.at_level(logging.ERROR, "gns_py"):
        patch.setattr(threading.Thread, "start", no_thread)
        for _ in range(3):
            dialer.dial(caller)
            assert not dialer.is_dialing
        assert len(caplog.records) == 1
    monkeypatch.setattr("random.uniform", lambda *_: 0.0)
    dialer.dial(caller)
    assert isinstance(caller.hear(), SessionEnd)


@pytest.mark.usefixtures("long_pause")
def test_a_pause_is_cut_short() -> None:
    dialer, caller = dialer_at("127.0.0.1", -1), Caller()
    dialer.dial(caller)
    dialer.hurry()
    assert isinstance(caller.hear(), SessionEnd)


@pytest.mark.usefixtures("long_pause")
def test_a_pause_is_cancelled() -> None:
    dialer, caller = dialer_at("127.0.0.1", -1), Caller()
    dialer.dial(caller)
    dialer.cancel()
    eventually(lambda: not attempts())
    assert caller.hear() == "change"  # an attempt that was not made
    assert not dialer.is_dialing


def test_an_attempt_is_cancelled() -> None:
    with gns.listen("127.0.0.1", 0) as listener:  # does not answer
        dialer, caller = dialer_at(*listener.address), Caller()
        dialer.dial(caller)
        request = next(iter(listener))
        dialer.cancel()
        eventually(lambda: not attempts())
        assert caller.hear() == "change"
        eventually(lambda: request.connection.state is not gns.ConnectionState.CONNECTING)


@counts_references
@pytest.mark.usefixtures("long_pause")
def test_nothing_is_dialed_for_a_caller_that_is_gone() -> None:
    dialer = dialer_at("127.0.0.1", -1)
    dialer.dial(Caller())
    dialer.hurry()
    eventually(lambda: not attempts())
    assert not dialer.is_dialing


def test_nothing_is_dialed_once_gns_is_stopped() -> None:
    dialer, caller = dialer_at("127.0.0.1", 1), Caller()
    gns_py.stop()
    dialer.dial(caller)
    assert caller.hear() == "stopped"
    assert not dialer.is_dialing
