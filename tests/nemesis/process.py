"""One process of the nemesis tests: a server or a client. Its argument is Settings as JSON.

It prints its port, or 0, and then answers each line on stdin with one of its own: "status", "network JSON",
"reconnect COUNT", "crowd COUNT WORKER", "stop" (a client ends), "close" (a server ends).
"""

from __future__ import annotations

import asyncio
import ctypes
import faulthandler
import json
import logging
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from nemesis.asyncio_ends import AsyncioClient, AsyncioServer
from nemesis.durable_asyncio import DurableAsyncioServer
from nemesis.durable_sync import DurableSyncServer
from nemesis.history import History
from nemesis.roles import Settings
from nemesis.sync_ends import SyncClient, SyncServer

import gns_py
from gns_py.sim import Network

_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1


def serve_sync(settings: Settings) -> None:
    """Run a server or a client of threads."""
    history = History(Path(settings.history))
    if settings.role == "server":
        server = (DurableSyncServer if settings.is_durable else SyncServer)(settings, history)
        if settings.is_durable:
            _answer(settings.port)  # it may have to wait for the store
        server.open()
        if not settings.is_durable:
            _answer(server.port)
        for line in sys.stdin:
            if line == "close\n":
                server.close()
            _obey(line)
            _answer(server.left())
        return
    client = SyncClient(settings, history)
    _answer(0)
    for line in sys.stdin:
        if line == "stop\n":
            client.stop()
        _disturb(client, line)
        _obey(line)
        _answer(client.left())


async def serve_asyncio(settings: Settings) -> None:
    """Run a server or a client of a loop."""
    history = History(Path(settings.history))
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: history.write("fault", fields=[f"the loop complains: {context}"])
    )
    if settings.role == "server":
        server = (DurableAsyncioServer if settings.is_durable else AsyncioServer)(settings, history)
        if settings.is_durable:
            _answer(settings.port)  # it may have to wait for the store
        await server.open()
        if not settings.is_durable:
            _answer(server.port)
        while line := await asyncio.to_thread(sys.stdin.readline):
            if line == "close\n":
                await server.close()
            _obey(line)
            _answer(server.left())
        return
    client = AsyncioClient(settings, history)
    _answer(0)
    while line := await asyncio.to_thread(sys.stdin.readline):
        if line == "stop\n":
            await client.stop()
        _disturb(client, line)
        _obey(line)
        _answer(client.left())


def _disturb(client: SyncClient | AsyncioClient, line: str) -> None:
    match line.split():
        case ["reconnect", count]:
            client.reconnect(int(count))
        case ["crowd", count, worker]:
            client.crowd(int(count), worker)


def _obey(line: str) -> None:
    order, _, argument = line.strip().partition(" ")
    if order == "network":
        gns_py.set_config(Network(**json.loads(argument)).config())


def _answer(number: int) -> None:
    print(number, flush=True)


def _enter(namespace: str) -> None:
    """Move this process, which has one thread yet, to a network namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(os.open(namespace, os.O_RDONLY), _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def main() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # the harness may be killed, too
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is the harness's
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    given = json.loads(sys.argv[1])
    settings = Settings(**{**given, **{name: tuple(map(tuple, given[name])) for name in ("servers", "store")}})
    if settings.namespace:
        _enter(settings.namespace)
    if settings.api == "sync":
        serve_sync(settings)
    elif settings.api == "uvloop":
        import uvloop

        uvloop.install()
        asyncio.run(serve_asyncio(settings))
    else:
        asyncio.run(serve_asyncio(settings))


if __name__ == "__main__":
    main()
