"""Signals that drain a server of threads, in the thread that they interrupt."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest
from support import echo, eventually

from gns_py.session.sync import Server, drain_on_signal, serve


@pytest.fixture
def server() -> Iterator[Server]:
    with serve(echo, "127.0.0.1", 0) as server:
        yield server


def test_the_handlers_of_before_come_back(server: Server) -> None:
    before = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)]
    with drain_on_signal(server, signal.SIGTERM, signal.SIGINT):
        assert signal.getsignal(signal.SIGTERM) == signal.getsignal(signal.SIGINT) != before[0]
    assert [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)] == before
    assert not server.is_draining
    assert "gns_py drain" not in {thread.name for thread in threading.enumerate()}


def test_a_signal_raises_nothing_and_the_block_ends_with_the_server(server: Server) -> None:
    with drain_on_signal(server):
        signal.raise_signal(signal.SIGTERM)
        eventually(lambda: server.is_draining)
    assert not server.is_serving()


def test_a_block_that_fails_waits_for_nothing(server: Server) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(LookupError), drain_on_signal(server):
        raise LookupError
    assert signal.getsignal(signal.SIGTERM) is before
    assert server.is_serving()


@pytest.mark.parametrize("named", [{"deadline": -1.0}, {"redirect": ["x"]}, {"text": "x" * 2000}], ids=str)
def test_wrong_arguments_change_nothing(server: Server, named: dict[str, object]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(ValueError), drain_on_signal(server, **named):  # type: ignore[arg-type]  # noqa: PT011
        pass
    assert signal.getsignal(signal.SIGTERM) is before


def test_only_the_main_thread_has_signals(server: Server) -> None:
    errors: list[ValueError] = []

    def enter() -> None:
        try:
            with drain_on_signal(server):
                pass
        except ValueError as error:
            errors.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert len(errors) == 1
    assert "gns_py drain" not in {thread.name for thread in threading.enumerate()}
