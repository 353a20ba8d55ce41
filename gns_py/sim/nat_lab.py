"""A laboratory: two hosts behind routers with NATs of chosen kinds, and an internet with a STUN and TURN server.

::

    host A -- router A (203.0.113.11) --+
                                        +-- the internet: 203.0.113.1 and .2 coturn, 203.0.113.3 a stranger
    host B -- router B (203.0.113.12) --+

Each is a network namespace of this machine, and the NATs are the kernel's own. It needs Linux, ``ip``, ``nft``,
``turnserver`` (coturn), and root or user namespaces: see why_not(). The internet has addresses of documentation
(RFC 5737), which GNS takes for public ones.
"""

from __future__ import annotations

import base64
import enum
import hmac
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, NamedTuple

from . import namespaces

SERVER = "203.0.113.1"
SECOND_SERVER = "203.0.113.2"
"""The same server's second address, to find out what kind of NAT one is behind."""
STRANGER = "203.0.113.3"
STUN_PORT = 3478
_GATEWAYS = {"a": "203.0.113.11", "b": "203.0.113.12"}
_PRIVATE = {"a": "10.1.0", "b": "10.2.0"}
_PUBLIC = {"a": "198.51.100", "b": "192.0.2"}
# Seconds for coturn to open its ports, and between two looks.
_START, _LOOK = 10.0, 0.02


class Nat(enum.Enum):
    """How a router treats UDP."""

    NONE = "none"
    """Nothing: the host has a public address."""
    FULL = "full"
    """One port outside for all destinations, and anyone may send to it (full cone)."""
    PORT = "port"
    """One port outside for all destinations; only those may send to it that the host has sent to (port-restricted)."""
    SYMMETRIC = "symmetric"
    """Another port outside for each destination."""
    NO_UDP = "no-udp"
    """UDP does not pass."""


_MASQUERADE = """table ip nat {{
  chain outwards {{ type nat hook postrouting priority 100
    oifname "wan" masquerade {how}
  }}
  {more}
}}
"""
_INWARDS = """chain inwards {{ type nat hook prerouting priority -100
    iifname "wan" meta l4proto udp dnat to {host}
  }}"""
# The second chain: otherwise a packet that arrives before the host has sent is one for the router itself, and takes the
# port.
_ONLY_ANSWERS = """table ip strangers {
  chain through { type filter hook forward priority 0
    iifname "wan" ct state new drop
  }
  chain own { type filter hook input priority 0
    iifname "wan" meta l4proto udp drop
  }
}
"""
_NO_UDP = """table ip no_udp {
  chain through { type filter hook forward priority 0
    meta l4proto udp drop
  }
}
"""


def _rules(nat: Nat, host: str) -> str:
    if nat is Nat.FULL:
        return _MASQUERADE.format(how="", more=_INWARDS.format(host=host))
    if nat is Nat.PORT:
        return _MASQUERADE.format(how="", more="") + _ONLY_ANSWERS
    if nat is Nat.SYMMETRIC:
        return _MASQUERADE.format(how="fully-random", more="") + _ONLY_ANSWERS
    if nat is Nat.NO_UDP:
        return _MASQUERADE.format(how="", more="") + _NO_UDP
    return ""


class Coturn(NamedTuple):
    """Options of coturn. Lifetimes in seconds; None is coturn's default."""

    allocation_lifetime: int | None = None
    """The longest that the answer to the first request of an allocation names."""
    permission_lifetime: int | None = None
    nonce_lifetime: int | None = None
    """After that, a request is refused as stale."""
    secret: str | None = None
    """For credentials that end (`use-auth-secret`). Without: user "user", password "password"."""
    denied: str | None = None
    """An address that it relays nothing to."""

    def credentials(self, seconds: int) -> tuple[str, str]:
        """Return a user and a password that end after that many seconds.

        Raises:
            ValueError: There is no secret.
        """
        if self.secret is None:
            raise ValueError("there is no secret to make credentials with")
        user = f"{int(time.time()) + seconds}:player"
        digest = hmac.digest(self.secret.encode(), user.encode(), "sha1")
        return user, base64.b64encode(digest).decode()

    def options(self) -> list[str]:
        """Return the options of the program."""
        values = {
            "max-allocate-lifetime": self.allocation_lifetime,
            "permission-lifetime": self.permission_lifetime,
            "stale-nonce": self.nonce_lifetime,
            "static-auth-secret": self.secret,
            "denied-peer-ip": self.denied,
        }
        who = ["--use-auth-secret"] if self.secret else ["--lt-cred-mech", "--user=user:password"]
        return who + [f"--{name}={value}" for name, value in values.items() if value is not None]


