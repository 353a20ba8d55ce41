"""gns_py.sync where gevent or eventlet has turned threads into greenlets: one waits while the others go on."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from support import PATIENCE

BEGINNING = {
    "gevent": "from gevent import monkey, spawn; monkey.patch_all()",
    "eventlet": "import warnings; warnings.simplefilter('ignore'); import eventlet; eventlet.monkey_patch(); "
    "spawn = eventlet.spawn",
}
PROGRAM = """
import threading
import time
import gns_py.session.sync as session
import gns_py.sync as gns

ticks = 0

def tick():
    global ticks
    while True:
        ticks += 1
        time.sleep(0.01)

spawn(tick)

def others_run(wait, what):
    before = ticks
    try:
        wait()
    except TimeoutError:
        pass
    assert ticks - before > 5, (what, ticks - before)

def echo(connection):
    for data in connection:
        connection.send(data)

with gns.serve(echo, "127.0.0.1", 0) as server:
    with gns.connect(*server.address, timeout=5.0) as client:
        others_run(lambda: client.recv(timeout=0.3), "recv")
        for number in range(50):
            client.send(b"%d" % number)
        assert [client.recv(timeout=5.0) for _ in range(50)] == [b"%d" % number for number in range(50)]
        assert client.ping(timeout=5.0) < 5.0
        client.send(bytes(400_000))
        others_run(lambda: client.drain(timeout=5.0) or client.recv(timeout=5.0), "drain")
        client.close()
        client.wait_closed(5.0)
    later = []
    clients = [gns.connect(*server.address, timeout=5.0) for _ in range(20)]  # more than a pool has threads
    readers = [threading.Thread(target=lambda each=each: later.append(each.recv(timeout=5.0))) for each in clients]
    for reader in readers:
        reader.start()
    others_run(lambda: time.sleep(0.2), "20 readers")
    for each in clients:
        each.send(b"late")
    for reader in readers:
        reader.join(5.0)
    assert later == [b"late"] * 20, later
    for each in clients:
        each.close()

with gns.listen("127.0.0.1", 0) as socket:
    others_run(lambda: socket.accept(timeout=0.3), "accept")
    others_run(lambda: list(socket.poll(timeout=0.3)), "poll")

others_run(lambda: gns.connect(*socket.address, timeout=0.3), "connect")

with session.serve(echo, "127.0.0.1", 0) as server, session.connect(*server.address) as client:
    client.send(b"hello")
    assert client.recv(timeout=5.0) == b"hello"
    others_run(lambda: client.recv(timeout=0.3), "recv of a session")
print("done")
"""


@pytest.mark.parametrize("library", BEGINNING)
def test_one_greenlet_waits_and_the_others_go_on(library: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    result = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", f"{BEGINNING[library]}\n{PROGRAM}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60 * PATIENCE,
        check=False,
    )
    assert (result.stdout, result.stderr, result.returncode) == ("done\n", "", 0)
