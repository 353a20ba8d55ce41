"""Behaviour that all signallings share."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest
from support.loops import Runner
from support.signalling import KINDS, next_signal, service, soon

from gns_py import ConcurrencyError, Identity
from gns_py.p2p.signalling import Signal, SignallingClosed

ALICE, BOB = Identity.string("alice"), Identity.string("bob")

pytestmark = pytest.mark.parametrize("kind", KINDS)


def test_signals_arrive_with_their_senders(run: Runner, kind: str) -> None:
    async def main() -> None:
        async with service(kind) as connect, connect("alice") as alice, connect("bob") as bob:
            assert (alice.identity, bob.identity) == (ALICE, BOB)
            assert alice.ice_servers is None
            await alice.send(BOB, b"to bob")
            assert await next_signal(bob) == Signal(ALICE, b"to bob")
            for number in range(20):
                await bob.send(ALICE, b"%d" % number)
            assert [(await next_signal(alice)).data for _ in range(20)] == [b"%d" % number for number in range(20)]
            await alice.send(ALICE, bytes(range(256)) * 16)
            assert await next_signal(alice) == Signal(ALICE, bytes(range(256)) * 16)

    run(main)


def test_signals_to_those_who_are_not_there_are_dropped(run: Runner, kind: str) -> None:
    async def main() -> None:
        async with service(kind) as connect, connect("alice") as alice, connect("bob") as bob:
            await alice.send(Identity.string("carol"), b"lost")
            await alice.send(BOB, b"not lost")
            assert (await next_signal(bob)).data == b"not lost"

    run(main)


def test_closing_ends_the_iteration(run: Runner, kind: str) -> None:
    async def main() -> None:
        async with service(kind) as connect, AsyncExitStack() as stack:
            alice = await stack.enter_async_context(connect("alice"))

            async def iterate() -> list[Signal]:
                return [each async for each in alice]

            task = asyncio.ensure_future(iterate())
            await alice.send(ALICE, b"last")
            await asyncio.sleep(0.05)
            await alice.aclose()
            await alice.aclose()
            assert await soon(task) == [Signal(ALICE, b"last")]
            assert [each async for each in alice] == []
            with pytest.raises(SignallingClosed):
                await alice.send(ALICE, b"too late")

    run(main)


def test_a_signal_that_was_sent_before_closing_arrives(run: Runner, kind: str) -> None:
    async def main() -> None:
        async with service(kind) as connect, connect("bob") as bob:
            async with connect("alice") as alice:
                await alice.send(BOB, b"goodbye")
            assert await next_signal(bob) == Signal(ALICE, b"goodbye")

    run(main)


def test_one_task_iterates(run: Runner, kind: str) -> None:
    async def main() -> None:
        async with service(kind) as connect, connect("alice") as alice:
            first = asyncio.ensure_future(anext(aiter(alice)))
            await asyncio.sleep(0)
            with pytest.raises(ConcurrencyError):
                await anext(aiter(alice))
            first.cancel()
            await asyncio.wait({first})
            await alice.send(ALICE, b"after a cancelled wait")
            assert (await next_signal(alice)).data == b"after a cancelled wait"

    run(main)


def test_signals_that_no_one_reads_are_dropped(run: Runner, kind: str) -> None:
    async def main() -> None:
        async with service(kind) as connect, connect("alice") as alice, connect("bob") as bob:
            for number in range(30):  # less than what a server passes on at once
                await alice.send(BOB, b"%d" % number)
                await asyncio.sleep(0.001)
            await alice.send(BOB, b"last")
            found: list[bytes] = []
            while not found or found[-1] != b"last":
                found.append((await next_signal(bob)).data)
            assert len(found) <= 64

    run(main)


@pytest.mark.parametrize(
    ("to", "signal", "error"),
    [
        ("str:bob", b"x", TypeError),
        (BOB, "x", TypeError),
        (BOB, b"", ValueError),
        (BOB, bytes(8193), ValueError),
        (Identity.parse("invalid"), b"x", ValueError),
    ],
)
def test_bad_arguments(kind: str, to: Identity, signal: bytes, error: type[Exception]) -> None:
    async def main() -> None:
        async with service(kind) as connect, connect("alice") as alice:
            with pytest.raises(error):
                await alice.send(to, signal)

    asyncio.run(main())
