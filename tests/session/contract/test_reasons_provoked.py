"""The first thirteen reasons, each provoked by its real cause: the test that does so, or a note that none can yet."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support import PATIENCE, Peer, eventually

from gns_py import ClosedBy, Config
from gns_py.session import CloseReason, sync
from gns_py.session.sync import Session, SessionConfig

PROVOKED_BY = {
    CloseReason.SESSION_TAKEN_OVER: "test_resume.py::test_a_key_has_one_session",
    CloseReason.CONNECTION_LOST: "test_reasons_provoked.py::test_a_peer_that_does_not_answer",
    CloseReason.IO_EXCEPTION: "test_reasons_provoked.py::test_a_connection_that_is_out_of_step",
    CloseReason.CLIENT_UNRESPONSIVE: "test_reasons_provoked.py::test_a_peer_that_does_not_answer",
    CloseReason.MESSAGE_QUEUE_LIMIT_REACHED: "test_hostile.py::test_messages_without_credit",
    CloseReason.CLOSED_BY_CLIENT: "test_goodbye.py::test_the_transaction_example",
    CloseReason.MESSAGE_TOO_LARGE: "test_hostile.py::test_frames_that_are_not_allowed",
    CloseReason.INTERNAL_ERROR: "test_goodbye.py::test_a_handler_that_fails",
    CloseReason.INVALID_INBOUND_MESSAGE: "test_hostile.py::test_malformed_frames",
    CloseReason.ABORTED: "test_goodbye.py::test_aborting_drops_what_is_on_its_way",
    CloseReason.LOST_MESSAGES: "test_hostile.py::test_frames_that_are_not_allowed",
    CloseReason.CLOSED_BY_CONTROLLER: "test_goodbye.py::test_the_controller_closes",
}
NOT_WITHOUT_A_STORE = {CloseReason.FAILED_OVER}

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


def test_every_reason_is_provoked_or_waits_for_a_store() -> None:
    assert list(CloseReason)[:13] == sorted(PROVOKED_BY.keys() | NOT_WITHOUT_A_STORE)
    for where in PROVOKED_BY.values():
        name, _, test = where.partition("::")
        source = Path(__file__).with_name(name).read_text("utf-8")
        assert re.search(rf"^def {test}\(", source, re.MULTILINE), where


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
