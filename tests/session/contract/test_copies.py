"""Sessions, and the objects that make them, exist once."""

from __future__ import annotations

import copy
import gc
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from support.blocking import inner
from support.sessions import SessionApi

from gns_py.session.sync import Session, SessionRequest


@pytest.mark.parametrize("make", [copy.copy, copy.deepcopy, pickle.dumps], ids=["copy", "deepcopy", "pickle"])
def test_sessions_their_sockets_servers_and_requests_are_not_copied(
    sessions: SessionApi, make: Callable[[Any], object]
) -> None:
    asked: list[Any] = []

    def echo(session: Session) -> None:
        for data in session:
            session.send(data)

    def decide(request: SessionRequest[Session]) -> None:
        asked.append(request)
        request.accept()

    with (
        sessions.serve(echo, "127.0.0.1", 0, on_request=decide) as server,
        sessions.listen("127.0.0.1", 0) as listener,
        sessions.connect(*server.address) as client,
    ):
        for thing in (client, server, listener, asked[0], client.connection):
            with pytest.raises(TypeError, match="cannot be copied or pickled"):
                make(inner(thing))
        gc.collect()
        client.send(b"still there")
        assert client.recv(timeout=5.0) == b"still there"
