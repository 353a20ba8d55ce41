"""ValkeyStore, while its server is slow, dead, empty, full or not willing, and answers get lost."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import signal
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
from support.store_servers import Proxy, Server, valkey_binary
from support.stores import Owner, advanced, claim_of, created, make_record, messages

from gns_py.session.store import (
    Fenced,
    RecordHead,
    RecordLost,
    StoreMisconfigured,
    StoreUnavailable,
    ValkeyStore,
    take_over_key,
)

SHORT = 0.3


async def opened(server: Server | Proxy, **settings: Any) -> ValkeyStore:
    store = ValkeyStore(f"valkey://127.0.0.1:{server.port}", **{"prefix": secrets.token_hex(4), **settings})
    await store.open()
    return store


async def eventually(operation: Callable[[], Awaitable[Any]]) -> Any:
    """Return what an operation returns as soon as the store is available."""
    while True:
        with contextlib.suppress(StoreUnavailable):
            return await operation()
        await asyncio.sleep(0.02)


# ---- answers that are lost, and cancellation -------------------------------------------------------------------------


def test_each_operation_can_be_repeated_when_its_answer_was_lost(valkey: Server) -> None:
    async def main() -> None:
        async with Proxy(valkey.address) as proxy:
            store = await opened(proxy, timeout=SHORT)

            async def twice(operation: Callable[[], Awaitable[Any]]) -> Any:
                proxy.answers = False
                with pytest.raises(StoreUnavailable, match="no answer"):
                    await operation()
                proxy.answers = True
                return await eventually(operation)

            owner = Owner(store, make_record(store.new_session_id()))
            record = owner.record
            await twice(lambda: store.create(record))
            await twice(lambda: owner.commit(state=b"1", outgoing=messages(0, 1, 3), handled={0: 1}))
            await twice(lambda: owner.commit(acked={0: 1}))
            await twice(owner.touch)
            claim = claim_of(record)
            claimed = await twice(lambda: store.claim(claim))
            assert claimed == advanced(
                record,
                epoch=2,
                owner=claim.owner,
                commit=2,
                state=b"1",
                handled={0: 1},
                sent={0: 3},
                acked={0: 1},
                outgoing=tuple(messages(0, 2, 3)),
            )
            assert await twice(lambda: take_over_key(store, "k", record.id, 8, ttl=60)) == []
            newer = await eventually(lambda: created(store))
            await twice(lambda: take_over_key(store, "k", newer.record.id, 8, ttl=60))
            with pytest.raises(Fenced, match="with reason 8"):
                await eventually(Owner(store, claimed, 2).touch)
            await twice(lambda: newer.delete(key="k"))
            assert await store.find("k") is None
            await store.aclose()

    asyncio.run(main())


def test_cancelling_at_any_moment_shifts_no_answers(valkey: Server) -> None:
    async def main() -> None:
        store = await opened(valkey, timeout=5.0)
        owners = [await created(store, state=bytes([number])) for number in range(8)]
        chance = random.Random(1)

        async def load(owner: Owner) -> None:
            assert await store.load(owner.record.id) == owner.record

        for _ in range(300):
            tasks = [asyncio.create_task(load(owner)) for owner in owners]
            for _ in range(chance.randrange(12)):
                await asyncio.sleep(0)
            if chance.random() < 0.3:
                await asyncio.sleep(chance.random() / 1000)
            for task in chance.sample(tasks, 4):
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert {type(result) for result in results} <= {type(None), asyncio.CancelledError}
        await asyncio.gather(*map(load, owners))
        await store.aclose()

    asyncio.run(main())


def test_connections_that_break(valkey: Server) -> None:
    async def main() -> None:
        async with Proxy(valkey.address) as proxy:
            store = await opened(proxy, timeout=5.0)
            owner = await created(store)
            for number in range(20):
                working = asyncio.create_task(owner.commit(state=bytes([number])))
                await asyncio.sleep(random.random() / 1000)
                proxy.cut()
                await working  # again, on another connection
            assert await store.load(owner.record.id) == advanced(owner.record, commit=20, state=bytes([19]))
            await store.aclose()

    asyncio.run(main())


# ---- the server ------------------------------------------------------------------------------------------------------


def test_a_server_that_is_stopped_for_a_while(own_valkey: Server) -> None:
    async def main() -> None:
        store = await opened(own_valkey, timeout=SHORT)
        owner, other = await created(store), await created(store)
        own_valkey.send(signal.SIGSTOP)
        late = owner.commit_of(state=b"late")
        results = await store.commit([late, other.commit_of()])
        assert [type(result) for result in results] == [StoreUnavailable, StoreUnavailable]
        with pytest.raises(StoreUnavailable):
            await store.peek(owner.record.id)
        with pytest.raises(StoreUnavailable):
            await created(store)
        own_valkey.send(signal.SIGCONT)
        await eventually(lambda: owner.commit(number=2, after=0, state=b"newer"))
        assert await store.commit([late]) == [None]
        assert await store.load(owner.record.id) == advanced(owner.record, commit=2, state=b"newer")
        await store.aclose()

    asyncio.run(main())


def test_a_server_that_is_killed_and_starts_again(own_valkey: Server) -> None:
    async def main() -> None:
        store = await opened(own_valkey, timeout=SHORT)
        owner = await created(store)
        await owner.commit(state=b"1", outgoing=messages(0, 1, 1))
        own_valkey.kill()
        with pytest.raises(StoreUnavailable) as caught:
            await owner.commit(state=b"2")
        assert isinstance(caught.value.__cause__, redis.ConnectionError)
        await asyncio.to_thread(own_valkey.start)
        await eventually(lambda: owner.commit(state=b"2"))  # the server has forgotten the scripts
        found = await store.load(owner.record.id)
        assert found == advanced(owner.record, commit=2, state=b"2", sent={0: 1}, outgoing=tuple(messages(0, 1, 1)))
        await store.aclose()

    asyncio.run(main())


def test_a_server_that_starts_again_without_its_data(tmp_path: Path) -> None:
    async def main() -> None:
        store = await opened(server, timeout=SHORT)
        owner = await created(store)
        server.kill()
        await asyncio.to_thread(server.start)
        with pytest.raises(RecordLost):
            await eventually(owner.commit)
        await store.aclose()

    server = Server(valkey_binary(), tmp_path)
    try:
        asyncio.run(main())
    finally:
        server.kill()


def test_scripts_that_the_server_forgets(own_valkey: Server) -> None:
    async def main() -> None:
        store = await opened(own_valkey, timeout=10.0)
        owners = [await created(store) for _ in range(100)]
        own_valkey.call("SCRIPT", "FLUSH")
        assert await store.commit([owner.commit_of() for owner in owners]) == [None] * 100
        await store.aclose()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ([("maxmemory", "1")], "OOM|command not allowed"),
        ([("min-replicas-to-write", "1")], "NOREPLICAS"),
        ([("replicaof", "127.0.0.1 1")], "READONLY|read only replica|MASTERDOWN"),
    ],
)
def test_a_server_that_cannot_write(own_valkey: Server, settings: list[tuple[str, str]], message: str) -> None:
    async def main() -> None:
        store = await opened(own_valkey, timeout=SHORT)
        owner = await created(store)
        for name, value in settings:
            own_valkey.call(*(["REPLICAOF", *value.split()] if name == "replicaof" else ["CONFIG", "SET", name, value]))
        with pytest.raises(StoreUnavailable, match=message):
            await owner.commit(state=b"1")
        for name, _ in settings:
            own_valkey.call(*(["REPLICAOF", "NO", "ONE"] if name == "replicaof" else ["CONFIG", "SET", name, "0"]))
        await eventually(lambda: owner.commit(state=b"1"))
        assert await store.load(owner.record.id) == advanced(owner.record, commit=1, state=b"1")
        await store.aclose()

    asyncio.run(main())


def test_replicas_that_must_have_it(own_valkey: Server, tmp_path: Path) -> None:
    async def main() -> None:
        store = await opened(own_valkey, timeout=1.0, replicas=1)
        owner = await created(store)
        await owner.commit(state=b"1")
        replica.send(signal.SIGSTOP)
        commit = owner.commit_of(state=b"2")
        for _ in range(2):  # the second time it has been carried out, and yet no replica has it
            (result,) = await store.commit([commit])
            assert "only 0 of 1 replicas" in str(result)
        replica.send(signal.SIGCONT)
        await eventually(lambda: owner.commit(state=b"2"))
        await store.aclose()

    replica = Server(valkey_binary(), tmp_path / "replica", "--replicaof", "127.0.0.1", str(own_valkey.port))
    replica.wait_for(lambda: replica.info("replication")["master_link_status"] == "up")
    try:
        asyncio.run(main())
    finally:
        replica.kill()


def test_a_failover_to_a_replica_that_lacks_the_last_commits(own_valkey: Server, tmp_path: Path) -> None:
    async def main() -> None:
        store = await opened(own_valkey)
        owner = await created(store)
        await owner.commit(state=b"1")
        await asyncio.to_thread(
            replica.wait_for,
            lambda: (
                own_valkey.info("replication")["master_repl_offset"] == replica.info("replication")["slave_repl_offset"]
            ),
        )
        replica.call("REPLICAOF", "NO", "ONE")
        await owner.commit(state=b"2")
        after = ValkeyStore(replica.url, prefix=store.prefix)
        await after.open()
        lost = Owner(after, owner.record, number=2)
        with pytest.raises(RecordLost, match="has the commits up to 1; 3 follows 2"):
            await lost.commit(state=b"3")
        found = await after.load(owner.record.id)
        assert found == advanced(owner.record, commit=1, state=b"1")
        await after.aclose()
        await store.aclose()

    replica = Server(valkey_binary(), tmp_path / "replica", "--replicaof", "127.0.0.1", str(own_valkey.port))
    replica.wait_for(lambda: replica.info("replication")["master_link_status"] == "up")
    try:
        asyncio.run(main())
    finally:
        replica.kill()


def test_parts_of_a_record_that_are_missing(valkey: Server) -> None:
    async def main() -> None:
        store = await opened(valkey)
        for field in ("state", "0:2"):
            owner = await created(store, state=b"s", sent={0: 3}, outgoing=messages(0, 1, 3))
            (body,) = valkey.call("KEYS", f"{store.prefix}:*{owner.record.id.hex()}:body")
            valkey.call("HDEL", body, field)
            with pytest.raises(RecordLost):
                await store.claim(claim_of(owner.record))
        await store.aclose()

    asyncio.run(main())


def test_every_key_of_a_session_expires(valkey: Server) -> None:
    async def main() -> None:
        store = await opened(valkey)
        owner = await created(store, state=b"s")
        await take_over_key(store, "k", owner.record.id, 8, ttl=60)
        await owner.commit(outgoing=messages(0, 1, 3))
        for key in valkey.call("KEYS", f"{store.prefix}:*"):
            assert key.endswith(b":epoch") or 0 < valkey.call("PTTL", key) <= 60_000
        await store.end(owner.record.id, 8)
        for key in valkey.call("KEYS", f"{store.prefix}:*"):
            assert key.endswith(b":epoch") or 0 < valkey.call("PTTL", key) <= 60_000
        await store.aclose()

    asyncio.run(main())


# ---- opening ---------------------------------------------------------------------------------------------------------


def test_a_server_that_is_not_there_yet(own_valkey: Server) -> None:
    async def main() -> None:
        own_valkey.kill()
        store = ValkeyStore(own_valkey.url, timeout=SHORT)
        with pytest.raises(StoreUnavailable):
            await store.open()
        with pytest.raises(StoreUnavailable, match="has not been opened"):
            store.new_session_id()
        await asyncio.to_thread(own_valkey.start)
        await eventually(store.open)
        await created(store)
        await store.aclose()

    asyncio.run(main())


def test_servers_that_refuse(own_valkey: Server) -> None:
    async def main() -> None:
        own_valkey.call("ACL", "SETUSER", "few", "on", ">secret", "~*", "+get")
        for password in ("secret", "wrong"):
            store = ValkeyStore(own_valkey.url, username="few", password=password)
            with pytest.raises(StoreMisconfigured):
                await store.open()
        with pytest.raises(StoreMisconfigured, match=r"(?i)cluster"):
            await ValkeyStore.cluster([own_valkey.address], timeout=5.0).open()
        own_valkey.call("CONFIG", "SET", "requirepass", "secret")
        with pytest.raises(StoreMisconfigured):
            await ValkeyStore(own_valkey.url).open()
        store = ValkeyStore(own_valkey.url, password="secret")
        await store.open()
        await store.aclose()

    asyncio.run(main())


def test_a_store_that_was_opened_twice(valkey: Server) -> None:
    async def main() -> None:
        store = await opened(valkey)
        await store.open()
        await store.aclose()
        await created(store)
        await store.aclose()
        await store.aclose()
        with pytest.raises(StoreUnavailable, match="not open in this loop"):
            await created(store)

    asyncio.run(main())


def test_two_loops(valkey: Server) -> None:
    store = ValkeyStore(valkey.url, prefix=secrets.token_hex(4), timeout=10.0)
    done: list[int] = []

    async def main() -> None:
        await store.open()
        for _ in range(50):
            owner = await created(store)
            await owner.commit(state=b"s")
        await store.aclose()
        done.append(1)

    threads = [threading.Thread(target=lambda: asyncio.run(main())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [1, 1]


def test_a_client_of_the_program_s_own(valkey: Server) -> None:
    async def main() -> None:
        store = ValkeyStore(lambda: redis.asyncio.Redis(port=valkey.port), prefix=secrets.token_hex(4))
        await store.open()
        owner = await created(store)
        assert isinstance(await store.peek(owner.record.id), RecordHead)
        await store.aclose()

    asyncio.run(main())


def test_many_operations_at_once(valkey: Server) -> None:
    async def main() -> None:
        store = await opened(valkey, timeout=30.0)
        owners = await asyncio.gather(*(created(store) for _ in range(500)))
        await asyncio.gather(*(store.claim(claim_of(owner.record)) for owner in owners))
        assert valkey.info("clients")["connected_clients"] <= 40
        await store.aclose()

    asyncio.run(main())


@pytest.mark.parametrize("settings", [{"prefix": "a{b}"}, {"replicas": -1}])
def test_settings_that_cannot_be(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must"):
        ValkeyStore("valkey://localhost", **settings)
