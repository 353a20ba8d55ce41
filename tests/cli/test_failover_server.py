"""The other processes of `gns-py demo --failover`, whose other end is this test."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

import psutil
import pytest
from support import PATIENCE, eventually

from gns_py.cli import failover_server
from gns_py.cli.failover_server import Failure, Heard, find_store, run_server, run_store
from gns_py.session.sync import connect

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="the store runs on POSIX"),
    pytest.mark.skipif(find_spec("redis") is None, reason="pip install 'gns-py[valkey]'"),
]


@pytest.fixture(scope="module", autouse=True)
def _resource_tracker() -> None:
    """Start multiprocessing's helper process before the tests, since its descriptor stays open."""
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()


@contextmanager
def running(target: Callable[..., None], *arguments: object) -> Iterator[tuple[Pipe, psutil.Process]]:
    """Yield the pipe to a process, and the process, which has to end by itself after the block."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=target, args=(theirs, *arguments), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours, psutil.Process(process.pid)
    finally:
        ours.close()
        process.join(10 * PATIENCE)
        code = process.exitcode
        process.kill()
        process.join()
        process.close()
        assert code == 0


@pytest.fixture
def store() -> Iterator[str]:
    program = find_store()
    if program is None:
        pytest.skip("there is neither valkey-server nor redis-server")
    with running(run_store, program) as (pipe, process):
        url = pipe.recv()
        folder = Path(url.removeprefix("unix://")).parent
        (child,) = process.children()
        yield url
    assert not child.is_running()
    assert not folder.exists()


def test_another_server_goes_on_counting(store: str) -> None:
    totals: list[bytes] = []
    with running(run_server, 0, store, "a") as (first, victim), running(run_server, 0, store, "a") as (second, _):
        ports = first.recv(), second.recv()
        addresses = [("127.0.0.1", port) for port in ports]
        with connect(addresses, data=b"7", timeout=10 * PATIENCE) as player:
            for _ in range(2):
                player.send(b"1")
                totals.append(player.recv(timeout=10 * PATIENCE))
            heard = first.recv()
            first.close()  # as if the demo had ended
            eventually(lambda: victim.status() == psutil.STATUS_ZOMBIE, 10.0, "the end of the server")
            player.reconnect()
            player.send(b"1")
            totals.append(player.recv(timeout=20 * PATIENCE))
            again = second.recv()
    assert totals == [b"1", b"2", b"3"]
    assert isinstance(heard, Heard)
    assert isinstance(again, Heard)
    assert [each[1:] for each in (heard, again)] == [(7, 0), (7, 2)]
    assert heard.when < again.when


def test_a_server_says_why_it_cannot_run(store: str, tmp_path: Path) -> None:
    with running(run_server, 0, f"unix://{tmp_path}/nowhere", "a") as (pipe, _):
        failure = pipe.recv()
        assert isinstance(failure, Failure)
        assert failure.text.startswith("a server cannot run: ")
    with running(run_server, 0, store, "a") as (pipe, _), running(run_server, pipe.recv(), store, "a") as (other, _):
        assert isinstance(other.recv(), Failure)  # the port is in use
    with running(run_server, 0, "what://this.is", "a") as (pipe, _):
        assert "cannot run" in pipe.recv().text


def test_a_store_that_ends_is_reported(store: str) -> None:
    del store  # there is a program, then
    with running(run_store, find_store()) as (pipe, process):
        pipe.recv()
        (child,) = process.children()
        child.kill()
        assert pipe.recv() == Failure("the store has ended")


@pytest.mark.parametrize("program", ["false", "no such program"])
def test_a_store_that_does_not_start(program: str) -> None:
    with running(run_store, program) as (pipe, _):
        assert isinstance(pipe.recv(), Failure)


def test_the_store_is_looked_for_in_a_package_and_in_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(failover_server, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_store() is None
    for name in ("redis-server", "valkey-server"):
        program = tmp_path / name
        program.touch(0o755)
        assert find_store() == str(program)
