"""Where processes run: each in a network namespace of its own, behind a router that can cut it off; or at home."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gns_py.sim.namespaces import missing, run

_NAMES = "gnsn{pid}-"
_FOLDER = Path("/var/run/netns")


def why_not() -> str | None:
    """Return why there can be no namespaces here, or None."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "network namespaces need root"
    if tool := missing("ip", "iptables"):
        return f"network namespaces need {tool}"
    name = _NAMES.format(pid=os.getpid()) + "try"
    try:
        run("ip", "netns", "add", name)
        try:
            run("ip", "netns", "exec", name, "iptables", "-A", "FORWARD", "-s", "10.0.0.1", "-j", "DROP")
        finally:
            run("ip", "netns", "del", name)
    except subprocess.CalledProcessError as error:
        return f"no network namespaces: {error.stderr.strip()}"
    return None


class Home:
    """This machine's loopback interface: nothing can be cut."""

    def host(self, place: int) -> str:  # noqa: ARG002
        return "127.0.0.1"

    def file(self, place: int) -> str:  # noqa: ARG002
        """Return the file of the place's namespace."""
        return ""


class Namespaces(Home):
    """A network with a place for each process: 10.77.PLACE.0/24, with the router at .1."""

    def __init__(self, count: int) -> None:
        self._prefix = _NAMES.format(pid=os.getpid())
        self._router = f"{self._prefix}router"
        self._hosts = [2] * count
        self._names = [f"{self._prefix}{place}" for place in range(count)]
        run("ip", "netns", "add", self._router)
        self._in(self._router, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
        for place, name in enumerate(self._names):
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "add", "net", "type", "veth", "peer", f"p{place}", "netns", self._router)
            run("ip", "-n", name, "addr", "add", f"{self.host(place)}/24", "dev", "net")
            run("ip", "-n", self._router, "addr", "add", f"10.77.{place}.1/24", "dev", f"p{place}")
            run("ip", "-n", self._router, "link", "set", f"p{place}", "up")
            for device in ("lo", "net"):
                run("ip", "-n", name, "link", "set", device, "up")
            self._route(place)

    def host(self, place: int) -> str:
        """Return the place's present address."""
        return f"10.77.{place}.{self._hosts[place]}"

    def file(self, place: int) -> str:
        return str(_FOLDER / self._names[place])

    def move(self, place: int) -> None:
        """Give the place another address, as a phone gets in another network."""
        before = self.host(place)
        self._hosts[place] = 2 + (self._hosts[place] - 1) % 250
        name = self._names[place]
        run("ip", "-n", name, "addr", "del", f"{before}/24", "dev", "net")
        run("ip", "-n", name, "addr", "add", f"{self.host(place)}/24", "dev", "net")
        self._route(place)

    def cut(self, source: int, target: int) -> None:
        """Let nothing more through from one place to the other."""
        self._filter("-I", source, target)

    def mend(self, source: int, target: int) -> None:
        """Undo one cut()."""
        self._filter("-D", source, target)

    def _filter(self, what: str, source: int, target: int) -> None:
        ends = ["-s", f"10.77.{source}.0/24", "-d", f"10.77.{target}.0/24"]
        self._in(self._router, "iptables", "-w", what, "FORWARD", *ends, "-j", "DROP")

    def _route(self, place: int) -> None:
        run("ip", "-n", self._names[place], "route", "replace", "default", "via", f"10.77.{place}.1")

    def _in(self, name: str, *command: str) -> None:
        run("ip", "netns", "exec", name, *command)


@contextmanager
def namespaces(count: int) -> Iterator[Namespaces]:
    """Make a network. At the end, or if it cannot be made, none of it is left; nor of those whose programs are gone."""
    try:
        yield Namespaces(count)
    finally:
        sweep(os.getpid())


def sweep(also: int | None = None) -> None:
    """Delete the namespaces of programs that no longer run, and those of the program with that number."""
    pattern = re.compile(_NAMES.format(pid=r"(\d+)"))
    for path in _FOLDER.glob(_NAMES.format(pid="*") + "*") if _FOLDER.exists() else ():
        found = pattern.match(path.name)
        if found and (int(found[1]) == also or not Path(f"/proc/{found[1]}").exists()):
            with contextlib.suppress(subprocess.CalledProcessError):
                run("ip", "netns", "del", path.name)
