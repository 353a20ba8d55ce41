"""The attacked server: a process of its own, with a port for each way to serve sessions.

Argument: the API, "sync" or "asyncio". It prints its ports as JSON and then, for each line on stdin, its state.

echo    sends back what it reads
deaf    reads nothing, and leaves the goodbye to the package
hasty   says goodbye at once
picky   lets the client's data decide: reject, accept a little later, never decide
accept  echoes in sessions that come out of accept()
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import sys
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from support import open_descriptors

import gns_py.session.asyncio as asyncio_sessions
import gns_py.session.sync as sync_sessions
from gns_py import MessageTooLarge, StatusChanged
from gns_py.session import AdmissionRules, SessionConfig, SessionTimeout

# Small, so that limits are reached; short, so that many inputs get to their end.
CONFIG = SessionConfig(
    max_message=5_000,
    credit_bytes=20_000,
    credit_messages=40,
    hello_timeout=1.0,
    decision_timeout=1.0,
    close_timeout=1.0,
    ping_timeout=3.0,
)
# All clients have the same address.
RULES = AdmissionRules(max_pending_per_address=None)
LATER = 0.1
# Not gc.get_objects(): it returns objects that other threads are still constructing, which CPython cannot bear.
connections: weakref.WeakSet[Any] = weakref.WeakSet()


def watch(event: StatusChanged[Any]) -> None:
    """Register each connection."""
    connections.add(event.connection)


NAMED: dict[str, Any] = {"limits": None, "rules": RULES, "session_config": CONFIG, "on_status_changed": watch}


def status(servers: dict[str, Any], accepted: set[Any]) -> str:
    """Return one line about everything here."""
    gc.collect()
    endpoints = connections.copy()
    return json.dumps(
        {
            "sessions": {port: len(server.sessions) for port, server in servers.items()},
            "serving": [port for port, server in servers.items() if port == "accept" or server.is_serving()],
            "accepted": len(accepted),
            "connections": sum(each.end is None for each in endpoints),
            "kept": len(endpoints),
            "threads": threading.active_count(),
            "descriptors": open_descriptors(),
        }
    )


def decide(request: Any, later: Callable[[float, Callable[[], object]], object]) -> None:
    """Decide as the port "picky" does."""
    match request.data:
        case b"reject":
            request.reject(1234, "not you", b"data")
        case b"later":
            later(LATER, lambda: accept_if_open(request))
        case b"never":
            pass
        case _:
            request.accept(b"welcome")


def accept_if_open(request: Any) -> None:
    """Accept a request, unless it was decided by the time limit, or is gone: it can no longer be accepted then."""
    with contextlib.suppress(RuntimeError):
        request.accept(b"at last")


def sync_victim() -> None:
    accepted: set[sync_sessions.Session] = set()

    def echo(session: sync_sessions.Session) -> None:
        for data in session:
            with contextlib.suppress(MessageTooLarge):  # for this client
                session.send(data, nagle=False)
            session.drain()

    def deaf(session: sync_sessions.Session) -> None:
        session.wait_closed()

    def hasty(session: sync_sessions.Session) -> None:
        pass

    def later(seconds: float, what: Callable[[], object]) -> None:
        threading.Timer(seconds, what).start()

    def serve_accepted(session: sync_sessions.Session) -> None:
        with contextlib.suppress(sync_sessions.SessionClosed), session:
            echo(session)
        accepted.discard(session)

    def accept_all(listener: sync_sessions.ListenSocket) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                session = listener.accept(timeout=1.0)
                accepted.add(session)
                threading.Thread(target=serve_accepted, args=(session,), daemon=True).start()

    listener = sync_sessions.listen("127.0.0.1", 0, **NAMED)
    threading.Thread(target=accept_all, args=(listener,), daemon=True).start()
    servers: dict[str, Any] = {
        "echo": sync_sessions.serve(echo, "127.0.0.1", 0, **NAMED),
        "deaf": sync_sessions.serve(deaf, "127.0.0.1", 0, **NAMED),
        "hasty": sync_sessions.serve(hasty, "127.0.0.1", 0, **NAMED),
        "picky": sync_sessions.serve(echo, "127.0.0.1", 0, on_request=lambda request: decide(request, later), **NAMED),
        "accept": listener,
    }
    print(json.dumps({port: server.address.port for port, server in servers.items()}), flush=True)
    for _ in sys.stdin:
        print(status(servers, accepted), flush=True)


async def asyncio_victim() -> None:
    accepted: set[asyncio_sessions.Session] = set()
    tasks: set[asyncio.Task[None]] = set()

    async def echo(session: asyncio_sessions.Session) -> None:
        async for data in session:
            with contextlib.suppress(MessageTooLarge):  # for this client
                session.send(data, nagle=False)
            await session.drain()

    async def deaf(session: asyncio_sessions.Session) -> None:
        await session.wait_closed()

    async def hasty(session: asyncio_sessions.Session) -> None:
        pass

    async def serve_accepted(session: asyncio_sessions.Session) -> None:
        with contextlib.suppress(asyncio_sessions.SessionClosed):
            async with session:
                await echo(session)
        accepted.discard(session)

    async def accept_all(listener: asyncio_sessions.ListenSocket) -> None:
        while True:
            with contextlib.suppress(TimeoutError, asyncio.TimeoutError, SessionTimeout):
                session = await asyncio.wait_for(listener.accept(), 1.0)
                accepted.add(session)
                keep(serve_accepted(session))

    def keep(coroutine: Any) -> None:
        task = asyncio.ensure_future(coroutine)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    listener = await asyncio_sessions.listen("127.0.0.1", 0, **NAMED)
    keep(accept_all(listener))
    loop = asyncio.get_running_loop()
    servers: dict[str, Any] = {
        "echo": await asyncio_sessions.serve(echo, "127.0.0.1", 0, **NAMED),
        "deaf": await asyncio_sessions.serve(deaf, "127.0.0.1", 0, **NAMED),
        "hasty": await asyncio_sessions.serve(hasty, "127.0.0.1", 0, **NAMED),
        "picky": await asyncio_sessions.serve(
            echo, "127.0.0.1", 0, on_request=lambda request: decide(request, loop.call_later), **NAMED
        ),
        "accept": listener,
    }
    print(json.dumps({port: server.address.port for port, server in servers.items()}), flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(status(servers, accepted), flush=True)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    if sys.argv[1] == "sync":
        sync_victim()
    else:
        asyncio.run(asyncio_victim())
