"""How processes end and how they fork: with everything open, in the middle of traffic, whatever Python is doing.

Real programs with a deadline: the exit code must be the program's own, and none may hang or crash.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from support import PATIENCE
from support.platforms import IS_WINE

import gns_py.sync as gns

Process = subprocess.Popen[str]
DEADLINE = 20 * PATIENCE
REPEATS = 2 if IS_WINE else 10

can_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")

# A server with handlers, a plain listen socket, and connections both ways, all of them busy.
TRAFFIC = """
import contextlib, multiprocessing, os, sys, threading, time
import gns_py
import gns_py.sync as gns

rate = RATE
fast = gns.Config(send_rate_min=rate, send_rate_max=rate)

def echo(connection):
    for data in connection:
        try:
            connection.send(data)
        except gns.SendQueueFull:
            pass

def pour(connection):
    try:
        while True:
            try:
                connection.send(bytes(1000))
            except gns.SendQueueFull:
                time.sleep(0.001)
    except gns_py.GNSError:
        pass

arrived = 0
def count(connection):
    global arrived
    try:
        for _ in connection:
            arrived += 1
    except gns_py.GNSError:
        pass

def in_daemon_thread(call, *args):
    def run():
        # What it prints at the end of the program, Python itself can abort over: the lock of stderr is gone by then.
        with contextlib.suppress(gns_py.GNSError):
            call(*args)
    threading.Thread(target=run, daemon=True).start()

server = gns.serve(echo, "127.0.0.1", 0, config=fast)
client = gns.connect(*server.address, config=fast)
for task in (pour, count):
    threading.Thread(target=task, args=(client,), daemon=True).start()
other = gns.connect(*server.address, config=fast)
listener = gns.listen("127.0.0.1", 0)
pending = gns.connect(*listener.address, wait=False)
while not arrived:
    time.sleep(0.001)
