"""Reasons whose causes take another program, or a broken network. All tests: the table in docs/session-protocol.md."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from support import PATIENCE, Peer, eventually

from gns_py import ClosedBy, Config
from gns_py.session import CloseReason, sync
from gns_py.session.sync import Session, SessionConfig

# In asyncio the loop answers pings: where it stands still, only GNS's threads go on.
CLIENT = """
    import asyncio, sys, time
    import gns_py.session.asyncio as gns

    async def main():
        session = await gns.connect("127.0.0.1", int(sys.argv[1]))
        print("connected")
        if input() == "hang":
            time.sleep(1000)
        await session.close()

    asyncio.run(main())
"""
SERVER = """
    import asyncio, time
    import gns_py.session.asyncio as gns

    async def main():
        async with await gns.listen("127.0.0.1", 0) as listener:
            print(listener.address.port)
            session = await listener.accept()
            print("connected")
            if input() == "hang":
                time.sleep(1000)
            await session.close()

    asyncio.run(main())
"""

StartPeer = Callable[..., Peer]
Connect = Callable[..., tuple[Session, Peer]]


@pytest.fixture(params=["client", "server"])
def connect(request: pytest.FixtureRequest, peer: StartPeer) -> Iterator[Connect]:
    """Yield a function (config=..., session_config=...) that makes a session with a separate program."""
    with ExitStack() as stack:

        def connect(**named: Any) -> tuple[Session, Peer]:
            if request.param == "client":
                listener = stack.enter_context(sync.listen("127.0.0.1", 0, **named))
                program = peer(CLIENT, listener.address.port)
                session = listener.accept(timeout=10.0 * PATIENCE)
            else:
                program = peer(SERVER)
                session = sync.connect("127.0.0.1", int(program.line()), **named)
            stack.callback(session.abort)
            assert program.line() == "connected"
            return session, program

        yield connect


@pytest.mark.parametrize("window", [None, 0.5])
@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("hangs", CloseReason.CLIENT_UNRESPONSIVE),
        ("is killed", CloseReason.CONNECTION_LOST),
        pytest.param(
            "is stopped",
            CloseReason.CONNECTION_LOST,
            marks=pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot stop a process"),
        ),
    ],
)
def test_a_peer_that_does_not_answer(connect: Connect, how: str, reason: CloseReason, window: float | None) -> None:
    """A program that hangs while GNS's threads live, and one in which everything is stopped."""
    if how == "hangs":
        session, program = connect(session_config=SessionConfig(ping_timeout=0.5 * PATIENCE, resume_window=window))
        program.say("hang")
    else:
        config = Config(timeout_connected=int(1000 * PATIENCE))
        session, program = connect(config=config, session_config=SessionConfig(resume_window=window))
        if how == "is killed":
            program.kill()
        else:
            program.process.send_signal(signal.SIGSTOP)
        session.send(b"anybody there?")  # unasked, GNS takes longer to notice
    end = session.wait_closed(timeout=20.0 * PATIENCE)
    expected = reason if window is None else CloseReason.SESSION_EXPIRED
    assert (end.reason, end.closed_by) == (expected, ClosedBy.PROBLEM)
    assert end.recoverable is (window is None)
    assert reason.name in end.text or window is None


@pytest.mark.slow
def test_a_connection_that_is_out_of_step(fast: Config, process_config: Callable[[Config], None]) -> None:
    """GNS gives up when 16,384 packets in a row are missing: it can no longer know their numbers."""
    config = fast | Config(timeout_connected=int(60_000 * PATIENCE))  # it must not give up because of the silence
    patient = SessionConfig(ping_timeout=None, resume_window=None)
    with (
        sync.listen("127.0.0.1", 0, config=config, session_config=patient) as listener,
        ThreadPoolExecutor(1) as pool,
    ):
        accepting = pool.submit(listener.accept, timeout=5.0)
        client = sync.connect(*listener.address, config=config, session_config=patient)
        server = accepting.result()
        process_config(Config(fake_packet_loss_send=100.0))
        for number in range(24_000):  # one, or a little less, in each packet
            client.send(bytes(1000), reliable=False, nagle=False)
            if number % 100 == 0:
                client.drain(timeout=20.0 * PATIENCE)
        eventually(lambda: client.send_queue().messages == 0, 20.0)
        process_config(Config(fake_packet_loss_send=0.0))
        client.send(b"after the gap")
        for session, closed_by in ((server, ClosedBy.PROBLEM), (client, ClosedBy.PEER)):
            end = session.wait_closed(timeout=10.0 * PATIENCE)
            assert (end.reason, end.closed_by) == (CloseReason.IO_EXCEPTION, closed_by)
            assert end.recoverable
