"""MemoryStore: what the contract of all stores does not say."""

from __future__ import annotations

import asyncio
import threading

import pytest
from support.stores import created, messages

from gns_py.session.store import MemoryStore, Record, RecordHead


def test_nothing_that_changes_leaves_the_store() -> None:
    async def main() -> None:
        store = MemoryStore()
        owner = await created(store, sent={0: 1}, handled={0: 1}, outgoing=messages(0, 1, 1))
        found = await store.load(owner.record.id)
        assert isinstance(found, Record)
        for numbers in (found.handled, found.sent, found.acked):
            numbers[0] = 7  # type: ignore[index]
        await owner.commit(handled={0: 2})
        again = await store.load(owner.record.id)
        assert isinstance(again, RecordHead)
        assert (again.handled, again.sent, again.acked) == ({0: 2}, {0: 1}, {})

    asyncio.run(main())


def test_expired_records_are_dropped_when_there_are_many() -> None:
    now = 0.0

    async def main() -> None:
        nonlocal now
        store = MemoryStore(clock=lambda: now)
        for number in range(5000):
            owner = await created(store, ttl=10.0)
            await store.take_key(str(number), owner.record.id, replacing=None, ttl=10.0)
            now += 1.0
        assert len(store) < 200

    asyncio.run(main())


def test_several_threads_share_it() -> None:
    store = MemoryStore()
    done: list[int] = []

    async def main() -> None:
        for _ in range(300):
            owner = await created(store)
            await owner.commit(state=b"s")
        done.append(1)

    threads = [threading.Thread(target=lambda: asyncio.run(main())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(done), len(store)) == (4, 1200)


def test_a_key_of_an_expired_session_is_free() -> None:
    now = 0.0

    async def main() -> None:
        nonlocal now
        store = MemoryStore(clock=lambda: now)
        first, second = store.new_session_id(), store.new_session_id()
        await store.take_key("k", first, replacing=None, ttl=1.0)
        now = 1.0
        assert await store.take_key("k", second, replacing=None, ttl=1.0) == second

    asyncio.run(main())


def test_it_can_be_opened_and_closed() -> None:
    async def main() -> None:
        store = MemoryStore()
        await store.open()
        owner = await created(store)
        await store.aclose()
        assert await store.load(owner.record.id) == owner.record

    asyncio.run(main())
    with pytest.raises(ValueError, match="a key has"):
        asyncio.run(MemoryStore().find(""))
