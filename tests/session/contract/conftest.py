"""Sessions whose network is cut, and servers that are attacked."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support.certified import Other
from support.outages import QUICK, TIMEOUT, Network, NetworkMaker, quick
from support.relay import Relay
from support.sessions import SessionApi, engine_of

from gns_py.session.sync import Session, SessionClosed, SessionConfig

from .raw_clients import CONFIG, Attacked, AttackedMaker


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Other]:
    """Yield another process, for certificates of its own."""
    with Other(tmp_path) as other:
        yield other


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


@pytest.fixture
def make_attacked(sessions: SessionApi) -> Iterator[AttackedMaker]:
    with ExitStack() as stack:

        def make(session_config: SessionConfig = CONFIG, **serving: Any) -> Attacked:
            attacked = Attacked(ExitStack())

            def handler(session: Session) -> None:
                if session.peer_data == b"evil":
                    attacked.served[engine_of(session).session_id] = session
                with contextlib.suppress(SessionClosed):
                    attacked.may_read.wait(TIMEOUT)
                    for data in session:
                        session.send(data)
                    session.close(data=b"echo")
                if session.peer_data == b"evil":
                    attacked.ends.append(session.wait_closed().reason)

            attacked.may_read.set()
            attacked.server = stack.enter_context(
                sessions.serve(handler, "127.0.0.1", 0, session_config=session_config, **serving)
            )
            attacked.good = stack.enter_context(sessions.connect(*attacked.server.address, data=b"good"))
            stack.enter_context(attacked.opened)
            return attacked

        yield make


@pytest.fixture
def attacked(make_attacked: AttackedMaker) -> Attacked:
    return make_attacked()
