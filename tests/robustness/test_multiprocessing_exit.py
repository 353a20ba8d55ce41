"""Children of multiprocessing end without atexit: what they have sent arrives all the same."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

import gns_py.sync as gns

Process = subprocess.Popen[str]
SIZE = 60_000
LIMIT = 30.0

# A server of its own, since a process that runs GNS cannot be forked; it reports each connection in a line.
SERVER = """
import json
import gns_py.sync as gns

def handler(connection):
    arrived = 0
    try:
        for data in connection:
            arrived += len(data)
    except gns.ConnectionClosed:
        pass
    print(json.dumps([arrived, connection.end.code, connection.end.text]), flush=True)

with gns.serve(handler, "127.0.0.1", 0) as server:
    print(json.dumps(server.address.port), flush=True)
    input()
"""

# The job of each kind of child, given the server's port.
CHILD = """
import asyncio, os, sys, threading, time

def connect(port):
    import gns_py.sync as gns
    return gns.connect("127.0.0.1", port)

def closes(port):
    connection = connect(port)
    connection.send(bytes(SIZE))
    connection.close(1234, "done")

def closes_as_asyncio(port):
    import gns_py.asyncio as gns
    async def main():
        async with gns.connect("127.0.0.1", port) as connection:
            connection.send(bytes(SIZE))
            connection.close(1234, "done")
    asyncio.run(main())

def raises(port):
    closes(port)
    raise SystemExit(3)

def starts_again(port):
    import gns_py
    for _ in range(3):
        connect(port).close(1999)
        gns_py.stop()
    closes(port)

def leaves_open(port):
    global kept
    kept = connect(port)

def sends_in_a_thread_that_goes_on(port):
    def work():
        time.sleep(0.5)
        connection.send(bytes(SIZE))
        connection.close(1234, "done")
    connection = connect(port)
    threading.Thread(target=work).start()

def sends_in_a_pool_that_goes_on(port):
    from concurrent.futures import ThreadPoolExecutor
    def work():
        time.sleep(0.5)
        connection.send(bytes(SIZE))
        connection.close(1234, "done")
    connection = connect(port)
    global pool
    pool = ThreadPoolExecutor(2)
    pool.submit(work)
""".replace("SIZE", str(SIZE))

PARENT = (
    CHILD
    + """
import multiprocessing
if __name__ == "__main__":
    method, job, port = sys.argv[1], globals()[sys.argv[2]], int(sys.argv[3])
    if method.endswith(" after a stop"):
        method = method.removesuffix(" after a stop")
        connect(port).close(1888)
        import gns_py
        gns_py.stop()
    if method == "os.fork":
        child = os.fork()
        if not child:
            job(port)
            sys.exit(0)
        assert os.waitpid(child, 0)[1] == 0
    elif method.startswith("pool of "):
        from concurrent.futures import ProcessPoolExecutor
        context = multiprocessing.get_context(method.removeprefix("pool of "))
        with ProcessPoolExecutor(1, context) as pool:
            pool.submit(job, port).result()
    else:
        child = multiprocessing.get_context(method).Process(target=job, args=(port,))
        child.start()
        child.join()
        assert child.exitcode == (3 if job is raises else 0), child.exitcode
"""
)
METHODS = multiprocessing.get_all_start_methods()
JOBS = ["closes", "closes_as_asyncio", "raises", "starts_again"]


@pytest.fixture
def server(spawn: Callable[..., Process]) -> tuple[int, Callable[[], Any]]:
    """Yield the server's port, and a function that returns its next report."""
    process = spawn(SERVER)
    assert process.stdout is not None
    lines = process.stdout
    return json.loads(lines.readline()), lambda: json.loads(lines.readline())


def run(tmp_path: Any, method: str, job: str, port: int) -> None:
    script = tmp_path / "parent.py"  # a file, which a fresh child can import
    script.write_text(PARENT)
    result = subprocess.run(
        [sys.executable, "-W", "error", str(script), method, job, str(port)],
        check=False,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        cwd=tmp_path,
    )
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("method", METHODS)
def test_what_a_child_has_sent_arrives(
    tmp_path: Any, server: tuple[int, Callable[[], Any]], method: str, job: str
) -> None:
    port, told = server
    run(tmp_path, method, job, port)
    if job == "starts_again":
        assert [told()[:2] for _ in range(3)] == [[0, 1999]] * 3
    assert told() == [SIZE, 1234, "done"]


@pytest.mark.parametrize("method", METHODS)
def test_a_connection_that_a_child_leaves_open_is_told_to_end(
    tmp_path: Any, server: tuple[int, Callable[[], Any]], method: str
) -> None:
    port, told = server
    run(tmp_path, method, "leaves_open", port)
    assert told()[:2] == [0, 2999]


@pytest.mark.parametrize("job", ["sends_in_a_thread_that_goes_on", "sends_in_a_pool_that_goes_on"])
@pytest.mark.parametrize("method", METHODS)
def test_threads_that_go_on_when_a_childs_function_has_returned(
    tmp_path: Any, server: tuple[int, Callable[[], Any]], method: str, job: str
) -> None:
    port, told = server
    run(tmp_path, method, job, port)
    assert told() == [SIZE, 1234, "done"]


@pytest.mark.parametrize("method", [f"pool of {each}" for each in METHODS])
def test_workers_of_a_process_pool(tmp_path: Any, server: tuple[int, Callable[[], Any]], method: str) -> None:
    port, told = server
    run(tmp_path, method, "closes", port)
    assert told() == [SIZE, 1234, "done"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.parametrize("method", ["os.fork after a stop", "fork after a stop"])
def test_a_fork_of_a_process_that_has_stopped_gns(
    tmp_path: Any, server: tuple[int, Callable[[], Any]], method: str
) -> None:
    port, told = server
    run(tmp_path, method, "closes", port)
    assert told()[:2] == [0, 1888]
    assert told() == [SIZE, 1234, "done"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.parametrize("job", ["closes", "closes_as_asyncio", "sends_in_a_thread_that_goes_on"])
def test_a_plain_fork(tmp_path: Any, server: tuple[int, Callable[[], Any]], job: str) -> None:
    port, told = server
    run(tmp_path, "os.fork", job, port)
    assert told() == [SIZE, 1234, "done"]


def test_nothing_of_multiprocessing_is_imported(spawn: Callable[..., Process]) -> None:
    source = """
import sys
others = set(sys.modules)  # measuring coverage imports it, too
import gns_py.sync as gns
first, second = gns.socket_pair()
first.close()
second.close()
print([name for name in sys.modules.keys() - others if name.startswith("multiprocessing")])
"""
    output, errors = spawn(source).communicate(timeout=LIMIT)
    assert (output, errors) == ("[]\n", "")


def test_the_parent_keeps_its_connections_until_its_children_have_ended() -> None:
    """The cleanup of multiprocessing runs before the interpreter's; in the main process GNS has no part in it."""
    assert multiprocessing.parent_process() is None
    from multiprocessing import util

    before = len(util._finalizer_registry)  # type: ignore[attr-defined]  # noqa: SLF001 - nothing public lists them
    first, second = gns.socket_pair()
    first.close()
    second.close()
    assert len(util._finalizer_registry) == before  # type: ignore[attr-defined]  # noqa: SLF001
