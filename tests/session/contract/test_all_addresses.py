"""Sessions with a server that listens at all addresses of a machine."""

from __future__ import annotations

import pytest
from support.sessions import SessionApi


@pytest.mark.parametrize("host", ["0.0.0.0", "::", ""])
def test_connecting_to_where_a_server_listens(sessions: SessionApi, host: str) -> None:
    with (
        sessions.serve(lambda session: session.send(b"x"), host, 0) as server,
        sessions.connect(*server.address, timeout=5.0) as client,
    ):
        assert client.recv(timeout=5.0) == b"x"
