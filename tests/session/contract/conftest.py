"""Servers that are attacked."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from support.sessions import SessionApi, engine_of

from gns_py.session.sync import Session, SessionClosed, SessionConfig

from .raw_clients import (
    CONFIG,
    TIMEOUT,
    Attacked,
    AttackedMaker,
)


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
