"""The server of GNS's example protocol: any client's noise is that client's alone."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from support.loops import Runner
from support.signalling import eventually_true, next_signal, soon

from gns_py import Identity
from gns_py.p2p.signalling import LineSignalling, LineSignallingServer
from gns_py.p2p.signalling import line_server as line_server_module

ALICE, BOB = Identity.string("alice"), Identity.string("bob")


def test_the_bytes_of_the_protocol(run: Runner) -> None:
    async def main() -> None:
        async with LineSignallingServer() as server, LineSignalling(*await server.listen(), ALICE) as alice:
            address = next(iter(server.addresses))
            await eventually_true(lambda: server.identities == (ALICE,))
            reader, writer = await asyncio.open_connection(*address)
            writer.write(b"str:bob\nstr:alice 0aFF\nstr:carol 00\nnonsense\nstr:alice 01\n")
            assert [(await next_signal(alice)).data for _ in range(2)] == [b"\x0a\xff", b"\x01"]
            await alice.send(BOB, b"\x02")
            assert await soon(reader.readline()) == b"str:alice 02\n"
            newer_reader, newer = await asyncio.open_connection(*address)
            newer.write(b"str:bob\n")
            assert await soon(reader.read()) == b""  # replaced
            await alice.send(BOB, b"\x03")
            assert await soon(newer_reader.readline()) == b"str:alice 03\n"
            for each in (writer, newer):
                each.close()
                with contextlib.suppress(OSError):
                    await each.wait_closed()
            await eventually_true(lambda: server.identities == (ALICE,))

    run(main)


@pytest.mark.parametrize("noise", [b"\n", b"alice\n", b"a" * 100_000, b"str:a b\n", b"str:bob\n" + b"a" * 100_000])
def test_noise(noise: bytes) -> None:
    async def main() -> None:
        async with LineSignallingServer() as server, LineSignalling(*await server.listen(), ALICE) as alice:
            reader, writer = await asyncio.open_connection(*next(iter(server.addresses)))
            writer.write(noise)
            with contextlib.suppress(OSError):
                assert await soon(reader.read()) == b""
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            await alice.send(ALICE, b"goes on")
            assert (await next_signal(alice)).data == b"goes on"

    asyncio.run(main())


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_server_module, "_MAX_CLIENTS", 2)
    monkeypatch.setattr(line_server_module, "_HELLO_TIMEOUT", 0.1)

    async def main() -> None:
        async with LineSignallingServer() as server, LineSignalling(*await server.listen(), ALICE):
            reader, writer = await asyncio.open_connection(*next(iter(server.addresses)))
            crowd_reader, crowd = await asyncio.open_connection(*next(iter(server.addresses)))
            for each in (crowd_reader, reader):  # one too many, and one that says nothing
                with contextlib.suppress(OSError):
                    assert await soon(each.read()) == b""
            for one in (writer, crowd):
                one.transport.abort()
            assert server.identities == (ALICE,)

    asyncio.run(main())
