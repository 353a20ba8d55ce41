"""Processes whose sessions have no connection: how they end, fork, and are interrupted."""

from __future__ import annotations

import subprocess
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support import PATIENCE, Peer

from .test_fork_exit import can_fork, check_quiet, finish

Process = subprocess.Popen[str]
PROMISED = 0.2
SLACK = 0.4

# A client, and a server's session, that have lost their connection. Attempts to get another one go on all the time.
OUTAGE = """
import asyncio, os, random, sys, threading, time
import gns_py
from gns_py.session import sync
from gns_py.session.asyncio import connect
from support.relay import Relay

quick = gns_py.Config(timeout_initial=1_000)
settings = sync.SessionConfig(ping_timeout=1.0, min_ping_timeout=0.1)

def echo(session):
    for data in session:
        session.send(data)

def quietly(call, *args):
    try:
        call(*args)
    except (gns_py.GNSError, gns_py.ConcurrencyError, OSError):
        pass

server = sync.serve(echo, "127.0.0.1", 0, session_config=settings)
relay = Relay(server.address)
relay.__enter__()
"""
THREADS = (
    OUTAGE
    + """
client = sync.connect("127.0.0.1", relay.port, config=quick, session_config=settings)
waiting = sync.connect("127.0.0.1", relay.port, config=quick, session_config=settings)
threading.Thread(target=quietly, args=(waiting.recv,), daemon=True).start()
relay.is_cut = True
while client.is_connected or waiting.is_connected:
    time.sleep(0.001)
client.send(b"later")
time.sleep(random.uniform(0, 0.3))
"""
)
PARENT_GOES_ON = """
def check_parent():
    relay.is_cut = False
    assert client.recv(20) == b"later"
    assert client.drops == 1
"""
LOOP = """
async def main():
    client = await connect("127.0.0.1", relay.port, config=quick, session_config=settings)
    relay.is_cut = True
    while client.is_connected:
        await asyncio.sleep(0.001)
    client.send(b"later")
    await asyncio.sleep(random.uniform(0, 0.3))
"""

ENDINGS = {
    "end of the program": ("", 0),
    "sys.exit": ("sys.exit(3)", 3),
    "exception": ("raise LookupError('as planned')", 1),
    "exit in a with block": ("with client:\n    sys.exit(4)", 4),
    "os._exit": ("os._exit(5)", 5),
    "threads wait": ("threading.Thread(target=quietly, args=(client.wait_resumed,), daemon=True).start()", 0),
    "reconnecting": ("client.reconnect()\nsys.exit(6)", 6),
    "stopped": ("gns_py.stop()\nsys.exit(7)", 7),
    "stopped elsewhere": ("threading.Thread(target=gns_py.stop).start()\nsys.exit(8)", 8),
    "closing": ("threading.Thread(target=client.close, daemon=True).start()\nsys.exit(9)", 9),
    "the server closes": ("server.close()\nsys.exit(10)", 10),
    "while it comes back": ("relay.is_cut = False\nsys.exit(11)", 11),
    "dropped": ("del client, waiting\nsys.exit(12)", 12),
}
LOOP_ENDINGS = {
    "end of the program": ("", 0),
    "sys.exit": ("sys.exit(3)", 3),
    "exception": ("raise LookupError('as planned')", 1),
    "exit in a with block": ("async with client:\n    sys.exit(4)", 4),
    "tasks wait": ("tasks = [asyncio.ensure_future(each()) for each in (client.recv, client.drain)]", 0),
    "reconnecting": ("client.reconnect()\nsys.exit(6)", 6),
    "stopped": ("gns_py.stop()\nsys.exit(7)", 7),
    "closing": ("client.close()", 0),
    "while it comes back": ("relay.is_cut = False\nsys.exit(11)", 11),
}


def check_ends(spawn: Callable[..., Process], program: str, expected: int) -> None:
    for process in [spawn(program) for _ in range(2)]:
        code, _, errors = finish(process)
        assert code == expected, errors
        check_quiet(errors)
        assert ("Traceback" in errors) == ("as planned" in errors), errors


@pytest.mark.parametrize("ending", ENDINGS)
def test_exit_without_a_connection(spawn: Callable[..., Process], ending: str) -> None:
    source, expected = ENDINGS[ending]
    check_ends(spawn, f"{THREADS}{source}\n", expected)


@pytest.mark.parametrize("ending", LOOP_ENDINGS)
def test_exit_of_a_loop_without_a_connection(spawn: Callable[..., Process], ending: str) -> None:
    source, expected = LOOP_ENDINGS[ending]
    program = f"{OUTAGE}{LOOP}{textwrap.indent(source, '    ')}\n\nasyncio.run(main())\n"
    check_ends(spawn, program, expected)


