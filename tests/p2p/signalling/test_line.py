"""The client of GNS's example protocol: lost connections, hostile servers, and its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from support.loops import Runner
from support.signalling import eventually_true, next_signal, soon

from gns_py import Identity
from gns_py.p2p import IceServers
from gns_py.p2p.signalling import LineSignalling, LineSignallingServer, SignallingUnavailable
from gns_py.p2p.signalling import line as line_module

ALICE, BOB = Identity.string("alice"), Identity.string("bob")


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_module, "_FIRST_PAUSE", 0.02)
    monkeypatch.setattr(line_module, "_LONGEST_PAUSE", 0.1)


def test_a_lost_connection_is_opened_again(run: Runner) -> None:
    async def main() -> None:
        server = LineSignallingServer()
        host, port = await server.listen()
        async with (
            LineSignalling(host, port, ALICE, ice_servers=IceServers()) as alice,
            LineSignalling(host, port, "str:bob") as bob,
        ):
            assert alice.ice_servers == IceServers()
            await server.aclose()
            await eventually_true(lambda: not alice.is_connected and not bob.is_connected)
            for number in range(40):
                await alice.send(BOB, b"%d" % number)
            server = LineSignallingServer()
            held = await LineSignalling(*await server.listen(host, 0), ALICE).__aenter__()
            await held.aclose()
            await server.aclose()
            async with LineSignallingServer() as again:
                await bob.aclose()
                await again.listen(host, port)
                await eventually_true(lambda: alice.is_connected)

    run(main)


def test_signals_wait_for_the_connection() -> None:
    async def main() -> None:
        first = LineSignallingServer()
        host, port = await first.listen()
        async with LineSignalling(host, port, ALICE) as alice:
            await first.aclose()
            await eventually_true(lambda: not alice.is_connected)
            for number in range(40):
                await alice.send(ALICE, b"%d" % number)
            async with LineSignallingServer() as second:
                await second.listen(host, port)
                assert [(await next_signal(alice)).data for _ in range(32)] == [b"%d" % each for each in range(8, 40)]
                assert alice.is_connected

    asyncio.run(main())


async def serving(data: bytes, use: Callable[[tuple[str, int]], object]) -> None:
    """Run a server that says only this."""

    async def say(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        writer.close()

    server = await asyncio.start_server(say, "127.0.0.1", 0)
    try:
        await use(server.sockets[0].getsockname()[:2])  # type: ignore[misc]
    finally:
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize("noise", [b"\xff\n", b"garbage\n\n \n", b"str:bob 0\n"])
def test_malformed_lines_are_ignored(noise: bytes) -> None:
    async def use(address: tuple[str, int]) -> None:
        async with LineSignalling(*address, ALICE) as alice:
            signal = await next_signal(alice)
            assert (signal.sender, signal.data) == (BOB, b"\x01")

    asyncio.run(serving(noise + b"str:bob 01\nstr:bob 02", use))


def test_an_endless_line_is_not_kept() -> None:
    async def use(address: tuple[str, int]) -> None:
        async with LineSignalling(*address, ALICE) as alice:
            await eventually_true(lambda: not alice.is_connected)
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(anext(alice), 0.05)

    asyncio.run(serving(b"str:bob " + b"0" * 100_000 + b"\n", use))


def test_no_server_and_bad_identities(run: Runner) -> None:
    async def main() -> None:
        server = LineSignallingServer()
        address = await server.listen()
        await server.aclose()
        with pytest.raises(SignallingUnavailable):
            await LineSignalling(*address, ALICE).__aenter__()
        with pytest.raises(ValueError, match="line protocol"):
            LineSignalling(*address, "str:a b")
        with pytest.raises(ValueError, match="not an identity"):
            LineSignalling(*address, "alice")

    run(main)


def test_it_can_be_cancelled_while_it_opens(run: Runner) -> None:
    async def main() -> None:
        async with LineSignallingServer() as server:
            address = await server.listen()
            for turns in range(8):
                opening = asyncio.ensure_future(LineSignalling(*address, ALICE).__aenter__())
                for _ in range(turns):
                    await asyncio.sleep(0)
                if opening.done():
                    await (await opening).aclose()
                    continue
                opening.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await soon(opening)

    run(main)
