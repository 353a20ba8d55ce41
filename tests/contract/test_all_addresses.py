"""A server that listens on all addresses of a machine can be connected to by the address it listens on."""

from __future__ import annotations

import pytest
from support import Api, echo

from gns_py import Config

ANYWHERE = ["0.0.0.0", "::", "", "0:0::0", "::ffff:0.0.0.0"]


@pytest.mark.parametrize("host", ANYWHERE)
def test_connecting_to_where_a_server_listens(api: Api, host: str) -> None:
    with api.serve(echo, host, 0) as server, api.connect(*server.address, timeout=5.0) as client:
        client.send(b"x")
        assert client.recv(timeout=5.0) == b"x"
        assert client.remote_address is not None
        assert client.remote_address.ip.is_loopback


@pytest.mark.parametrize(
    ("host", "listening"), [*((host, "127.0.0.1") for host in ANYWHERE), ("::", "::1"), ("", "::1"), ("0:0::0", "::1")]
)
def test_all_addresses_are_loopback_to_a_client(api: Api, host: str, listening: str) -> None:
    """``::`` and the empty string stand for both families."""
    with api.serve(echo, listening, 0) as server, api.connect(host, server.address.port, timeout=5.0) as client:
        assert client.remote_address == server.address


@pytest.mark.parametrize("host", ["0.0.0.0", "::", ""])
def test_without_waiting(api: Api, host: str) -> None:
    options = Config(timeout_initial=5000)
    with (
        api.listen(host, 0) as listener,
        api.connect(host, listener.address.port, config=options, wait=False) as client,
        listener.accept(timeout=5.0) as accepted,
    ):
        accepted.send(b"x")
        assert client.recv(timeout=5.0) == b"x"
