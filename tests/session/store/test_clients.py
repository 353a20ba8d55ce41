"""Clients for Sentinel; and what exceptions of redis-py mean."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

import pytest
from redis import exceptions
from support.store_servers import Server, found, free_port
from support.stores import Owner, advanced, created

from gns_py.session.store import RecordLost, StoreUnavailable, ValkeyStore
from gns_py.session.store.clients import is_brief, is_misconfigured

REASON = "Debian's package has the same name"


class Group(NamedTuple):
    """A primary, its replica, and what watches them."""

    primary: Server
    replica: Server
    sentinels: list[Server]

    @property
    def store(self) -> ValkeyStore:
        return ValkeyStore.sentinel(
            [each.address for each in self.sentinels], "main", prefix=secrets.token_hex(4), timeout=0.5
        )


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Group]:
    redis, sentinel = found("redis-server", REASON), found("redis-sentinel", REASON)
    with ExitStack() as stack:
        primary = stack.enter_context(closing(Server(redis, tmp_path / "primary")))
        follow = ["--replicaof", "127.0.0.1", str(primary.port)]
        replica = stack.enter_context(closing(Server(redis, tmp_path / "replica", *follow)))
        replica.wait_for(lambda: replica.info("replication")["master_link_status"] == "up")
        sentinels = []
        for number in range(2):
            file = tmp_path / f"sentinel{number}.conf"
            file.write_text(
                f"sentinel monitor main 127.0.0.1 {primary.port} 2\n"
                "sentinel down-after-milliseconds main 400\nsentinel failover-timeout main 2000\n"
            )
            watching = Server(sentinel, tmp_path / f"sentinel{number}", str(file), port=free_port())
            sentinels.append(stack.enter_context(closing(watching)))
        for each in sentinels:
            each.wait_for(lambda each=each: knows_all(each))
        yield Group(primary, replica, sentinels)


def knows_all(sentinel: Server) -> bool:
    """Return whether a Sentinel knows the replica and the other Sentinel."""
    answer = sentinel.call("SENTINEL", "MASTER", "main")
    fields = dict(zip(answer[::2], answer[1::2], strict=True)) if isinstance(answer, list) else answer
    values = {
        str(name).strip("b'"): int(value) for name, value in fields.items() if b"num" in bytes(str(name), "utf-8")
    }
    return values["num-slaves"] == values["num-other-sentinels"] == 1


async def committed(owner: Owner, state: bytes) -> None:
    """Commit when the store is available again."""
    done = False
    while not done:
        with contextlib.suppress(StoreUnavailable):
            await owner.commit(state=state)
            done = True


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_sentinel_fails_over(group: Group, number: int) -> None:
    async def main() -> None:
        store = group.store
        await store.open()
        owner = await created(store)
        await owner.commit(state=b"1")
        await asyncio.to_thread(
            group.replica.wait_for,
            lambda: (
                group.primary.info("replication")["master_repl_offset"]
                == group.replica.info("replication")["slave_repl_offset"]
            ),
        )
        group.primary.send(number)
        await committed(owner, b"2")
        assert group.replica.info("replication")["role"] == "master"
        if number == signal.SIGSTOP:
            group.primary.send(signal.SIGCONT)
        for state in range(20):
            await committed(owner, bytes([state]))
        assert await store.load(owner.record.id) == advanced(owner.record, commit=22, state=bytes([19]))
        await store.aclose()

    asyncio.run(main())


@pytest.mark.slow
def test_sentinel_fails_over_to_an_empty_replica(group: Group) -> None:
    async def main() -> None:
        store = group.store
        await store.open()
        group.replica.send(signal.SIGSTOP)
        owner = await created(store)
        group.primary.send(signal.SIGKILL)
        group.replica.send(signal.SIGCONT)
        group.replica.call("REPLICAOF", "NO", "ONE")
        group.replica.call("FLUSHALL")
        with pytest.raises(RecordLost):
            await committed(owner, b"1")
        await store.aclose()

    asyncio.run(main())


def test_a_sentinel_that_hangs_is_passed_over(group: Group) -> None:
    async def main() -> None:
        group.sentinels[0].send(signal.SIGSTOP)
        store = group.store
        await store.open()
        await created(store)
        await store.aclose()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("problem", "brief", "misconfigured"),
    [
        (exceptions.ConnectionError("reset"), True, False),
        (exceptions.BusyLoadingError("Redis is loading"), True, False),
        (exceptions.ReadOnlyError("You can't write"), True, False),
        (exceptions.MasterDownError("Link with MASTER is down"), True, False),
        (exceptions.ClusterDownError("Hash slot not served"), True, False),
        (exceptions.TimeoutError(), True, False),
        (ConnectionRefusedError(), True, False),
        (exceptions.ResponseError("MISCONF stop-writes-on-bgsave-error"), False, False),
        (exceptions.ResponseError("NOREPLICAS Not enough good replicas"), False, False),
        (exceptions.OutOfMemoryError("command not allowed"), False, False),
        (exceptions.AuthenticationError("Authentication required."), False, True),
        (exceptions.NoPermissionError("no permissions"), False, True),
        (exceptions.ResponseError("ERR This instance has cluster support disabled"), False, True),
    ],
)
def test_what_exceptions_mean(problem: Exception, brief: bool, misconfigured: bool) -> None:
    assert (is_brief(problem), is_misconfigured(problem)) == (brief, misconfigured)


def test_a_cause_that_is_hidden() -> None:
    hiding = exceptions.RedisClusterException("cannot be connected")
    hiding.__cause__ = exceptions.AuthenticationError("invalid password")
    assert is_misconfigured(hiding)
    assert not is_brief(hiding)
