"""The way of scripts to the server, in a cluster above all: what one node does harms no other one's sessions."""

from __future__ import annotations

import asyncio
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.store_servers import Server, running_cluster, valkey_binary
from support.stores import Owner, created

from gns_py.session.store import RecordLost, StoreError, StoreUnavailable, ValkeyStore
from gns_py.session.store.runner import unavailable


@pytest.fixture
def own_cluster(tmp_path: Path) -> Iterator[list[Server]]:
    """Yield a cluster that the test may harm."""
    with running_cluster(valkey_binary(), tmp_path) as nodes:
        yield nodes


async def opened(nodes: list[Server], timeout: float) -> ValkeyStore:
    store = ValkeyStore.cluster([node.address for node in nodes], prefix=secrets.token_hex(4), timeout=timeout)
    await store.open()
    return store


async def commit_all(store: ValkeyStore, owners: list[Owner]) -> set[type[StoreError] | None]:
    """Commit all sessions, and return what became of them."""
    results = await store.commit([owner.commit_of(number=owner.number + 1) for owner in owners])
    for owner, result in zip(owners, results, strict=True):
        owner.number += result is None
    return {None if result is None else type(result) for result in results}


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
def test_a_node_that_does_not_answer_harms_only_its_sessions(own_cluster: list[Server], number: int) -> None:
    async def main() -> None:
        store = await opened(own_cluster, 5.0)
        owners = [await created(store) for _ in range(60)]
        await store.aclose()
        store = ValkeyStore.cluster([node.address for node in own_cluster], prefix=store.prefix, timeout=2.0)
        await store.open()
        assert await commit_all(store, owners) == {None}
        own_cluster[2].send(number)
        assert await commit_all(store, owners) == {None, StoreUnavailable}
        for _ in range(3):
            results = await commit_all(store, owners)
        if number == signal.SIGKILL:
            own_cluster[2].kill()
            await asyncio.to_thread(own_cluster[2].start)
        else:
            own_cluster[2].send(signal.SIGCONT)
        while StoreUnavailable in (results := await commit_all(store, owners)):
            await asyncio.sleep(0.05)
        assert results == ({None, RecordLost} if number == signal.SIGKILL else {None})
        await store.aclose()

    asyncio.run(main())


def test_a_node_that_is_emptied_has_lost_only_its_sessions(cluster: list[Server]) -> None:
    async def main() -> None:
        store = await opened(cluster, 5.0)
        owners = [await created(store) for _ in range(60)]
        cluster[1].call("FLUSHALL")
        assert await commit_all(store, owners) == {None, RecordLost}
        await store.aclose()

    asyncio.run(main())


def test_a_slot_that_moves(own_cluster: list[Server]) -> None:
    async def main() -> None:
        store = await opened(own_cluster, 5.0)
        owners = [await created(store) for _ in range(60)]
        old, new = own_cluster[0], own_cluster[1]
        moving = owners[0].record.id
        slot = old.call("CLUSTER", "KEYSLOT", f"{{{moving[0]:02x}}}")
        old = own_cluster[slot * 3 // 16384]
        new = own_cluster[(slot * 3 // 16384 + 1) % 3]
        ids = {node.port: node.call("CLUSTER", "MYID") for node in (old, new)}
        new.call("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[old.port])
        old.call("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[new.port])
        keys = old.call("CLUSTER", "GETKEYSINSLOT", slot, 1000)
        old.call("MIGRATE", "127.0.0.1", new.port, "", 0, 5000, "KEYS", *keys)
        for node in own_cluster:
            node.call("CLUSTER", "SETSLOT", slot, "NODE", ids[new.port])
        assert await commit_all(store, owners) == {None}
        await store.aclose()

    asyncio.run(main())


def test_closing_ends_what_is_under_way(own_valkey: Server) -> None:
    async def main() -> None:
        store = ValkeyStore(own_valkey.url, timeout=60.0)
        await store.open()
        owners = [await created(store) for _ in range(20)]
        own_valkey.send(signal.SIGSTOP)
        tasks = [asyncio.create_task(owner.commit()) for owner in owners]
        await asyncio.sleep(0.05)
        await store.aclose()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(result) for result in results} == {StoreUnavailable}

    asyncio.run(main())


def test_operations_that_begin_together_share_a_pipeline(own_valkey: Server) -> None:
    async def main() -> None:
        store = ValkeyStore(own_valkey.url, timeout=10.0)
        await store.open()
        owners = await asyncio.gather(*(created(store) for _ in range(300)))
        cancelled = [asyncio.create_task(owner.touch()) for owner in owners[:100]]
        working = [asyncio.create_task(owner.commit(state=b"s")) for owner in owners]
        await asyncio.sleep(0)
        for task in cancelled:
            task.cancel()
        assert await asyncio.gather(*working) == [None] * 300
        assert own_valkey.info("clients")["connected_clients"] <= 4 + 1
        await store.aclose()

    asyncio.run(main())


def test_what_is_unavailable_has_its_cause() -> None:
    cause = OSError(5, "no")
    error = unavailable(cause)
    assert isinstance(error, StoreUnavailable)
    assert error.__cause__ is cause
    assert unavailable(error) is error
    assert str(unavailable(OSError())) == "the store cannot work: OSError"
