"""Sessions over a network that is cut, and mended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from gns_py import Config
from gns_py.session import Phase
from gns_py.session.sync import Session, SessionConfig

from .deadline import PATIENCE, eventually
from .relay import Relay

# Connections that notice within half a second that they are cut.
QUICK = Config(timeout_connected=500, timeout_initial=2_000, send_rate_min=10_000_000, send_rate_max=10_000_000)
TIMEOUT = 10.0 * PATIENCE


class Network(NamedTuple):
    """Both ends of a session, and the network between them."""

    client: Session
    server: Session
    relay: Relay
    listener: Any


def quick(config: SessionConfig | None) -> SessionConfig:
    """Return settings with which an end notices within a second that the other one is silent."""
    return replace(config or SessionConfig(), ping_timeout=1.0, min_ping_timeout=0.1)


NetworkMaker = Callable[..., Network]


def cut(network: Network) -> None:
    """Cut the network, and wait until both ends have noticed."""
    network.relay.is_cut = True
    wait_dropped(network)


def mend(network: Network) -> None:
    network.relay.is_cut = False


def wait_dropped(network: Network) -> None:
    ends = network.client, network.server  # both at once: the client may just have got another connection
    eventually(lambda: all(end.phase is Phase.DROPPED for end in ends), TIMEOUT)
