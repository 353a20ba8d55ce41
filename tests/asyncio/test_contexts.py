"""Handlers and callbacks run in the context (contextvars) of serve(), listen() and connect(), not in a stranger's."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

import pytest
from support.loops import Runner

import gns_py.asyncio as gns
import gns_py.session.asyncio as session

who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="no one")
apis = pytest.mark.parametrize("api", [gns, session], ids=["connection", "session"])
Seen = list[tuple[str, str]]


async def stranger() -> tuple[gns.Connection, gns.Connection]:
    """Make the first object in the loop to use it, which stays."""
    who.set("a stranger")
    return gns.socket_pair()


@apis
@pytest.mark.parametrize("as_coroutine", [False, True])
def test_of_a_server_and_a_client(run: Runner, api: Any, as_coroutine: bool) -> None:
    seen: Seen = []

    def note(what: str) -> Any:
        def call(_: object) -> None:
            seen.append((what, who.get()))
            who.set("a callback")

        return call

    async def handler(connection: Any) -> None:
        seen.append(("handler", who.get()))
        who.set("a handler")
        async for data in connection:
            connection.send(data)

    def decide(request: session.SessionRequest[session.Session]) -> None:
        note("on_request")(request)
        request.accept()

    async def decide_later(request: session.SessionRequest[session.Session]) -> None:
        await asyncio.sleep(0)
        decide(request)

    async def main() -> None:
        pair = await asyncio.create_task(stranger())
        who.set("the server")
        more = {"on_request": decide_later if as_coroutine else decide} if api is session else {}
        opening = api.serve(handler, "127.0.0.1", 0, on_status_changed=note("server"), **more)
        async with opening as server:
            who.set("the client")
            for _ in range(2):
                async with api.connect(*server.address, on_status_changed=note("client")) as client:
                    client.send(b"x")
                    await client.recv()
            assert who.get() == "the client"
        for each in pair:
            each.close()

    run(main)
    expected = {("handler", "the server"), ("server", "the server"), ("client", "the client")}
    if api is session:
        expected.add(("on_request", "the server"))
    assert set(seen) == expected
    seen.clear()


def test_of_a_client_that_connects_again_and_again(run: Runner) -> None:
    async def leave(connection: gns.Connection) -> None:
        connection.close()

    async def main() -> None:
        pair = await asyncio.create_task(stranger())
        async with gns.serve(leave, "127.0.0.1", 0) as server:
            who.set("the client")
            rounds = 0
            async for connection in gns.connect(
                *server.address, on_status_changed=lambda _: seen.append(("client", who.get()))
            ):
                await connection.wait_closed()
                rounds += 1
                if rounds == 2:
                    break
        for each in pair:
            each.close()

    seen: Seen = []
    run(main)
    assert set(seen) == {("client", "the client")}


def test_of_a_listen_socket(run: Runner) -> None:
    async def main() -> None:
        pair = await asyncio.create_task(stranger())
        who.set("the socket")
        async with gns.listen("127.0.0.1", 0, on_status_changed=lambda _: seen.append(("socket", who.get()))) as socket:
            who.set("later")
            accepting = asyncio.create_task(socket.accept())
            async with gns.connect(*socket.address), await accepting:
                pass
        for each in pair:
            each.close()

    seen: Seen = []
    run(main)
    assert set(seen) == {("socket", "the socket")}


def test_a_callback_within_a_callback(run: Runner) -> None:
    """A context cannot be entered twice at the same time."""

    async def main() -> None:
        def close(event: gns.StatusChanged[gns.Connection]) -> None:
            seen.append(("close", who.get()))
            if event.end is None:
                event.connection.close()

        who.set("the client")
        async with gns.listen("127.0.0.1", 0) as socket:
            with pytest.raises(gns.ConnectFailed):
                await gns.connect(*socket.address, on_status_changed=close)

    seen: Seen = []
    run(main)
    assert set(seen) == {("close", "the client")}
