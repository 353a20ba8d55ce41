"""The shield: calls from the main thread are made elsewhere, with the same result."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest
from support import eventually

from gns_py.session.sync.shield import Shield

MAIN = threading.main_thread()


class InterruptionError(Exception):
    """Raised by a signal handler."""


@pytest.fixture
def interrupted() -> Iterator[None]:
    """Let SIGINT raise InterruptionError in the main thread."""

    def interrupt(*_: object) -> None:
        raise InterruptionError

    old = signal.signal(signal.SIGINT, interrupt)
    yield
    signal.signal(signal.SIGINT, old)


def test_results_and_exceptions_are_those_of_the_function() -> None:
    shield = Shield()
    assert shield.run(divmod, 17, 5) == (3, 2)
    with pytest.raises(ZeroDivisionError):
        shield.run(divmod, 17, 0)
    with pytest.raises(SystemExit) as left:
        shield.run(exit_with, 7)
    assert left.value.code == 7
    assert shield.run(divmod, 9, 4) == (2, 1)  # its thread has survived that


def exit_with(code: int) -> None:
    raise SystemExit(code)


def test_only_the_main_threads_calls_are_made_elsewhere() -> None:
    shield, seen = Shield(), list[threading.Thread]()
    assert threading.current_thread() is MAIN
    elsewhere = shield.run(threading.current_thread)
    assert elsewhere is not MAIN
    assert elsewhere is shield.run(threading.current_thread)  # one thread, as long as there is work
    other = threading.Thread(target=lambda: seen.append(shield.run(threading.current_thread)))
    other.start()
    other.join()
    assert seen == [other]


def test_an_idle_thread_ends_and_is_replaced() -> None:
    shield = Shield()
    first = shield.run(threading.current_thread)
    eventually(lambda: not first.is_alive())
    assert shield.run(threading.current_thread) is not first


def test_without_a_thread_left_the_call_is_made_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    shield = Shield()
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", fail)
        assert shield.run(threading.current_thread) is MAIN
        with pytest.raises(ZeroDivisionError):
            shield.run(divmod, 1, 0)
    assert shield.run(threading.current_thread) is not MAIN


@pytest.mark.usefixtures("interrupted")
def test_a_call_is_not_cut_in_two_by_a_signal() -> None:
    shield, steps, go = Shield(), list[str](), threading.Event()

    def work() -> None:
        steps.append("began")
        signal.raise_signal(signal.SIGINT)
        go.wait(5.0)
        steps.append("ended")

    with pytest.raises(InterruptionError):
        shield.run(work)
    assert steps == ["began"]
    go.set()
    eventually(lambda: steps == ["began", "ended"])