""".replace("RATE", "100_000" if IS_WINE else "20_000_000")  # wine takes a hundred times as long for each packet

ENDINGS = {
    "end of the program": ("", 0),
    "sys.exit": ("sys.exit(3)", 3),
    "exception": ("raise LookupError('as planned')", 1),
    "exit in a with block": (
        "with gns.connect(*server.address) as third:\n    third.send(b'last')\n    sys.exit(4)",
        4,
    ),
    "os._exit": ("os._exit(5)", 5),
    "thread blocked in recv": (
        "in_daemon_thread(other.recv)\ntime.sleep(0.05)\nsys.exit(6)",
        6,
    ),
    "thread blocked in poll": (
        "in_daemon_thread(listener.poll, None)\ntime.sleep(0.05)\nsys.exit(6)",
        6,
    ),
    "reading in a daemon thread": (
        "in_daemon_thread(list, client)\nsys.exit(7)",
        7,
    ),
    "everything in a daemon thread": (
        ("for _ in range(4):\n    in_daemon_thread(lambda: list(gns.connect(*server.address)))\nsys.exit(8)"),
        8,
    ),
    "inside a callback": (
        "def leave(event):\n    sys.exit(9)\ngns.connect(*server.address, on_status_changed=leave)\ntime.sleep(5)",
        9,
    ),
    "stop in a thread": ("threading.Thread(target=gns_py.stop).start()\nsys.exit(10)", 10),
    "stopped before": ("gns_py.stop()\nsys.exit(11)", 11),
    "started again": ("gns_py.stop()\nagain = gns.listen('127.0.0.1', 0)\nsys.exit(12)", 12),
    "atexit handler that uses it": (
        "import atexit\natexit.register(lambda: client.send(b'late'))\nsys.exit(13)",
        13,
    ),
    "cycles and module globals": ("client.me = client\nserver.me = [server, client]\nsys.exit(14)", 14),
}


def finish(process: Process) -> tuple[int, str, str]:
    """Return exit code, output and errors; fail if it hangs."""
    try:
        output, errors = process.communicate(timeout=DEADLINE)
    except subprocess.TimeoutExpired:
        # faulthandler shows where, in the test's own report.
        process.send_signal(signal.SIGABRT)
        output, errors = process.communicate(timeout=5)
        pytest.fail(f"it hangs after {DEADLINE} s:\n{output}\n{errors}")
    return process.returncode, output, errors


def check_quiet(errors: str) -> None:
    for word in ("Fatal", "Segmentation", "Assertion", "Exception ignored in", "ResourceWarning", "failed"):
        assert word not in errors, errors


@pytest.mark.parametrize("ending", ENDINGS)
def test_exit_in_the_middle_of_traffic(spawn: Callable[..., Process], ending: str) -> None:
    source, expected = ENDINGS[ending]
    for _ in range(REPEATS // 2):
        for process in [spawn(TRAFFIC + source + "\n") for _ in range(2)]:
            code, _, errors = finish(process)
            assert code == expected, errors
            check_quiet(errors)
            assert ("LookupError: as planned" in errors) == (ending == "exception")


@pytest.mark.parametrize("thread", [False, True])
def test_data_of_a_lingering_close_right_before_exit_is_delivered(spawn: Callable[..., Process], thread: bool) -> None:
    work = """
        def work():
            # 1 MiB at 4 MiB/s: far from sent when the program ends.
            config = gns.Config(send_rate_min=4 << 20, send_rate_max=4 << 20, send_buffer_size=4 << 20)
            connection = gns.connect("127.0.0.1", int(sys.argv[1]), config=config)
            for number in range(1024):
                connection.send(number.to_bytes(4, "little") + bytes(1020))
            connection.close(1234, "that was all")
    """
    how = "worker = threading.Thread(target=work)\nworker.start()\nworker.join()" if thread else "work()"
    program = "import sys, threading\nimport gns_py.sync as gns\n" + textwrap.dedent(work) + how + "\nsys.exit(3)\n"
    with gns.listen("127.0.0.1", 0) as listener:
        for _ in range(5):
            process = spawn(program, listener.address.port)
            with listener.accept(timeout=10) as connection:
                received = [connection.recv(timeout=10) for _ in range(1024)]
                end = connection.wait_closed(timeout=10)
            assert [int.from_bytes(data[:4], "little") for data in received] == list(range(1024))
            assert (end.closed_by.name, end.code, end.text) == ("PEER", 1234, "that was all")
            assert finish(process)[0] == 3


def test_peers_are_told_at_once_of_an_exit_with_open_connections(spawn: Callable[..., Process]) -> None:
    program = (
        "import sys\nimport gns_py.sync as gns\n"
        "connection = gns.connect('127.0.0.1', int(sys.argv[1]))\nconnection.send(b'hello')\nconnection.recv(10)\n"
    )
    with gns.listen("127.0.0.1", 0) as listener:
        process = spawn(program, listener.address.port)
        with listener.accept(timeout=10) as connection:
            assert connection.recv(timeout=10) == b"hello"
            connection.send(b"go")
            end = connection.wait_closed(timeout=5)
            assert (end.closed_by.name, end.code) == ("PEER", gns.EndReason.SHUTDOWN)
        assert finish(process)[0] == 0


# Every public call, in a child of a process in which everything is open; names the calls that failed to fail.
IN_CHILD = """
calls = {
    "start": gns_py.start,
    "stop": gns_py.stop,
    "is_running": gns_py.is_running,
    "identity": gns_py.local_identity,
    "set_config": lambda: gns_py.set_config(gns.Config(nagle_time=1)),
    "get_config": lambda: gns_py.get_config(gns_py.ConfigValue.NAGLE_TIME),
    "reset_config": gns_py.reset_config,
    "set_log_level": lambda: gns_py.set_log_level(gns_py.LogLevel.WARNING),
    "connect": lambda: gns.connect(*server.address),
    "connect without waiting": lambda: gns.connect(*server.address, wait=False),
    "listen": lambda: gns.listen("127.0.0.1", 0),
    "serve": lambda: gns.serve(echo, "127.0.0.1", 0),
    "socket_pair": gns.socket_pair,
    "send": lambda: other.send(b"x"),
    "send_many": lambda: other.send_many([b"x"]),
    "recv": lambda: other.recv(1),
    "recv without a limit": lambda: other.recv(),
    "recv_many": lambda: other.recv_many(timeout=1),
    "iteration": lambda: next(iter(other)),
    "recv, of what a thread reads": lambda: read.recv(1),
    "poll": lambda: other.poll(1),
    "drain": lambda: other.drain(1),
    "wait_closed": lambda: other.wait_closed(1),
    "flush": other.flush,
    "state": lambda: other.state,
    "end": lambda: other.end,
    "info": other.info,
    "stats": other.stats,
    "lane_stats": other.lane_stats,
    "send_queue": other.send_queue,
    "details": other.details,
    "name": lambda: other.name,
    "set name": lambda: setattr(other, "name", "x"),
    "user_data": lambda: other.user_data,
    "set user_data": lambda: setattr(other, "user_data", 1),
    "configure_lanes": lambda: other.configure_lanes([0, 1]),
    "connection's set_config": lambda: other.set_config(gns.Config(nagle_time=1)),
    "connection's get_config": lambda: other.get_config(gns_py.ConfigValue.NAGLE_TIME),
    "listener's poll": lambda: listener.poll(1),
    "listener's poll, of what a thread reads": lambda: polled.poll(1),
    "listener's accept": lambda: listener.accept(1),
    "accept": lambda: request.accept(),
    "broadcast": lambda: server.broadcast(b"x"),
    "listener's set_config": lambda: listener.set_config(gns.Config(nagle_time=1)),
    "listener's get_config": lambda: listener.get_config(gns_py.ConfigValue.NAGLE_TIME),
}
# What ends things is quiet: it runs in with blocks and finally clauses, and all of it is the parent's.
quiet = {
    "close": other.close,
    "close, again": other.close,
    "listener's close": listener.close,
    "reject": lambda: request.reject(),
    "leaving a with block": lambda: read.__exit__(None, None, None),
    "server's close": server.close,
}

