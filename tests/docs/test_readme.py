"""The README's programs, as they stand there."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import pytest
from support.markdown import python_blocks

import gns_py.sync as gns

pytestmark = pytest.mark.clone

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
*PROGRAMS, TICK_LOOP, DURABLE, AUTHENTICATED = [block.source for block in python_blocks(README)]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.partition("\n")[0])
def test_the_server_and_the_client(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(program, "README.md", "exec"), {"__name__": "readme"})
    assert re.fullmatch(r"b'hello' CONNECTED \d+\n", capsys.readouterr().out)


def test_the_tick_loop() -> None:
    """Run with a world of one player, who ends it. The port is not the README's, which may be taken."""
    with gns.listen("127.0.0.1", 0) as probe:
        port = probe.address.port
    seen: list[Any] = []

    class World:
        def apply(self, connection: gns.Connection, data: bytes) -> None:
            seen.append((connection.state, data))
            program["running"] = False

        def snapshot(self) -> bytes:
            return b"snapshot"

    program: dict[str, Any] = {"running": True, "world": World(), "log": lambda *change: seen.append(change[1:])}
    source = TICK_LOOP.replace("0.0.0.0", "127.0.0.1").replace("27015", str(port))

    def play() -> None:
        with gns.connect("127.0.0.1", port, timeout=5.0) as player:
            assert player.recv(timeout=5.0) == b"snapshot"
            player.send(b"jump")
            player.wait_closed(timeout=5.0)

    thread = threading.Thread(target=play)
    thread.start()
    exec(compile(source, "README.md", "exec"), program)
    thread.join(timeout=10.0)
    connecting, connected = gns.ConnectionState.CONNECTING, gns.ConnectionState.CONNECTED
    assert seen == [(connecting, connected), (connected, b"jump")]


def test_the_sessions_that_outlive_their_server(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {"__name__": "readme"}
    exec(compile(DURABLE, "README.md", "exec"), names)
    names["second"].wait_closed()
    assert capsys.readouterr().out == "b'40'\nb'42'\n"


def test_peers_that_prove_who_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("cryptography")
    exec(compile(AUTHENTICATED, "README.md", "exec"), {"__name__": "readme"})
    assert capsys.readouterr().out == "b'welcome, str:eu-1' True\n"
