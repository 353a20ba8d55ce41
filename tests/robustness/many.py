"""Many connections within a process of its own, so that what remains of them can be measured. Prints JSON.

one-by-one COUNT   opened, used and closed one after another
at-once COUNT      all open at the same time, made without waiting, served by one poll() loop
threads COUNT      the same, made by 16 threads
limit COUNT        more than GNS can have: connect() says so, or waits until closed ones are forgotten
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator

import psutil
from support import open_descriptors

import gns_py
import gns_py.sync as gns

PROCESS = psutil.Process()
# GNS keeps closed connections for 5 s.
FORGOTTEN = 5.5
CONFIG = gns.Config(timeout_initial=30_000, timeout_connected=30_000)
MALLOC_INFO = [
    "arena",
    "ordblks",
    "smblks",
    "hblks",
    "hblkhd",
    "usmblks",
    "fsmblks",
    "uordblks",
    "fordblks",
    "keepcost",
]


class MallocInfo(ctypes.Structure):
    """glibc's struct mallinfo2."""

    _fields_ = tuple((name, ctypes.c_size_t) for name in MALLOC_INFO)


def allocated() -> int:
    """Return the bytes that malloc has given out; 0 where malloc does not report them."""
    try:
        tell = ctypes.CDLL(None).mallinfo2
    except (AttributeError, TypeError, OSError):
        return 0
    tell.restype = MallocInfo
    info = tell()
    return int(info.uordblks + info.hblkhd)


def measure() -> dict[str, int]:
    gc.collect()
    return {
        "allocated": allocated(),
        "rss": PROCESS.memory_info().rss,
        "descriptors": open_descriptors(),
        "threads": PROCESS.num_threads(),
        "objects": sum(isinstance(each, gns.Connection | gns.ListenSocket) for each in gc.get_objects()),
    }


@contextlib.contextmanager
def echo_server() -> Iterator[gns.ListenSocket]:
    """Serve one listen socket with one poll() loop in a thread: echo, and close what has ended."""
    over = False

    def serve(listener: gns.ListenSocket) -> None:
        while not over:
            for event in listener.poll(timeout=0.1):
                match event:
                    case gns.ConnectionRequest():
                        event.accept()
                    case gns.MessageReceived(connection, message):
                        connection.send(message.data, nagle=False)
                    case gns.StatusChanged(connection) if event.end:
                        connection.close()

    with gns.listen("127.0.0.1", 0, config=CONFIG, limits=None) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        try:
            yield listener
        finally:
            over = True
            thread.join()


def exchange(connection: gns.Connection, number: int) -> None:
    data = number.to_bytes(4, "little")
    connection.send(data, nagle=False)
    assert connection.recv(timeout=30) == data


def one_by_one(count: int) -> None:
    with echo_server() as server:
        for number in range(count):
            with gns.connect(*server.address, config=CONFIG, timeout=30) as connection:
                exchange(connection, number)


def at_once(count: int) -> None:
    with echo_server() as server, contextlib.ExitStack() as stack:
        connections = [
            stack.enter_context(gns.connect(*server.address, config=CONFIG, wait=False)) for _ in range(count)
        ]
        for number, connection in enumerate(connections):
            connection.send(number.to_bytes(4, "little"))
        for number, connection in enumerate(connections):
            assert connection.recv(timeout=30) == number.to_bytes(4, "little")
        assert all(connection.state is gns.ConnectionState.CONNECTED for connection in connections)
        assert len(server.connections) == count
        assert server.broadcast(b"to all") == []
        for connection in connections:
            assert connection.recv(timeout=30) == b"to all"


def threads(count: int) -> None:
    workers = 16
    all_open = threading.Barrier(workers)
    failures: list[BaseException] = []

    def work(worker: int) -> None:
        try:
            with contextlib.ExitStack() as stack:
                mine = []
                for number in range(worker, count, workers):
                    connection = gns.connect(*server.address, config=CONFIG, timeout=30)
                    mine.append((number, stack.enter_context(connection)))
                all_open.wait(60)
                if worker == 0:
                    assert len(server.connections) == count
                for number, connection in mine:
                    exchange(connection, number)
                all_open.wait(60)
        except BaseException as error:
            failures.append(error)
            all_open.abort()

    with echo_server() as server:
        crew = [threading.Thread(target=work, args=(worker,)) for worker in range(workers)]
        for thread in crew:
            thread.start()
        for thread in crew:
            thread.join()
    if failures:
        raise failures[0]


def limit(count: int) -> None:
    held: list[gns.Connection] = []
    try:
        for _ in range(count):
            held.append(gns.connect("127.0.0.1", 9, config=CONFIG, wait=False, timeout=0))  # noqa: PERF401
    except gns_py.ConnectionLimitError:
        print(f"full with {len(held)}", file=sys.stderr)
    for connection in held:
        connection.close()
    # Closed connections still count, so this has to wait.
    began = time.monotonic()
    gns.connect("127.0.0.1", 9, config=CONFIG, wait=False, timeout=20).close()
    assert time.monotonic() - began < 8


WAYS: dict[str, Callable[[int], None]] = {
    "one-by-one": one_by_one,
    "at-once": at_once,
    "threads": threads,
    "limit": limit,
}


def main() -> None:
    if sys.platform != "win32":
        import resource

        # Each outgoing connection has a socket of its own.
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard < 20_000 and hard > 0 else 20_000, hard))
    way, count, warm_up, rounds = sys.argv[1], *map(int, sys.argv[2:])
    measured = []
    for each in [warm_up] + [count] * rounds:
        if each:
            WAYS[way](each)
            time.sleep(FORGOTTEN)
        measured.append(measure())
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