class NatLab:
    """The network, in which the hosts have no addresses until put_behind() gives them some.

    A context manager: at the end of the block all its programs are killed, and nothing is left of it. Nor is after a
    SIGKILL of this process. For one thread; the programs are also killed when the thread ends that started them.

    Raises:
        subprocess.CalledProcessError: The system does not allow it. See why_not().
    """

    def __init__(self) -> None:
        self._realm = namespaces.Realm()
        self._folder = tempfile.TemporaryDirectory(prefix="nat_lab")
        self._programs: list[subprocess.Popen[str]] = []
        self._logs: list[IO[str]] = []
        self._server: subprocess.Popen[str] | None = None
        self.hosts: dict[str, str] = {}
        """The hosts' own addresses, by the names "a" and "b", once they are behind something."""
        self._nats: dict[str, Nat] = {}
        try:
            self._build()
        except BaseException:
            self.close()
            raise

    def _build(self) -> None:
        add, run = self._realm.add, self._realm.run
        for place in ("a", "b", "router-a", "router-b", "internet"):
            add(place)
        run("internet", "ip", "link", "add", "bridge", "type", "bridge")
        run("internet", "ip", "link", "set", "bridge", "up")
        for address in (SERVER, SECOND_SERVER, STRANGER):
            run("internet", "ip", "addr", "add", f"{address}/24", "dev", "bridge")
        for host, gateway in _GATEWAYS.items():
            router = f"router-{host}"
            run(host, "ip", "link", "add", "net", "type", "veth", "peer", "name", "lan", "netns", router)
            run(router, "ip", "link", "add", "wan", "type", "veth", "peer", "name", router, "netns", "internet")
            run("internet", "ip", "link", "set", router, "master", "bridge", "up")
            run(router, "ip", "addr", "add", f"{gateway}/24", "dev", "wan")
            run(router, "ip", "link", "set", "lan", "up")
            run(router, "ip", "link", "set", "wan", "up")
            run(router, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
            run(host, "ip", "link", "set", "net", "up")

    def put_behind(self, nat_a: Nat, nat_b: Nat) -> None:
        """Give the hosts their addresses, and the routers their NATs. Once for each network."""
        for host, nat in (("a", nat_a), ("b", nat_b)):
            router = f"router-{host}"
            subnet = (_PUBLIC if nat is Nat.NONE else _PRIVATE)[host]
            self._nats[host] = nat
            self.run(router, "ip", "addr", "add", f"{subnet}.1/24", "dev", "lan")
            self._put(host, f"{subnet}.2")
            if nat is Nat.NONE:
                for place in ("internet", "router-b" if host == "a" else "router-a"):
                    self.run(place, "ip", "route", "add", f"{subnet}.0/24", "via", _GATEWAYS[host])

    def move(self, host: str) -> None:
        """Give a host another address, as a phone gets in another network."""
        subnet, number = self.hosts[host].rsplit(".", 1)
        self.run(host, "ip", "addr", "del", f"{self.hosts[host]}/24", "dev", "net")
        self._put(host, f"{subnet}.{int(number) + 1}")

    def _put(self, host: str, address: str) -> None:
        self.hosts[host] = address
        self.run(host, "ip", "addr", "add", f"{address}/24", "dev", "net")
        gateway = address.rsplit(".", 1)[0] + ".1"
        self.run(host, "ip", "route", "replace", "default", "via", gateway)
        rules = Path(self._folder.name, f"router-{host}")
        rules.write_text("flush ruleset\n" + _rules(self._nats[host], address), encoding="utf-8")
        self.run(f"router-{host}", "nft", "-f", str(rules))

    def run(self, place: str, *command: str) -> str:
        """Run a command in a place and return its output.

        Args:
            place: ``a``, ``b``, ``router-a``, ``router-b`` or ``internet``.
            command: The program and its arguments.

        Raises:
            subprocess.CalledProcessError: It failed.
            subprocess.TimeoutExpired: It has not ended within 20 s.
        """
        return self._realm.run(place, *command)

    def start(
        self, place: str, *command: str, errors: IO[str] | int | None = None, pass_fds: Sequence[int] = ()
    ) -> subprocess.Popen[str]:
        """Start a program in a place.

        Args:
            place: See run().
            command: The program and its arguments.
            errors: Its standard error; None is that of this process. Its input and output are pipes.
            pass_fds: Descriptors that it gets in addition, with the same numbers.
        """
        program = subprocess.Popen(
            self._realm.command(place, *command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            bufsize=1,
            start_new_session=True,
            pass_fds=pass_fds,
            env=namespaces.environment(),
        )
        self._programs.append(program)
        return program

    def start_server(self, coturn: Coturn | None = None) -> None:
        """Start coturn at SERVER, or start it again with other options and without its allocations.

        Raises:
            OSError: It has not opened its ports. The text is what it has printed.
        """
        self.stop_server()
        log = self.log("coturn")
        files = Path(self._folder.name)
        addresses = [f"--listening-ip={address}" for address in (SERVER, SECOND_SERVER)]
        addresses += [f"--listening-port={STUN_PORT}", f"--relay-ip={SERVER}"]
        program = ["turnserver", "-n", "--log-file=stdout", "--verbose", *addresses, "--realm=lab", "--no-cli"]
        transports = ["--no-tls", "--no-dtls", "--no-tcp", "--min-port=50000", "--max-port=50100"]
        state = [f"--userdb={files / 'users'}", f"--pidfile={files / 'pid'}"]
        self._server = subprocess.Popen(
            self._realm.command("internet", *program, *transports, *state, *(coturn or Coturn()).options()),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env=namespaces.environment(),
        )
        self._programs.append(self._server)
        deadline = time.monotonic() + _START
        while not self._is_listening():
            if self._server.poll() is not None or time.monotonic() > deadline:
                raise OSError(f"coturn does not listen: {self.logged('coturn')}")
            time.sleep(_LOOK)

    def _is_listening(self) -> bool:
        sockets = self.run("internet", "ss", "-lun")
        return all(f"{address}:{STUN_PORT}" in sockets for address in (SERVER, SECOND_SERVER))

    def stop_server(self) -> None:
        """Kill coturn, if it runs."""
        if self._server is not None:
            self._server.kill()
            self._server.wait()
            self._server = None

    def log(self, name: str) -> IO[str]:
        """Return a new file for what a program prints; logged() reads it."""
        file = Path(self._folder.name, f"{name}.{len(self._logs)}.log")
        self._logs.append(file.open("w", encoding="utf-8"))
        return self._logs[-1]

    def logged(self, name: str) -> str:
        """Return what is in all files of that name."""
        files = sorted(Path(self._folder.name).glob(f"{name}.*.log"))
        return "".join(file.read_text(encoding="utf-8", errors="replace") for file in files)

    def close(self) -> None:
        """Kill all programs, and end the network."""
        for program in self._programs:
            program.kill()
            program.wait()
            for stream in (program.stdin, program.stdout):
                if stream is not None:
                    stream.close()
        for file in self._logs:
            file.close()
        self._realm.close()
        self._folder.cleanup()

    def __enter__(self) -> NatLab:
        """Return the laboratory itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def why_not() -> str | None:
    """Return why there can be no NatLab here, or None. It tries everything that a laboratory needs, in 0.2 s."""
    if tool := namespaces.missing("nft", "ss", "turnserver"):
        return f"the NAT laboratory needs {tool}"
    return namespaces.why_not(
        ("ip", "link", "add", "bridge", "type", "bridge"),
        ("ip", "link", "add", "one", "type", "veth", "peer", "name", "other"),
        ("sysctl", "-q", "-w", "net.ipv4.ip_forward=1"),
        ("nft", _rules(Nat.SYMMETRIC, "")),
    )
