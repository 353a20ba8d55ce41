"""The settings of a process."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

from gns_py.session import SessionConfig

from .part import Part
from .settings import CONFIG, session_config

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

    @property
    def session_config(self) -> SessionConfig:
        return session_config(is_tight=self.is_tight)

    def server_of(self, session: str) -> tuple[str, int]:
        """Return the address of the session's server; those with the same key have the same one."""
        key = key_of(session.encode()) or session
        host, port = self.servers[zlib.crc32(key.encode()) % len(self.servers)]
        return host, port

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
