"""Measure handshakes with and without certificates, in turns: the time of connect(), and both ends' processor time.

Each end is a process with one certificate, or with none. A refused handshake ends with the reason at the client.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import NamedTuple

import gns_py.sync as gns
from gns_py import ConnectFailed, start
from gns_py.certs import Authority, Certificate, Credentials, Expect

SERVERS = ("plain", "server")
CLIENTS = ("plain", "client", "stranger")
ROOT = "root.cert"


class Kind(NamedTuple):
    """A kind of handshake: which processes make it, and what is demanded."""

    name: str
    client: str
    server: str
    is_strict: bool = False
    """The server demands authentication."""
    expects: str = ""
    """The client expects this identity, and the server's key."""
    is_refused: bool = False


KINDS = (
    Kind("no certificates", "plain", "plain"),
    Kind("certificates, nothing demanded", "client", "server"),
    Kind("the server demands authentication", "client", "server", is_strict=True),
    Kind("the client expects identity and key, too", "client", "server", is_strict=True, expects="str:server"),
    Kind("refused by the server", "stranger", "server", is_strict=True, is_refused=True),
    Kind("refused by the client", "client", "server", expects="str:another", is_refused=True),
)


class Round(NamedTuple):
    """A round of one kind, in seconds."""

    times: list[float]
    """Of each connect()."""
    client: float
    """Processor time for a handshake."""
    server: float


class Job(NamedTuple):
    """The task of a client."""

    port: int
    handshakes: int
    expect: tuple[str, bytes] | None
    is_refused: bool


def begin(name: str, folder: Path) -> None:
    """Start GNS as this end."""
    logging.getLogger("gns_py.native").setLevel(logging.ERROR)  # GNS logs a warning for each refusal
    if name == "plain":
        start("str:plain")
        return
    root = f"{name}-{ROOT}" if name == "stranger" else ROOT
    start(certificate=Credentials.load(folder / name), trust=[Certificate((folder / root).read_bytes())])


def serve(pipe: Pipe, name: str, folder: Path) -> None:
    """Run a server with a lenient and a strict port, and report its processor time when asked."""
    begin(name, folder)
    listening = [gns.listen("127.0.0.1", 0, limits=None, require_authentication=strict) for strict in (False, True)]

    def take(listener: gns.ListenSocket) -> None:
        before = listener.accept()
        while True:
            before, after = listener.accept(), before
            after.close(linger=False)  # its client has closed it

    for each in listening:
        Thread(target=take, args=(each,), daemon=True).start()
    pipe.send([each.address.port for each in listening])
    while pipe.recv():
        pipe.send(time.process_time())


def connect(pipe: Pipe, name: str, folder: Path) -> None:
    """Run a client: do each job, and report the seconds of each handshake and the processor time of all of them."""
    begin(name, folder)
    pipe.send("ready")
    while (job := pipe.recv()) is not None:
        expect = None if job.expect is None else Expect(job.expect[0], [job.expect[1]])
        took = []
        processor = time.process_time()
        for _ in range(job.handshakes):
            begun = time.perf_counter()
            try:
                connection = gns.connect("127.0.0.1", job.port, expect=expect)
            except ConnectFailed:
                took.append(time.perf_counter() - begun)
                assert job.is_refused
                continue
            took.append(time.perf_counter() - begun)
            assert not job.is_refused
            connection.close(linger=False)
        pipe.send((took, time.process_time() - processor))


@contextmanager
def processes(folder: Path) -> Iterator[tuple[dict[str, Pipe], dict[str, Pipe]]]:
    """Run all ends, and yield the pipes to the servers and to the clients."""
    context = get_context("spawn")
    running = []

    def run(target: object, name: str) -> Pipe:
        ours, theirs = context.Pipe()
        process = context.Process(target=target, args=(theirs, name, folder), daemon=True)  # type: ignore[arg-type]
        process.start()
        running.append(process)
        return ours

    try:
        yield {name: run(serve, name) for name in SERVERS}, {name: run(connect, name) for name in CLIENTS}
    finally:
        for process in running:
            process.kill()
            process.join()


def issue(folder: Path) -> bytes:
    """Write the certificates of all ends to files, and return the server's key."""
    authority, unknown = Authority.create(), Authority.create()
    (folder / ROOT).write_bytes(bytes(authority.root))
    (folder / f"stranger-{ROOT}").write_bytes(bytes(unknown.root))
    issued = {"server": authority, "client": authority, "stranger": unknown}
    for name, issuer in issued.items():
        issuer.issue(f"str:{name}").save(folder / name)
    return Credentials.load(folder / "server").certificate.key


def measure(rounds: int, handshakes: int) -> None:
    """Measure all kinds in turns, and print the table."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        key = issue(folder)
        with processes(folder) as (servers, clients):
            ports = {name: pipe.recv() for name, pipe in servers.items()}
            for pipe in clients.values():
                pipe.recv()
            found: dict[Kind, list[Round]] = {kind: [] for kind in KINDS}
            for number in range(-1, rounds):  # the first one warms up
                for kind in KINDS:
                    server, client = servers[kind.server], clients[kind.client]
                    expect = (kind.expects, key) if kind.expects else None
                    before = ask(server)
                    client.send(Job(ports[kind.server][kind.is_strict], handshakes, expect, kind.is_refused))
                    took, processor = client.recv()
                    if number >= 0:
                        after = ask(server)
                        found[kind].append(Round(took, processor / handshakes, (after - before) / handshakes))
    print("| handshake | p50 | p99 | CPU of the client | CPU of the server |")
    print("|---|---:|---:|---:|---:|")
    for kind, results in found.items():
        times = sorted(each for result in results for each in result.times)
        client_time = statistics.median(result.client for result in results)
        server_time = statistics.median(result.server for result in results)
        numbers = [times[len(times) // 2], times[int(len(times) * 0.99)], client_time, server_time]
        print(f"| {kind.name} | {' | '.join(f'{each * 1e3:.2f} ms' for each in numbers)} |")


def ask(server: Pipe) -> float:
    """Return the processor time that a server has used."""
    server.send(True)
    return float(server.recv())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a first impression")
    rounds, handshakes = (2, 10) if parser.parse_args().quick else (20, 100)
    measure(rounds, handshakes)


if __name__ == "__main__":
    main()
