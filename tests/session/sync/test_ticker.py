"""The ticker: one thread keeps all sessions going, until they end or are dropped."""

from __future__ import annotations

import gc
import threading
import weakref

import pytest
from support import counts_references, eventually

from gns_py.session.sync.ticker import Ticker


class Kept:
    """Counts its rounds, and fails in each if it is told to."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.rounds = 0
        self.has_ended = False
        self._error = error

    def keep_going(self) -> bool:
        self.rounds += 1
        if self._error is not None:
            raise self._error
        return not self.has_ended


def tickers() -> list[threading.Thread]:
    """Return the threads of tickers."""
    return [each for each in threading.enumerate() if each.name == "gns_py sessions"]


def until_rounds(session: Kept) -> None:
    """Wait for two rounds of a session."""
    seen = session.rounds
    eventually(lambda: session.rounds > seen + 1)


def test_it_keeps_sessions_going_until_they_end() -> None:
    ticker, first, second = Ticker(), Kept(), Kept()
    ticker.add(first)
    ticker.add(second)
    assert len(tickers()) == 1
    until_rounds(first)
    first.has_ended = True
    until_rounds(second)
    seen = first.rounds
    until_rounds(second)
    assert first.rounds == seen
    second.has_ended = True
    eventually(lambda: not tickers())
    third = Kept()
    ticker.add(third)  # with a new thread
    eventually(lambda: third.rounds)
    third.has_ended = True


@counts_references
def test_a_session_that_is_dropped_is_kept_only_if_asked_for() -> None:
    ticker, dropped, kept = Ticker(), Kept(), Kept()
    ticker.add(dropped)
    ticker.add(kept)
    ticker.keep_alive(kept)
    gone, stays = weakref.ref(dropped), weakref.ref(kept)
    until_rounds(kept)
    del dropped, kept
    eventually(lambda: gone() is None)
    gc.collect()
    still = stays()
    assert still is not None
    still.has_ended = True
    del still
    eventually(lambda: stays() is None)


@pytest.mark.parametrize("error", [LookupError("as planned"), SystemExit("as planned")], ids=repr)
def test_an_exception_of_one_does_not_stop_the_others(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    ticker, bad, good = Ticker(), Kept(error), Kept()
    ticker.add(bad)
    ticker.add(good)
    eventually(lambda: bad.rounds > 1 and good.rounds > 1)
    bad.has_ended = good.has_ended = True
    eventually(lambda: not tickers())
    assert "keeping" in caplog.records[0].getMessage()
    assert "as planned" in caplog.text


def test_without_a_thread_left_the_next_session_tries_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    ticker, first, second = Ticker(), Kept(), Kept()
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", fail)
        ticker.add(first)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert not tickers()
    ticker.add(second)
    eventually(lambda: first.rounds and second.rounds)
    first.has_ended = second.has_ended = True
