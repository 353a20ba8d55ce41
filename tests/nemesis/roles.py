"""The settings of a process."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

from gns_py.session import AdmissionRules, SessionConfig
from gns_py.session._core.session import BaseSession
from gns_py.session.store import SessionStore, ValkeyStore

from .history import History
from .part import Part
from .plans import Plan
from .settings import CONFIG, SERVICE, session_config

KEYS = 2
"""The number of a client's workers whose sessions have a key."""


@dataclass(frozen=True)
class Settings:
    """A process."""

    role: str
    api: str
    """sync, asyncio or uvloop."""
    name: str
    """Which process it is, and which incarnation: "1-0"."""
    history: str
    lasts: float
    """Seconds that the longest sessions last."""
    is_tight: bool
    host: str = ""
    port: int = 0
    namespace: str = ""
    """The file of the network namespace in which it runs."""
    servers: tuple[tuple[str, int], ...] = ()
    workers: int = 0
    is_durable: bool = False
    store: tuple[tuple[str, int], ...] = ()
    """The address of the server's store; of its Sentinels if there are several."""
    replicas: int = 0

    @property
    def session_config(self) -> SessionConfig:
        return session_config(is_tight=self.is_tight, is_durable=self.is_durable)

    def where(self, session: str) -> tuple[Any, ...]:
        """Return the first arguments of connect(): one server's address, or, for a durable session, a list of all.

        Sessions with the same key go to the same server, if they are not durable.
        """
        key = session if self.is_durable else key_of(session.encode()) or session
        first = zlib.crc32(key.encode()) % len(self.servers)
        return ([*self.servers[first:], *self.servers[:first]],) if self.is_durable else self.servers[first]

    def plan_of(self, session: BaseSession[Any, Any]) -> Plan:
        """Return the plan of a session, at the server."""
        return Plan.of(session.peer_data.decode(), self.lasts)

    def part_of(self, session: BaseSession[Any, Any], history: History) -> Part:
        """Return the server's part in a session; of a durable one, that of all servers that have it."""
        return Part(history, self.plan_of(session), "server", 0 if self.is_durable else None)

    def serve_options(self, history: History) -> dict[str, Any]:
        """Return what serve() takes in addition to handler and address."""
        options = {
            "on_request": lambda request: request.accept(key=key_of(request.data)),
            "rules": AdmissionRules(max_pending_per_address=None),
            "config": CONFIG,
            "limits": None,
            "session_config": self.session_config,
            "on_dropped": lambda session, why: self.part_of(session, history).on_dropped(session, why),
            "on_resumed": lambda session, replayed: self.part_of(session, history).on_resumed(session, replayed),
        }
        return options | {"store": self._make_store(), "durable": True} if self.is_durable else options

    def _make_store(self) -> SessionStore:
        """Return the server's store."""
        if len(self.store) > 1:
            return ValkeyStore.sentinel(self.store, SERVICE, replicas=self.replicas)
        ((host, port),) = self.store
        return ValkeyStore(f"valkey://{host}:{port}", replicas=self.replicas)

    def connect_options(self, session: str, part: Part) -> dict[str, Any]:
        """Return what connect() takes in addition to the address."""
        return {
            "data": session.encode(),
            "config": CONFIG,
            "session_config": self.session_config,
            "on_dropped": part.on_dropped,
            "on_resumed": part.on_resumed,
        }


def key_of(session: bytes) -> str | None:
    """Return the session's key, the same for all incarnations of a client, or None if its sessions have no key."""
    process, worker, _ = session.decode().split(".")
    return f"{process.partition('-')[0]}.{worker}" if worker.isdecimal() and int(worker) < KEYS else None
