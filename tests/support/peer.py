"""A Python program in a process of its own: a peer that can be stopped, killed, interrupted."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from types import TracebackType

_DONE = None
# A killed program loses its coverage; SIGTERM saves it.
_IS_MEASURED = "COVERAGE_PROCESS_CONFIG" in os.environ
# On Windows, Ctrl-C is for all programs of a console. There, a thread of the program raises the signal itself for each
# byte it receives, as the thread does that Windows starts for Ctrl-C. With a guard: spawned processes import it again.
_INTERRUPTIBLE = """
    if __name__ == "__main__":
        import signal, socket, threading

        def raise_signals():
            with socket.create_connection(("127.0.0.1", {port})) as told:
                while told.recv(1):
                    signal.raise_signal(signal.SIGINT)

        threading.Thread(target=raise_signals, daemon=True).start()
"""


class Peer:
    """A program of Python source that is talked to in lines. It is killed, if it still runs, at the end of the block.

    source: text, or the file of a program, which is not to be interrupted. directory: for the files that it needs.
    """

    def __init__(self, source: str | Path, directory: Path, *arguments: object) -> None:
        script = directory / f"peer_{len(list(directory.iterdir()))}.py"
        self._errors = script.with_suffix(".stderr")
        self._interrupts: socket.socket | None = None
        self._interrupter: socket.socket | None = None
        if isinstance(source, Path):
            script = source
        else:
            # A file, not -c: so the current folder, which may hold gns_py's sources, is not on its path.
            text = textwrap.dedent(source)
            if sys.platform == "win32":
                self._interrupts = socket.create_server(("127.0.0.1", 0))
                port = self._interrupts.getsockname()[1]
                text = textwrap.dedent(_INTERRUPTIBLE).format(port=port) + text
            script.write_text(text, encoding="utf-8")
        with self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-u", str(script), *map(str, arguments)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def line(self, timeout: float = 10.0) -> str:
        """Return the next line that it prints."""
        try:
            line = self._lines.get(timeout=timeout)
        except queue.Empty:
            raise AssertionError(f"the peer printed nothing for {timeout} s{self._stderr()}") from None
        if line is _DONE:
            raise AssertionError(f"the peer ended with {self.process.wait()}{self._stderr()}")
        return line

    def say(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def interrupt(self) -> None:
        """Send Ctrl-C."""
        if self._interrupts is None:
            self.process.send_signal(signal.SIGINT)
            return
        if self._interrupter is None:
            self._interrupter = self._interrupts.accept()[0]
        self._interrupter.send(b"!")

    def kill(self) -> None:
        """Kill it without a goodbye."""
        self.process.kill()
        self.process.wait()

    def wait(self, timeout: float = 10.0) -> int:
        """Return its exit code once it has ended by itself."""
        return self.process.wait(timeout)

    @property
    def stderr(self) -> str:
        """Return what it has written to standard error."""
        return self._errors.read_text(errors="replace")

    def __enter__(self) -> Peer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if _IS_MEASURED and self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):  # it may be stopped
                self.process.wait(2.0)
        self.kill()
        self._reader.join()
        for each in (self._interrupter, self._interrupts):
            if each is not None:
                each.close()
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(_DONE)

    def _stderr(self) -> str:
        return f"; its stderr:\n{self.stderr}" if self.stderr else ""
