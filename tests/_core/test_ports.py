"""Opening ports: a free one, one that is taken, and all addresses."""

from __future__ import annotations

import errno
import re
import socket
from collections.abc import Callable, Iterator

import pytest
from support.platforms import text_of_a_taken_port

from gns_py import Address, Config, ListenError, _native
from gns_py._core.mailbox import Mailbox
from gns_py._core.ports import host_to_listen, open_port

Open = Callable[[Address], Address]


@pytest.fixture
def open_at() -> Iterator[Open]:
    """Yield a function that opens a port; the ports are closed after the test."""
    mailbox = Mailbox()
    handles: list[int] = []

    def open_it(where: Address) -> Address:
        handle, address = open_port(mailbox, where, Config(), None)
        handles.append(handle)
        return address

    yield open_it
    for handle in handles:
        _native.listen_close(handle, 1000, b"", False)


def is_taken(address: Address) -> bool:
    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(address)
        except OSError:
            return True
    return False


def test_port_0_is_a_free_port(open_at: Open) -> None:
    found = [open_at(Address("127.0.0.1", 0)) for _ in range(3)]
    assert {each.host for each in found} == {"127.0.0.1"}
    assert 0 not in {each.port for each in found}
    assert len(set(found)) == 3
    assert all(is_taken(each) for each in found)


def test_a_port_that_was_asked_for(open_at: Open) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        wanted = Address(*probe.getsockname())
    assert open_at(wanted) == wanted
    assert is_taken(wanted)


def test_a_taken_port_gives_the_systems_reason(open_at: Open) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        taken = Address(*other.getsockname())
        text = re.escape(f"cannot listen on {taken}: {text_of_a_taken_port()}")
        with pytest.raises(ListenError, match=text) as refused:
            open_at(taken)
    assert refused.value.errno == errno.EADDRINUSE
    assert open_at(taken) == taken


def test_an_address_of_another_machine(open_at: Open) -> None:
    with pytest.raises(ListenError, match=r"cannot listen on 192\.0\.2\.1:0: ") as refused:
        open_at(Address("192.0.2.1", 0))
    assert refused.value.errno == errno.EADDRNOTAVAIL


def test_no_host_is_all_addresses(open_at: Open) -> None:
    assert host_to_listen("127.0.0.1") == "127.0.0.1"
    assert host_to_listen("game.example") == "game.example"
    everywhere = host_to_listen("")
    assert everywhere in ("::", "0.0.0.0")
    address = open_at(Address(everywhere, 0))
    with pytest.raises(ListenError) as refused:
        open_at(address)
    assert refused.value.errno == errno.EADDRINUSE
