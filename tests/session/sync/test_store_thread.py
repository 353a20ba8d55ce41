"""The thread in which the blocking API uses a store."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from support import eventually
from support.faulty_store import FaultyStore

import gns_py.session.sync as gns
from gns_py.session.store import StoreMisconfigured, StoreUnavailable
from gns_py.session.sync.store_thread import StoreThread


async def forever() -> None:
    await asyncio.Event().wait()


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "gns_py session store"]


def test_it_runs_coroutines_until_it_is_closed() -> None:
    store = FaultyStore()
    thread = StoreThread(store)
    assert (store.opened, len(threads())) == (1, 1)
    watching = thread.begin(forever())
    done = threading.Event()

    async def note() -> None:
        done.set()

    async def answer() -> int:
        return 42

    thread.spawn(note())
    assert done.wait(5.0)
    assert thread.call(answer()) == 42
    thread.close(watching)
    thread.close(watching)
    assert (store.closed, threads()) == (1, [])
    thread.spawn(note())  # does not run, and does not complain


def test_what_was_begun_comes_to_its_end() -> None:
    thread = StoreThread(FaultyStore())
    ended: list[bool] = []

    async def slow() -> None:
        await asyncio.sleep(0.05)
        ended.append(True)

    thread.spawn(slow())
    thread.close(thread.begin(forever()))
    assert ended == [True]


def test_a_call_under_way_comes_to_its_end() -> None:
    thread = StoreThread(FaultyStore())
    begun, go_on = threading.Event(), threading.Event()

    async def slow() -> str:
        begun.set()
        while not go_on.is_set():
            await asyncio.sleep(0.01)
        return "stored"

    with ThreadPoolExecutor(2) as pool:
        calling = pool.submit(thread.call, slow())
        assert begun.wait(5.0)
        closing = pool.submit(thread.close, thread.begin(forever()))
        go_on.set()
        assert calling.result(5.0) == "stored"
        closing.result(5.0)


def test_nothing_is_begun_while_the_loop_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    refused: list[StoreUnavailable] = []

    class Loop(asyncio.SelectorEventLoop):
        def close(self) -> None:
            thread.spawn(forever())
            try:
                thread.begin(forever())
            except StoreUnavailable as error:
                refused.append(error)
            super().close()

    monkeypatch.setattr(asyncio, "new_event_loop", Loop)
    thread = StoreThread(FaultyStore())
    thread.close(thread.begin(forever()))
    assert len(refused) == 1
    with pytest.raises(StoreUnavailable):
        thread.begin(forever())


def test_a_call_does_not_outlive_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gns_py.session.sync.store_thread._LAST", 0.05)
    thread = StoreThread(FaultyStore())
    begun = threading.Event()

    async def hang() -> None:
        begun.set()
        await forever()

    with ThreadPoolExecutor(1) as pool:
        calling = pool.submit(thread.call, hang())
        assert begun.wait(5.0)
        thread.close(thread.begin(forever()))
        with pytest.raises(StoreUnavailable, match="before the store had answered"):
            calling.result(5.0)
    with pytest.raises(StoreUnavailable, match="closed"):
        thread.call(hang())


def test_a_store_that_does_not_open() -> None:
    class Refusing(FaultyStore):
        async def open(self) -> None:
            raise StoreMisconfigured("wrong password")

    with pytest.raises(StoreMisconfigured):
        gns.listen("127.0.0.1", 0, store=Refusing())
    eventually(lambda: not threads())


def test_without_a_thread_no_port_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_thread)
    with pytest.raises(RuntimeError, match="thread"):
        StoreThread(FaultyStore())