# Every call that waits or sends, of sessions that are the parent's.
IN_CHILD = """
calls = {
    "send": lambda: client.send(b"x"),
    "send_many": lambda: client.send_many([b"x"]),
    "recv": lambda: client.recv(1),
    "recv without a limit": lambda: client.recv(),
    "recv, of what a thread reads": lambda: waiting.recv(1),
    "drain": lambda: client.drain(1),
    "ping": lambda: client.ping(1),
    "wait_resumed": lambda: client.wait_resumed(1),
    "wait_resumed, of what a thread reads": lambda: waiting.wait_resumed(1),
    "wait_closed": lambda: client.wait_closed(1),
    "reconnect": lambda: client.reconnect(),
}

def in_child():
    wrong = []
    for name, call in calls.items():
        try:
            result = call()
        except gns_py.ForkedError:
            pass
        except BaseException as error:
            wrong.append(f"{name}: {error!r}")
        else:
            wrong.append(f"{name}: returned {result!r}")
    return wrong
"""


@can_fork
def test_every_call_in_a_forked_child_says_so(spawn: Callable[..., Process]) -> None:
    source = """
pid = os.fork()
if pid == 0:
    print("\\n".join(in_child()), flush=True)
    os._exit(7)
_, status = os.waitpid(pid, 0)
check_parent()
sys.exit(os.waitstatus_to_exitcode(status))
"""
    code, output, errors = finish(spawn(THREADS + PARENT_GOES_ON + IN_CHILD + source))
    assert output.strip() == ""
    assert code == 7, errors
    check_quiet(errors)


FORKS = {
    "os._exit": ("os._exit(7)", 7),
    "sys.exit": ("sys.exit(7)", 7),
    "exit in a with block": ("with client:\n        sys.exit(7)", 7),
    "exit in a server's with block": ("with server:\n        sys.exit(7)", 7),
    "dropped": ("del client, waiting\n    sys.exit(7)", 7),
    "closed": ("client.close()\n    waiting.abort()\n    server.close()\n    sys.exit(7)", 7),
}


@can_fork
@pytest.mark.parametrize("how", FORKS)
def test_a_forked_child_leaves_its_parents_sessions_alone(spawn: Callable[..., Process], how: str) -> None:
    source, expected = FORKS[how]
    program = f"""
for _ in range(5):
    time.sleep(random.uniform(0, 0.1))
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
check_parent()
sys.exit(3)
"""
    code, output, errors = finish(spawn(THREADS + PARENT_GOES_ON + program))
    assert code == 3, output + errors
    check_quiet(errors)


INTERRUPTED = """
print("waiting", flush=True)
try:
    {wait}
    print("not interrupted", flush=True)
except KeyboardInterrupt:
    print(time.monotonic(), flush=True)
relay.is_cut = False
print(client.recv(20), flush=True)
client.close()
print("done", flush=True)
"""
WAITS = ("client.recv()", "client.recv_many()", "client.wait_resumed()", "client.drain()", "client.ping()")


def interrupt(program: Peer) -> None:
    """Send Ctrl-C to a program that waits, and check that it soon notices."""
    assert program.line() == "waiting"
    time.sleep(0.3)
    began = time.monotonic()
    program.interrupt()
    assert float(program.line()) - began < PROMISED + SLACK * PATIENCE


@pytest.fixture
def with_support(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let programs import the tests' helpers."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent))


@pytest.mark.usefixtures("with_support")
@pytest.mark.parametrize("wait", [*WAITS, "client.wait_closed()", "next(iter(client))", "client.close()"])
def test_ctrl_c_without_a_connection(peer: Callable[..., Peer], wait: str) -> None:
    """It ends the wait at once, and loses nothing."""
    program = peer(THREADS + INTERRUPTED.format(wait=wait))
    interrupt(program)
    if wait != "client.close()":  # after which what arrives is dropped
        assert program.line() == "b'later'"
        assert program.line(20.0) == "done"
        assert program.wait() == 0
        assert "Traceback" not in program.stderr


@pytest.mark.usefixtures("with_support")
def test_ctrl_c_that_is_not_caught_ends_the_program(peer: Callable[..., Peer]) -> None:
    program = peer(THREADS + "print('waiting', flush=True)\nclient.recv()\n")
    assert program.line() == "waiting"
    time.sleep(0.3)
    program.interrupt()
    assert program.wait() in (130, -2, 0xC000013A)
    assert program.stderr.rstrip().endswith("KeyboardInterrupt")


@pytest.mark.usefixtures("with_support")
def test_ctrl_c_ends_a_loop_without_a_connection(peer: Callable[..., Peer]) -> None:
    program = peer(f"{OUTAGE}{LOOP}    print('waiting', flush=True)\n    await client.recv()\n\nasyncio.run(main())\n")
    assert program.line() == "waiting"
    time.sleep(0.3)
    program.interrupt()
    assert program.wait() in (130, -2, 0xC000013A)
    assert program.stderr.rstrip().endswith("KeyboardInterrupt")
    assert "Exception ignored" not in program.stderr
