"""Asking STUN servers: lost packets, forged ones, closed ports."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator

import pytest
from support.turn_server import TurnServer, turn_servers

from gns_py import Address
from gns_py.p2p.stun_client import Answer, StunClient, source_for
from gns_py.p2p.stun_messages import Class, Method, StunMessage

SHORT = (0.2, 0.2)


@pytest.fixture
def server() -> Iterator[TurnServer]:
    with turn_servers(1) as servers:
        yield servers[0]


def with_client(main: Callable[[StunClient], Awaitable[None]], *, is_only_one: Address | None = None) -> None:
    async def run() -> None:
        like = is_only_one or Address("127.0.0.1", 1)
        async with StunClient(like, is_only_one=is_only_one is not None) as client:
            await main(client)

    asyncio.run(run())


async def ask(client: StunClient, server: Address, request: StunMessage | None = None) -> Answer | None:
    return await client.ask(server, request or StunMessage(Method.BINDING), pauses=SHORT)


@pytest.mark.parametrize("is_only_one", [False, True])
def test_an_answer(server: TurnServer, is_only_one: bool) -> None:
    async def main(client: StunClient) -> None:
        answer = await ask(client, server.address)
        assert answer is not None
        assert answer.message.mapped_address == Address("127.0.0.1", client.port)
        assert 0 <= answer.seconds < 5

    with_client(main, is_only_one=server.address if is_only_one else None)


def test_many_at_once_from_one_port() -> None:
    async def main(client: StunClient) -> None:
        answers = await asyncio.gather(*(ask(client, each.address) for each in servers for _ in range(20)))
        mapped = {None if each is None else each.message.mapped_address for each in answers}
        assert mapped == {Address("127.0.0.1", client.port)}

    with turn_servers(3) as servers:
        with_client(main)


def test_a_request_is_sent_again(server: TurnServer) -> None:
    server.is_silent = True

    async def main(client: StunClient) -> None:
        assert await ask(client, server.address) is None
        assert len(server.requests) == 2
        assert server.requests[0] == server.requests[1]
        asking = asyncio.ensure_future(ask(client, server.address))
        await asyncio.sleep(0.05)
        server.is_silent = False
        assert await asking is not None

    with_client(main)


def test_a_closed_port_is_noticed_at_once() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        closed = Address(*taken.getsockname())

    async def main(client: StunClient) -> None:
        assert await client.ask(closed, StunMessage(Method.BINDING), pauses=[60.0]) is None

    with_client(main, is_only_one=closed)


@pytest.mark.parametrize("flaw", ["another transaction", "another sender", "a request", "garbage"])
def test_forged_answers_are_ignored(flaw: str) -> None:
    async def main(client: StunClient) -> None:
        honest, other = servers
        honest.is_silent = True
        request = StunMessage(Method.BINDING)
        answer = StunMessage(Method.BINDING, Class.SUCCESS, (), request.transaction)
        asking = asyncio.ensure_future(ask(client, honest.address, request))
        await asyncio.sleep(0.02)
        to = Address("127.0.0.1", client.port)
        if flaw == "another transaction":
            honest.send(to, StunMessage(Method.BINDING, Class.SUCCESS).encode())
        elif flaw == "another sender":
            other.send(to, answer.encode())
        elif flaw == "a request":
            honest.send(to, request.encode())
        else:
            honest.send(to, answer.encode()[:19])
        assert await asking is None

    with turn_servers(2) as servers:
        with_client(main)


def test_packets_that_answer_nothing(server: TurnServer) -> None:
    async def main(client: StunClient) -> None:
        waiting = asyncio.ensure_future(client.next_packet(5.0))
        await asyncio.sleep(0)
        server.send(Address("127.0.0.1", client.port), b"hello")
        assert await waiting == (b"hello", server.address)
        with pytest.raises(asyncio.TimeoutError):
            await client.next_packet(0.01)

    with_client(main)


def test_source() -> None:
    assert source_for(Address("127.0.0.1", 1)) == "127.0.0.1"
