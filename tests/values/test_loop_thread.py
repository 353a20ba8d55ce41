"""An event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future

import pytest

from gns_py._loop_thread import LoopThread


async def forever() -> None:
    await asyncio.Event().wait()


async def answer() -> int:
    return 42


def test_it_runs_coroutines() -> None:
    thread = LoopThread("test")
    done = threading.Event()

    async def note() -> None:
        done.set()

    assert thread.begin(answer()).result(5.0) == 42
    thread.spawn(note())
    assert done.wait(5.0)
    assert thread.is_alive
    assert not thread.has_ended
    thread.stop()
    thread.stop()
    assert thread.has_ended
    assert not thread.is_alive


def test_what_runs_is_cancelled_at_the_end() -> None:
    thread = LoopThread("test")
    ended = threading.Event()

    async def wait() -> None:
        try:
            await forever()
        finally:
            ended.set()

    running = thread.begin(wait())
    assert thread.begin(answer()).result(5.0) == 42
    thread.stop()
    assert ended.is_set()
    with pytest.raises(CancelledError):
        running.result(0)


def test_nothing_begins_afterwards() -> None:
    thread = LoopThread("test")
    thread.stop()
    thread.spawn(forever())  # does not complain
    with pytest.raises(RuntimeError):
        thread.begin(forever())


@pytest.mark.parametrize("turns", range(6))
@pytest.mark.parametrize("coroutine", [answer, forever])
def test_what_is_begun_while_it_ends_is_refused_or_ends(
    turns: int, coroutine: Callable[[], Coroutine[object, object, object]]
) -> None:
    thread = LoopThread("test")
    outcomes: list[Future[object] | RuntimeError] = []

    def begin(left: int) -> None:
        if left:  # begin that many turns of the loop later
            asyncio.get_running_loop().call_soon(begin, left - 1)
            return
        try:
            outcomes.append(thread.begin(coroutine()))
        except RuntimeError as error:
            outcomes.append(error)

    async def wait() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.add_done_callback(lambda _: begin(turns))
        await forever()

    thread.begin(wait())
    assert thread.begin(answer()).result(5.0) == 42
    thread.stop()
    assert all(isinstance(each, RuntimeError) or each.done() for each in outcomes)
    assert outcomes or turns  # with too many turns the loop has ended before


def test_a_future_can_be_cancelled() -> None:
    thread = LoopThread("test")
    waiting = thread.begin(forever())
    waiting.cancel()
    assert thread.begin(answer()).result(5.0) == 42
    thread.stop()


def test_there_is_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_thread)
    with pytest.raises(RuntimeError, match="new thread"):
        LoopThread("test")
