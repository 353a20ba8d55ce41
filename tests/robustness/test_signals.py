"""Native threads take no signals: a thread that has blocked a signal, or waits for it, is not robbed of it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable

import pytest
from support import Peer

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="has no such signals")

# Only the native thread could take a signal: Python's own threads start with all of them blocked.
USED = {
    "sync": """
        gns_py.start()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        server = gns_py.sync.serve(print, "127.0.0.1", 0)
    """,
    "asyncio": """
        gns_py.start()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        async def main():
            async with gns_py.asyncio.serve(print, "127.0.0.1", 0):
                begun.set()
                await asyncio.sleep(60)
        begun = threading.Event()
        threading.Thread(target=asyncio.run, args=(main(),), daemon=True).start()
        assert begun.wait(10)
    """,
    "started again": """
        gns_py.start()
        gns_py.stop()
        gns_py.start()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    """,
}
HEAD = """
        import asyncio, os, signal, threading
        import gns_py.asyncio, gns_py.sync
"""


@pytest.mark.parametrize("used", USED)
def test_a_blocked_signal_stays_for_a_thread_that_polls_for_it(peer: Callable[..., Peer], used: str) -> None:
    child = peer(
        HEAD
        + USED[used]
        + """
        assert before == set()  # start() leaves its caller's as they were
        wanted = {signal.SIGTERM, signal.SIGUSR1}
        signal.pthread_sigmask(signal.SIG_SETMASK, wanted)
        print("ready")
        print({signal.sigwait(wanted) for _ in wanted} == wanted)
        os._exit(0)
        """
    )
    assert child.line() == "ready"
    for each in (signal.SIGTERM, signal.SIGUSR1):
        child.process.send_signal(each)
    assert child.line() == "True"
    assert child.wait() == 0


@pytest.mark.parametrize("used", USED)
def test_a_signal_s_handler_runs_although_all_but_one_thread_have_it_blocked(
    peer: Callable[..., Peer], used: str
) -> None:
    child = peer(
        HEAD
        + USED[used]
        + """
        signal.signal(signal.SIGUSR1, lambda *_: print("handled"))
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        print("ready")
        while True:
            signal.pause()
        """
    )
    assert child.line() == "ready"
    for _ in range(3):
        child.process.send_signal(signal.SIGUSR1)
        assert child.line() == "handled"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc tells what a thread has blocked")
def test_only_what_a_thread_does_to_itself_is_not_blocked(peer: Callable[..., Peer]) -> None:
    child = peer(
        HEAD
        + """
        from pathlib import Path
        def blocked():
            masks = {}
            for task in Path("/proc/self/task").iterdir():
                text = (task / "status").read_text()
                mask = int(text.partition("SigBlk:")[2].split()[0], 16)
                masks[int(task.name)] = {number for number in range(1, 65) if mask >> number - 1 & 1}
            return masks
        known = blocked()
        gns_py.sync.listen("127.0.0.1", 0).close()  # a thread that has begun: before, it has all blocked
        for task, mask in blocked().items():
            if task not in known:
                print(sorted(int(each) for each in signal.valid_signals() - mask))
        """
    )
    # SIGKILL and SIGSTOP cannot be blocked; the others belong to crashes, which faulthandler reports.
    free = {"SIGKILL", "SIGSTOP", "SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT", "SIGTRAP", "SIGSYS"}
    assert child.line() == str(sorted(int(getattr(signal, name)) for name in free))
