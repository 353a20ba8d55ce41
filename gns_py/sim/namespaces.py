"""Commands that make and use network namespaces, and a private place for namespaces that ends with this process."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from types import TracebackType


def environment() -> dict[str, str]:
    """Return this process's environment, in which the system's tools are found also without root."""
    return {**os.environ, "PATH": os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"}


def run(*command: str, timeout: float = 20.0) -> str:
    """Run a command and return its output."""
    # In a session of its own: a Ctrl-C at the terminal must not end it halfway.
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, start_new_session=True, timeout=timeout, env=environment()
    )
    return done.stdout


def missing(*tools: str) -> str | None:
    """Return the first of these programs that is not installed, or None."""
    path = environment()["PATH"]
    return next((tool for tool in tools if shutil.which(tool, path=path) is None), None)


def why_not(*commands: Sequence[str]) -> str | None:
    """Return why there can be no `Realm` here, or why these commands fail in a namespace of it, or None."""
    if not sys.platform.startswith("linux"):
        return "network namespaces need Linux"
    if tool := missing("ip", "unshare", "nsenter", "setpriv"):
        return f"network namespaces need {tool}"
    try:
        with Realm() as realm:
            realm.add("trial")
            for command in commands:
                realm.run("trial", *command)
    except subprocess.CalledProcessError as error:
        return f"no network namespaces: {error.stderr.strip()}"
    return None


class Realm:
    """Network namespaces with names of their own, for root and, where the system allows user namespaces, for anyone.

    They belong to a process that ends when its standard input does, so none is left however this process ends.
    """

    def __init__(self) -> None:
        is_root = os.geteuid() == 0
        unshare = ["unshare", "--net", "--mount", *([] if is_root else ["--user", "--map-root-user"])]
        # The names are files in a folder that only these processes see.
        script = "mount -t tmpfs none /run && mkdir /run/netns && echo ready && exec cat"
        self._holder = subprocess.Popen(
            [*unshare, "sh", "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env=environment(),
        )
        assert self._holder.stdout is not None
        assert self._holder.stderr is not None
        if self._holder.stdout.readline() != "ready\n":
            problem = self._holder.stderr.read()
            self.close()
            raise subprocess.CalledProcessError(1, unshare, stderr=problem)
        users = [] if is_root else ["--user", "--preserve-credentials"]
        self._enter = ["nsenter", "--target", str(self._holder.pid), "--net", "--mount", *users]

    def add(self, name: str) -> None:
        """Make a namespace, with its loopback interface up."""
        run(*self._enter, "ip", "netns", "add", name)
        self.run(name, "ip", "link", "set", "lo", "up")

    def command(self, name: str, *command: str) -> list[str]:
        """Return the command that runs a program in a namespace. The program is killed when this thread ends."""
        return [*self._enter, "ip", "netns", "exec", name, "setpriv", "--pdeathsig", "KILL", *command]

    def run(self, name: str, *command: str) -> str:
        """Run a command in a namespace and return its output."""
        return run(*self._enter, "ip", "netns", "exec", name, *command)

    def close(self) -> None:
        """End all namespaces that no program runs in."""
        if self._holder.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._holder.stdin.close()
        self._holder.wait(10.0)
        for stream in (self._holder.stdout, self._holder.stderr):
            if stream is not None:
                stream.close()

    def __enter__(self) -> Realm:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