def in_child():
    wrong = []
    for name, call in calls.items():
        try:
            result = call()
        except gns_py.ForkedError as error:
            if "fork" not in str(error):
                wrong.append(f"{name}: {error}")
        except BaseException as error:
            wrong.append(f"{name}: {error!r}")
        else:
            wrong.append(f"{name}: returned {result!r}")
    for name, call in quiet.items():
        try:
            call()
        except BaseException as error:
            wrong.append(f"{name}: {error!r}")
    return wrong
"""

READERS = """
read = gns.connect(*server.address)
polled = gns.listen("127.0.0.1", 0)
def quietly(call):
    try:
        call()
    except gns_py.GNSError:
        pass
for call in (read.recv, lambda: polled.poll(None)):
    threading.Thread(target=quietly, args=(call,), daemon=True).start()
(request,) = (event for event in listener.poll(5) if isinstance(event, gns.ConnectionRequest))
time.sleep(0.1)
"""

PARENT_IS_WELL = """
def parent_is_well():
    before, deadline = arrived, time.monotonic() + 10
    while arrived < before + 100:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    with gns.connect(*server.address) as fresh:
        fresh.send(b"fine", nagle=False)
        assert fresh.recv(10) == b"fine"
    for each in (client, other, read):
        assert each.state is gns.ConnectionState.CONNECTED, each
"""


@can_fork
def test_every_call_in_a_forked_child_says_so(spawn: Callable[..., Process]) -> None:
    source = """
pid = os.fork()
if pid == 0:
    wrong = in_child()
    print("\\n".join(wrong), flush=True)
    os._exit(len(wrong))
