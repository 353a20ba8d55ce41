"""One process of the stress. Arguments: role, API, journal, seed, name, workers.

It prints its ports (a server), or that it is ready. On stdin: "status", "ports JSON", "network JSON", "stop", "close".
"""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import json
import logging
import signal
import sys
import threading
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import psutil
from robustness.many import allocated
from stress.asyncio_ends import AsyncioClient, AsyncioServer
from stress.journal import Journal
from stress.sync_ends import SyncClient, SyncServer
from support import open_descriptors

import gns_py
from gns_py.sim import Network


class Orders:
    """The settings that all processes are given."""

    def __init__(self, role: str) -> None:
        self.role = role
        self.ports: dict[str, int] = {}

    def obey(self, line: str, left: dict[str, int]) -> None:
        """Handle a line that needs no waiting; return the answer."""
        order, _, argument = line.strip().partition(" ")
        if order == "ports":
            self.ports = json.loads(argument)
        elif order == "network":
            gns_py.set_config(Network(**json.loads(argument)).config())
        gc.collect()
        told = {
            **left,
            "threads": psutil.Process().num_threads(),
            "descriptors": open_descriptors(),
            "tasks": 0,
            "allocated": allocated(),
        }
        print(json.dumps(told), flush=True)


def sync_process(orders: Orders, journal: Journal, seed: int, name: str, workers: int) -> None:
    if orders.role == "server":
        server = SyncServer(journal, seed)
        print(json.dumps(server.ports), flush=True)
        for line in sys.stdin:
            if line == "close\n":
                journal.write(e="shutdown")
                server.close()
            orders.obey(line, server.left())
        return
    print(json.dumps({}), flush=True)
    orders.obey(sys.stdin.readline(), {})
    client = SyncClient(journal, seed, name, workers, lambda kind: orders.ports[kind])
    for line in sys.stdin:
        if line == "stop\n":
            client.stop()
        orders.obey(line, client.left())


async def asyncio_process(orders: Orders, journal: Journal, seed: int, name: str, workers: int) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: journal.write(e="unexpected", what=str(context)))
    if orders.role == "server":
        server = await AsyncioServer.make(journal, seed)
        print(json.dumps(server.ports), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            if line == "close\n":
                journal.write(e="shutdown")
                await server.close()
            orders.obey(line, server.left())
        return
    print(json.dumps({}), flush=True)
    orders.obey(await asyncio.to_thread(sys.stdin.readline), {})
    client = AsyncioClient(journal, seed, name, workers, lambda kind: orders.ports[kind])
    while line := await asyncio.to_thread(sys.stdin.readline):
        if line == "stop\n":
            await client.stop()
        orders.obey(line, {**client.left(), "tasks": len(asyncio.all_tasks()) - 1})


def main() -> None:
    role, api, path, seed, name, workers = sys.argv[1:]
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    gns_py.start()  # so that its thread and descriptors are there before anything is counted
    arguments: tuple[Any, ...] = Orders(role), Journal(Path(path)), int(seed), name, int(workers)
    if api == "sync":
        sync_process(*arguments)
    else:
        asyncio.run(asyncio_process(*arguments))
    assert threading.active_count() <= 2, threading.enumerate()


if __name__ == "__main__":
    main()
