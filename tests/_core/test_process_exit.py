"""Functions that run when a process ends: a program's own, and a child's of multiprocessing."""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Callable

import pytest
from support import Peer

PROGRAM = """
    import multiprocessing, sys, threading
    from gns_py._core.process_exit import at_process_exit

    def bye():
        print("bye", flush=True)

    def register():
        at_process_exit(bye)
        at_process_exit(bye)

    def work(about_to_end):
        register()
        threading.Thread(target=wait_and_print, args=(about_to_end,)).start()

    def wait_and_print(about_to_end):
        about_to_end.wait(30.0)
        print("thread", flush=True)

    if __name__ == "__main__":
        if len(sys.argv) == 1:
            register()
        else:
            context = multiprocessing.get_context(sys.argv[1])
            about_to_end = context.Event()
            child = context.Process(target=work, args=(about_to_end,))
            child.start()
            about_to_end.set()
            child.join()
        print("end", flush=True)
"""


def lines_of(peer: Peer) -> list[str]:
    """Return all lines that a program prints until it ends without an error."""
    lines = []
    with contextlib.suppress(AssertionError):  # the program has ended
        while True:
            lines.append(peer.line(30.0))
    assert peer.wait() == 0
    return lines


def test_a_function_runs_once_at_the_end(peer: Callable[..., Peer]) -> None:
    assert lines_of(peer(PROGRAM)) == ["end", "bye"]


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_in_a_child_it_runs_after_the_threads(peer: Callable[..., Peer], method: str) -> None:
    first, *rest, last = lines_of(peer(PROGRAM, method))
    assert (first, set(rest), last) == ("thread", {"bye"}, "end")
