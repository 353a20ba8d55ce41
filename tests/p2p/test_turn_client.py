"""Allocations: challenges, stale nonces, refusals, answers that are not signed, and relays that do not relay."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest
from support.turn_server import KEY, TurnServer, turn_servers

from gns_py import Address
from gns_py.p2p.stun_client import StunClient
from gns_py.p2p.stun_messages import Attribute, Method
from gns_py.p2p.turn_client import TurnClient, TurnError, is_passed_on


@pytest.fixture
def server() -> Iterator[TurnServer]:
    with turn_servers(1) as servers:
        yield servers[0]


def with_turn(
    server: TurnServer, main: Callable[[StunClient, TurnClient], Awaitable[None]], password: str = "password"
) -> None:
    async def run() -> None:
        async with StunClient(server.address) as client:
            await main(client, TurnClient(client, server.address, "user", password))

    asyncio.run(run())


def test_an_allocation(server: TurnServer) -> None:
    async def main(client: StunClient, turn: TurnClient) -> None:
        allocation = await turn.allocate()
        assert allocation.lifetime == 600
        assert allocation.mapped == Address("127.0.0.1", client.port)
        assert allocation.relayed.port not in (0, client.port)
        assert server.allocations == 1
        await turn.permit(Address("127.0.0.1", 0))
        assert await is_passed_on(client, allocation, 2.0)
        await turn.release()
        assert server.allocations == 0

    with_turn(server, main)
    first, second, permission, *_ = server.requests
    assert first.get(Attribute.USERNAME) is None
    assert first.get(Attribute.REQUESTED_TRANSPORT) == b"\x11\x00\x00\x00"
    assert second.text(Attribute.USERNAME) == "user"
    assert permission.address(Attribute.XOR_PEER_ADDRESS) == Address("127.0.0.1", 0)


@pytest.mark.parametrize(("count", "works"), [(1, True), (2, True), (9, False)])
def test_a_stale_nonce_is_replaced_a_few_times(server: TurnServer, count: int, works: bool) -> None:
    async def main(_: StunClient, turn: TurnClient) -> None:
        if works:
            await turn.allocate()
        else:
            with pytest.raises(TurnError, match="438 Stale Nonce"):
                await turn.allocate()

    server.stale_nonces = count
    with_turn(server, main)
    assert len(server.requests) <= 4


def test_a_wrong_password(server: TurnServer) -> None:
    async def main(_: StunClient, turn: TurnClient) -> None:
        with pytest.raises(TurnError, match="401 Unauthorized") as caught:
            await turn.allocate()
        assert caught.value.code == 401

    with_turn(server, main, password="wrong")
    assert len(server.requests) == 2


@pytest.mark.parametrize("method", [Method.ALLOCATE, Method.CREATE_PERMISSION, Method.REFRESH])
def test_refusals(server: TurnServer, method: Method) -> None:
    async def use(turn: TurnClient) -> None:
        await turn.allocate()
        await turn.permit(Address("127.0.0.1", 0))
        await turn.release()

    async def main(_: StunClient, turn: TurnClient) -> None:
        with pytest.raises(TurnError, match="403 No"):
            await use(turn)

    server.refusals = {method: 403}
    with_turn(server, main)


@pytest.mark.parametrize("key", [None, b"another" + KEY])
def test_an_answer_that_is_not_signed(server: TurnServer, key: bytes | None) -> None:
    async def main(_: StunClient, turn: TurnClient) -> None:
        with pytest.raises(TurnError, match="not signed"):
            await turn.allocate()

    server.signs_with = key
    with_turn(server, main)


def test_silence(server: TurnServer, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main(_: StunClient, turn: TurnClient) -> None:
        with pytest.raises(TurnError, match="does not answer") as caught:
            await turn.allocate()
        assert caught.value.code is None

    monkeypatch.setattr(StunClient.ask, "__defaults__", (None, (0.05,)))
    server.is_silent = True
    with_turn(server, main)


def test_a_relay_that_passes_nothing_on(server: TurnServer) -> None:
    async def main(client: StunClient, turn: TurnClient) -> None:
        assert not await is_passed_on(client, await turn.allocate(), 0.05)

    server.passes_on = False
    with_turn(server, main)


def test_words_of_a_server_do_not_reach_a_terminal_as_they_are() -> None:
    error = TurnError(401, "\x1b[2J\nall is well")
    assert str(error) == r"401 \x1b[2J\nall is well"
    assert error.text == "\x1b[2J\nall is well"
