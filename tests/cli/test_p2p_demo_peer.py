"""The peers of the demo, with this test as the process that starts them."""

from __future__ import annotations

import asyncio
import multiprocessing
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection as Pipe

import pytest
from support import PATIENCE

from gns_py.cli.p2p_demo_peer import Outcome, run_peer
from gns_py.p2p.signalling import LineSignallingServer


@pytest.fixture(scope="module", autouse=True)
def _resource_tracker() -> None:
    """Start multiprocessing's helper process before the tests, since its descriptor stays open."""
    if sys.platform != "win32":
        from multiprocessing import resource_tracker

        resource_tracker.ensure_running()


@contextmanager
def peer(name: str, port: int) -> Iterator[Pipe]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=run_peer, args=(theirs, name, ("127.0.0.1", port)), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours
    finally:
        ours.close()
        process.join(10 * PATIENCE)
        assert process.exitcode == 0
        process.close()


async def next_of(pipe: Pipe, kind: type) -> object:
    async def take() -> object:
        while not (pipe.poll() and isinstance(item := pipe.recv(), kind)):
            await asyncio.sleep(0.01)
        return item

    return await asyncio.wait_for(take(), 30 * PATIENCE)


def test_bob_waits_until_the_pipe_is_closed_and_alice_finds_no_one() -> None:
    async def main() -> None:
        async with LineSignallingServer() as server:
            _, port = await server.listen()
            with peer("bob", port) as bob:
                assert await next_of(bob, str) == "ready"
            with peer("alice", port) as alice:
                outcome = await next_of(alice, Outcome)
                assert isinstance(outcome, Outcome)
                assert outcome.failure

    asyncio.run(main())
