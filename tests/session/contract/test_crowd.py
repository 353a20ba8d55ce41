"""Thousands of half-open handshakes from many addresses while good clients join."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from support import Peer

from gns_py import Config
from gns_py.session import sync as gns

MIB = 1 << 20
GOOD = 100
SERVERS = {
    "sync": """
        import dataclasses, json, sys
        import gns_py.session.sync as gns

        def echo(session):
            for data in session:
                session.send(data)

        with gns.serve(echo, "127.0.0.1", 0) as server:
            print(server.address.port)
            for _ in sys.stdin:
                print(json.dumps(dataclasses.asdict(server.counters) | {"sessions": len(server.sessions)}))
    """,
    "asyncio": """
        import asyncio, dataclasses, json, sys
        import gns_py.session.asyncio as gns

        async def echo(session):
            async for data in session:
                session.send(data)

        async def main():
            async with gns.serve(echo, "127.0.0.1", 0) as server:
                print(server.address.port)
                while await asyncio.to_thread(sys.stdin.readline):
                    print(json.dumps(dataclasses.asdict(server.counters) | {"sessions": len(server.sessions)}))

        asyncio.run(main())
    """,
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, loopback has one address"),
]


@pytest.mark.parametrize(("api", "crowd"), [("sync", 10_000), ("asyncio", 2_500)])
def test_a_crowd_of_half_open_handshakes_keeps_no_client_out(
    peer: Callable[..., Peer], monkeypatch: pytest.MonkeyPatch, api: str, crowd: int
) -> None:
    # Measured for coverage, the crowd would be too slow to be one.
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
    server = peer(SERVERS[api])
    port = int(server.line())
    process = psutil.Process(server.process.pid)
    patient = Config(timeout_initial=40_000)
    sessions = [gns.connect("127.0.0.1", port)]
    before = process.memory_info().rss
    others = peer((Path(__file__).parent / "crowd.py").read_text(encoding="utf-8"), port, crowd)
    try:
        deadline = time.monotonic() + 100.0
        for _ in range(GOOD):
            session = gns.connect("127.0.0.1", port, timeout=40.0, config=patient)
            sessions.append(session)
            session.send(b"hello")
            assert session.recv(10.0) == b"hello"
            time.sleep(0.02)  # spread over the time that the crowd needs
        told = json.loads(others.line(timeout=deadline - time.monotonic()))
        assert told == {"begun": crowd, "ended": crowd, "left": 0}
        # 1,024 handshakes at once, and GNS keeps ended connections for some seconds: 5 KiB each.
        assert process.memory_info().rss - before < 100 * MIB
        server.say("")
        counters = json.loads(server.line())
        assert counters.pop("sessions") == counters["established"] == GOOD + 1
        refused = counters["requested"] - GOOD - 1
        assert crowd // 2 < refused <= crowd  # some of the crowd can give up before the server has seen them
        assert counters["gave_way"] + counters["failed"] + counters["too_many_pending"] == refused
        assert counters["gave_way"] > crowd // 10
    finally:
        for session in sessions:
            session.abort()
