"""Sessions whose network is cut."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from support.outages import QUICK, TIMEOUT, Network, NetworkMaker, quick
from support.relay import Relay
from support.sessions import SessionApi

from gns_py.session.sync import SessionConfig


@pytest.fixture
def make_network(sessions: SessionApi) -> Iterator[NetworkMaker]:
    """Yield a function (settings of both ends, server=..., callbacks=...) that makes a session through a relay."""
    with ExitStack() as stack, ThreadPoolExecutor(1) as pool:

        def make(
            session_config: SessionConfig | None = None,
            *,
            server: SessionConfig | None = None,
            callbacks: dict[str, Any] | None = None,
            **listening: Any,
        ) -> Network:
            session_config = quick(session_config)
            server = session_config if server is None else quick(server)
            listener = stack.enter_context(
                sessions.listen("127.0.0.1", 0, config=QUICK, session_config=server, **listening)
            )
            relay = stack.enter_context(Relay(listener.address))
            accepting = pool.submit(listener.accept, timeout=TIMEOUT)
            client = sessions.connect(
                "127.0.0.1", relay.port, config=QUICK, session_config=session_config, **(callbacks or {})
            )
            network = Network(client, accepting.result(), relay, listener)
            for end in (network.client, network.server):
                stack.callback(end.abort)
            return network

        yield make
