"""Signalling in memory: losses, duplicates and delays that are always the same, and several loops."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from support.signalling import next_signal, soon

from gns_py import Identity
from gns_py.p2p import IceServers
from gns_py.p2p.signalling import MemoryHub, MemorySignalling, Refusal, SignallingRefused

ALICE, BOB = Identity.string("alice"), Identity.string("bob")


async def arrivals(hub: MemoryHub, count: int) -> list[int]:
    async with MemorySignalling(hub, ALICE) as alice, MemorySignalling(hub, "str:bob") as bob:
        found: list[int] = []

        async def read() -> None:
            found.extend([signal.data[0] async for signal in bob])

        reading = asyncio.ensure_future(read())
        for number in range(count):
            await alice.send(BOB, bytes([number]))
            await asyncio.sleep(0)
        await asyncio.sleep(0.1)
        await bob.aclose()
        await reading
        return found


def test_losses_and_duplicates() -> None:
    found = asyncio.run(arrivals(MemoryHub(loss=0.3, duplicates=0.5, seed=1), 200))
    assert found == asyncio.run(arrivals(MemoryHub(loss=0.3, duplicates=0.5, seed=1), 200))
    assert found == sorted(found)
    assert 100 < len(set(found)) < 180
    assert len(found) > 1.2 * len(set(found))
    assert asyncio.run(arrivals(MemoryHub(loss=1.0), 10)) == []


def test_delays_change_the_order() -> None:
    found = asyncio.run(arrivals(MemoryHub(delay=(0.0, 0.05), seed=1), 50))
    assert sorted(found) == list(range(50))
    assert found != sorted(found)


def test_the_newer_one_counts() -> None:
    async def main() -> None:
        hub = MemoryHub()
        async with MemorySignalling(hub, ALICE) as old, MemorySignalling(hub, ALICE, ice_servers=IceServers()) as new:
            with pytest.raises(SignallingRefused) as raised:
                await soon(anext(old))
            assert raised.value.reason is Refusal.REPLACED
            await old.aclose()
            await new.send(ALICE, b"x")
            assert (await next_signal(new)).data == b"x"
            assert new.ice_servers == IceServers()

    asyncio.run(main())


def test_between_loops_and_after_their_end() -> None:
    hub = MemoryHub()

    async def echo(ready: threading.Event) -> None:
        bob = MemorySignalling(hub, BOB)
        ready.set()
        signal = await next_signal(bob)
        await bob.send(signal.sender, signal.data + b" back")  # and it is not closed

    async def main() -> None:
        async with MemorySignalling(hub, ALICE) as alice:
            for number in range(3):
                ready = threading.Event()
                thread = threading.Thread(target=lambda ready=ready: asyncio.run(echo(ready)))
                thread.start()
                ready.wait(10)
                await alice.send(BOB, b"%d" % number)
                assert (await next_signal(alice)).data == b"%d back" % number
                await asyncio.to_thread(thread.join)
                await alice.send(BOB, b"to a loop that is closed")

    asyncio.run(main())


@pytest.mark.parametrize(
    "options", [{"loss": 1.1}, {"duplicates": -0.1}, {"delay": -1.0}, {"delay": (2.0, 1.0)}, {"delay": float("inf")}]
)
def test_bad_hubs(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        MemoryHub(**options)
