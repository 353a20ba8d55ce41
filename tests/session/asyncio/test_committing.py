"""Commits in asyncio: cancelled ones, time limits, task groups, other loops."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from support.faulty_store import FaultyStore

import gns_py.session.asyncio as gns
from gns_py import ListenError


@asynccontextmanager
async def pair(store: FaultyStore) -> AsyncIterator[tuple[gns.Session, gns.Session]]:
    served: asyncio.Queue[gns.Session] = asyncio.Queue()
    may_end = asyncio.Event()

    async def handler(session: gns.Session) -> None:
        served.put_nowait(session)
        await may_end.wait()

    async with gns.serve(handler, "127.0.0.1", 0, store=store, durable=True) as server:
        client = await gns.connect(*server.address)
        try:
            yield client, await served.get()
        finally:
            client.abort()
            may_end.set()


def test_a_cancelled_commit_is_settled_by_the_next() -> None:
    async def main() -> None:
        store = FaultyStore()
        async with pair(store) as (client, server):
            for number in range(6):
                store.delay = 0.02
                server.send(b"%d" % number)
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(server.commit(b"%d" % number), 0.005 * number)
            store.delay = 0.0
            await server.commit(b"last")
            assert [await client.recv() for _ in range(6)] == [b"%d" % number for number in range(6)]
            entry = store._entries[server.id]  # noqa: SLF001
            assert entry.state == b"last"

    asyncio.run(main())


def test_tasks_commit_at_once() -> None:
    async def main() -> None:
        async with pair(FaultyStore()) as (client, server):

            async def one(number: int) -> None:
                server.send(b"%d" % number)
                await server.commit()

            await asyncio.gather(*(one(number) for number in range(8)))
            assert [await client.recv() for _ in range(8)] == [b"%d" % number for number in range(8)]

    asyncio.run(main())


def test_another_loop_is_refused() -> None:
    async def main() -> None:
        async with pair(FaultyStore()) as (_, server):

            async def elsewhere() -> None:
                with pytest.raises(RuntimeError, match="belongs to"):
                    await server.commit()

            await asyncio.to_thread(lambda: asyncio.run(elsewhere()))

    asyncio.run(main())


def test_no_client_is_let_in_before_the_store_is_open() -> None:
    class SlowStore(FaultyStore):
        async def open(self) -> None:
            await asyncio.sleep(0.2)
            self.opened += 1

    async def main() -> None:
        async def handler(session: gns.Session) -> None:
            await session.wait_closed()

        for _ in range(2):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            connecting = asyncio.ensure_future(_connect(port))
            async with gns.serve(handler, "127.0.0.1", port, store=SlowStore(), durable=True):
                client = await connecting
                assert client.is_durable
                client.abort()

    async def _connect(port: int) -> gns.Session:
        await asyncio.sleep(0.05)
        while True:
            with contextlib.suppress(gns.SessionFailed):
                return await gns.connect("127.0.0.1", port)

    asyncio.run(main())


def test_a_store_is_closed_if_the_port_cannot_be_opened() -> None:
    async def main() -> None:
        store = FaultyStore()
        async with gns.serve(_nothing, "127.0.0.1", 0) as server:
            with pytest.raises(ListenError):
                await gns.serve(_nothing, *server.address, store=store, durable=True)
        assert (store.opened, store.closed) == (1, 1)

    async def _nothing(_: gns.Session) -> None:
        pass

    asyncio.run(main())
