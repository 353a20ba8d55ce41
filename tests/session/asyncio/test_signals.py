"""Signals that drain a server of an event loop."""

from __future__ import annotations

import asyncio
import signal

import pytest
from support.loops import Runner

from gns_py.session.asyncio import Session, drain_on_signal, serve


async def echo(session: Session) -> None:
    async for data in session:
        session.send(data)


def test_the_handlers_of_before_come_back(run: Runner) -> None:
    before = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)]

    async def main() -> None:
        async with serve(echo, "127.0.0.1", 0) as server:
            async with drain_on_signal(server, signal.SIGTERM, signal.SIGINT):
                pass
            assert not server.is_draining
            with pytest.raises(LookupError):
                async with drain_on_signal(server):
                    raise LookupError
            assert server.is_serving()

    run(main)
    assert [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)] == before


def test_a_signal_raises_nothing_and_the_block_ends_with_the_server(run: Runner) -> None:
    async def main() -> None:
        async with serve(echo, "127.0.0.1", 0) as server:
            async with drain_on_signal(server):
                signal.raise_signal(signal.SIGTERM)
                while not server.is_draining:
                    await asyncio.sleep(0.005)
            assert not server.is_serving()

    run(main)


@pytest.mark.parametrize("named", [{"deadline": -1.0}, {"redirect": ["x"]}, {"text": "x" * 2000}], ids=str)
def test_wrong_arguments_change_nothing(run: Runner, named: dict[str, object]) -> None:
    before = signal.getsignal(signal.SIGTERM)

    async def main() -> None:
        async with serve(echo, "127.0.0.1", 0) as server:
            with pytest.raises(ValueError):  # noqa: PT011
                async with drain_on_signal(server, **named):  # type: ignore[arg-type]
                    pass

    run(main)
    assert signal.getsignal(signal.SIGTERM) is before
