"""The dialer of an event loop: real attempts, and those that are given up, cut short or of no use."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from typing import Any

import pytest
from support import PATIENCE, counts_references
from support.loops import Runner, new_loop

import gns_py.asyncio as connections
import gns_py.session.asyncio as gns
from gns_py import Config
from gns_py._core.sending import SendingConnection
from gns_py.session import CloseReason, SessionEnd
from gns_py.session._core.addresses import Route, Source
from gns_py.session.asyncio.dialer import LoopDialer
from gns_py.session.asyncio.discovery import LoopInquiry

IMPATIENT = Config(timeout_initial=200)


def dialer_at(host: str, port: int, config: Config | None = None) -> LoopDialer:
    """Return a dialer with one address."""
    source = Source(host, port, may_await=False)
    return LoopDialer(Route(source, source.known[0]), LoopInquiry(source), config, None)


class Caller:
    """A caller whose tests wait for what it hears of."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[Any] = asyncio.Queue()

    def welcome(self, connection: SendingConnection) -> None:
        """See Caller."""
        self.heard.put_nowait(connection)

    def attempt_failed(self, end: SessionEnd) -> None:
        """See Caller."""
        self.heard.put_nowait(end)

    def on_change(self) -> None:
        """See Caller."""
        self.heard.put_nowait("change")

    def on_stopped(self) -> None:
        """See Caller."""
        self.heard.put_nowait("stopped")

    async def hear(self) -> Any:
        """Wait for the next thing."""
        return await asyncio.wait_for(self.heard.get(), 10.0 * PATIENCE)


@pytest.fixture
def long_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make each pause last longer than the test."""
    monkeypatch.setattr("random.uniform", lambda *_: 1000.0)


def test_an_attempt_brings_a_connection(run: Runner) -> None:
    async def main() -> None:
        async with await connections.listen("127.0.0.1", 0) as listener:
            dialer, caller = dialer_at(*listener.address), Caller()
            dialer.dial(caller)
            request = await anext(aiter(listener))
            accepted = request.accept()
            connection = await caller.hear()
            assert isinstance(connection, connections.Connection)
            assert not dialer.is_dialing
            connection.send(b"here")
            assert await accepted.recv() == b"here"
            connection.close()
            accepted.close()

    run(main)


def test_a_server_that_does_not_answer_or_does_not_want_it(run: Runner) -> None:
    async def main() -> None:
        async with await connections.listen("127.0.0.1", 0) as listener:
            address = listener.address
            dialer, caller = dialer_at(*address), Caller()
            dialer.dial(caller)
            request = await anext(aiter(listener))
            request.reject(CloseReason.RATE_LIMITED.native_code)
            end = await caller.hear()
            assert (end.reason, end.can_retry) == (CloseReason.RATE_LIMITED, True)
        dialer = dialer_at(*address, config=IMPATIENT)
        dialer.dial(caller)
        end = await caller.hear()
        assert (end.reason, end.can_retry) == (CloseReason.CONNECTION_LOST, True)

    run(main)


def test_without_a_way_to_the_server_it_is_tried_again(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_way(*_: object, **__: object) -> None:
        raise OSError("no network")

    async def main() -> None:
        monkeypatch.setattr("gns_py.session.asyncio.dialer.connect", no_way)
        dialer, caller = dialer_at("127.0.0.1", 1), Caller()
        for _ in range(2):
            dialer.dial(caller)
            assert await caller.hear() == "change"
            assert not dialer.is_dialing

    run(main)


def test_an_error_of_the_program_is_logged_once(run: Runner, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        dialer, caller = dialer_at("127.0.0.1", -1), Caller()
        dialer.dial(caller)
        end = await caller.hear()
        assert (end.reason, end.can_retry) == (CloseReason.ABORTED, False)
        assert not dialer.is_dialing

    with caplog.at_level(logging.ERROR, "gns_py"):
        run(main)
    assert len(caplog.records) == 1


@pytest.mark.usefixtures("long_pause")
def test_a_pause_is_cut_short(run: Runner) -> None:
    async def main() -> None:
        dialer, caller = dialer_at("127.0.0.1", -1), Caller()
        dialer.dial(caller)
        await asyncio.sleep(0)
        await asyncio.to_thread(dialer.hurry)
        assert isinstance(await caller.hear(), SessionEnd)

    run(main)


@pytest.mark.usefixtures("long_pause")
def test_an_attempt_is_cancelled(run: Runner) -> None:
    async def main() -> None:
        dialer, caller = dialer_at("127.0.0.1", 1), Caller()
        dialer.cancel()  # there is none
        dialer.dial(caller)
        while not (tasks := [task for task in asyncio.all_tasks() if task.get_name() == "gns_py reconnect"]):
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.to_thread(dialer.cancel)
        await asyncio.wait(tasks)
        assert not dialer.is_dialing
        assert caller.heard.empty()

    run(main)


@counts_references
@pytest.mark.usefixtures("long_pause")
def test_nothing_is_dialed_for_a_caller_that_is_gone(run: Runner) -> None:
    async def main() -> None:
        dialer = dialer_at("127.0.0.1", -1)
        dialer.dial(Caller())
        dialer.hurry()
        while dialer.is_dialing:
            await asyncio.sleep(0)

    run(main)


@pytest.mark.usefixtures("long_pause")
def test_a_loop_that_is_closed() -> None:
    caller = None

    async def main() -> LoopDialer:
        nonlocal caller
        caller = Caller()
        dialer = dialer_at("127.0.0.1", 1)
        dialer.dial(caller)
        await asyncio.sleep(0)
        return dialer

    loop = new_loop("asyncio")
    dialer = loop.run_until_complete(main())
    loop.close()
    dialer.cancel()
    dialer.hurry()


def test_reconnecting_on_another_thread(run: Runner) -> None:
    async def main() -> None:
        async with await gns.listen("127.0.0.1", 0) as listener:
            accepting = asyncio.ensure_future(listener.accept())
            client = await gns.connect(*listener.address)
            server = await accepting
            for number in range(3):
                thread = threading.Thread(target=client.reconnect)
                thread.start()
                while thread.is_alive():  # the loop is not woken by anything else
                    time.sleep(0.001)
                await asyncio.wait_for(client.wait_resumed(), 10.0 * PATIENCE)
                assert client.drops == number + 1
            client.send(b"here")
            assert await server.recv() == b"here"
            await asyncio.gather(client.close(), server.close())

    run(main)