_, status = os.waitpid(pid, 0)
parent_is_well()
sys.exit(os.waitstatus_to_exitcode(status))
"""
    code, output, errors = finish(spawn(TRAFFIC + READERS + IN_CHILD + PARENT_IS_WELL + source))
    assert output.strip() == ""
    assert code == 0, errors
    check_quiet(errors)


FORKS = {
    "os._exit": ("os._exit(7)", 7),
    "sys.exit": ("sys.exit(7)", 7),
    "exception": ("raise LookupError('in the child')", 1),
    "exit in a with block": ("with other, listener:\n        sys.exit(7)", 7),
    "exit in a server's with block": ("with server:\n        sys.exit(7)", 7),
    "stop, then exit": (
        "try:\n        gns_py.stop()\n    except gns_py.ForkedError:\n        pass\n    sys.exit(7)",
        7,
    ),
    "exec": ("os.execv(sys.executable, [sys.executable, '-c', 'raise SystemExit(7)'])", 7),
    "garbage collection": (
        (
            "import gc, warnings\n    warnings.simplefilter('always')\n"
            "    del client, other, read, server, listener, polled, pending\n    gc.collect()\n    sys.exit(7)"
        ),
        7,
    ),
}


@can_fork
@pytest.mark.parametrize("how", FORKS)
def test_forked_child_ends_with_its_own_exit_code(spawn: Callable[..., Process], how: str) -> None:
    """The fork happens in the middle of traffic, again and again, with locks in whatever state."""
    source, expected = FORKS[how]
    program = f"""
for _ in range({REPEATS}):
    pid = os.fork()
    if pid == 0:
        {textwrap.indent(source, "    ").strip()}
    deadline = time.monotonic() + 10
    while (ended := os.waitpid(pid, os.WNOHANG)) == (0, 0):
        if time.monotonic() > deadline:
            os.kill(pid, 6)
            os.waitpid(pid, 0)
            sys.exit("the child hangs")
        time.sleep(0.005)
    code = os.waitstatus_to_exitcode(ended[1])
    assert code == {expected}, code
    parent_is_well()
sys.exit(3)
"""
    code, output, errors = finish(spawn(TRAFFIC + READERS + PARENT_IS_WELL + program))
    assert code == 3, output + errors
    check_quiet(errors)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing(spawn: Callable[..., Process], method: str, tmp_path: Path) -> None:
    if method == "fork" and not hasattr(os, "fork"):
        pytest.skip("there is no fork")
    program = f"""
import multiprocessing, os, sys
import gns_py
import gns_py.sync as gns

def child(address, results):
    try:
        with gns.connect(*address) as connection:
            connection.send(b"from the child")
            results.put(connection.recv(10))
    except gns_py.ForkedError:
        results.put("forked")

if __name__ == "__main__":
    def echo(connection):
        for data in connection:
            connection.send(data)

    context = multiprocessing.get_context({method!r})
    with gns.serve(echo, "127.0.0.1", 0) as server:
        results = context.Queue()
        children = [context.Process(target=child, args=(tuple(server.address), results)) for _ in range(3)]
        for each in children:
            each.start()
        for each in children:
            print(results.get(timeout=15))
        for each in children:
            each.join(10)
            assert each.exitcode == 0, each
        with gns.connect(*server.address) as connection:
            connection.send(b"from the parent")
            assert connection.recv(10) == b"from the parent"
"""
    path = tmp_path / "program.py"  # spawn imports it again
    path.write_text(program)
    code, output, errors = finish(spawn(str(path)))
    assert code == 0, errors
    assert output.split("\n")[:3] == (["forked"] * 3 if method == "fork" else ["b'from the child'"] * 3)
    check_quiet(errors)


@can_fork
def test_a_process_that_has_not_started_may_fork_and_use_it_in_both(spawn: Callable[..., Process]) -> None:
    program = """
import os, sys
import gns_py.sync as gns
pid = os.fork()
a, b = gns.socket_pair(network=True)
with a, b:
    a.send(b"x")
    assert b.recv(10) == b"x"
if pid == 0:
    sys.exit(7)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    code, _, errors = finish(spawn(program))
    assert code == 7, errors
    assert errors == ""


if sys.platform == "linux":

    def test_forked_child_does_not_keep_the_port(spawn: Callable[..., Process]) -> None:
        """Sockets are closed by exec, so a program that a server starts does not hold its port."""
        program = """
import subprocess, sys
import gns_py.sync as gns
with gns.listen("127.0.0.1", 0) as listener:
    address = listener.address
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
with gns.listen(*address):
    pass
child.communicate("")
"""
        code, _, errors = finish(spawn(program))
        assert (code, errors) == (0, "")
