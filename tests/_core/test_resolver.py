"""resolve(): hosts to addresses, with the system's resolver."""

from __future__ import annotations

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gns_py._core.resolver import resolve
from gns_py.address import Address

PORTS = st.integers(0, 65535)
IPS = st.ip_addresses()


@given(ip=IPS, port=PORTS)
def test_numeric_hosts_need_no_resolver(ip: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int) -> None:
    assert resolve(str(ip), port) == [Address(str(ip), port)]


def test_localhost_is_found_ipv4_first() -> None:
    found = resolve("localhost", 27015)
    assert found
    assert all(address.ip.is_loopback and address.port == 27015 for address in found)
    assert [address.ip.version for address in found] == sorted(address.ip.version for address in found)
    assert len(set(found)) == len(found)


def test_an_unknown_name_is_an_os_error_that_names_it() -> None:
    with pytest.raises(socket.gaierror, match=r"cannot resolve 'no-such-host\.invalid': ") as caught:
        resolve("no-such-host.invalid", 1)
    assert isinstance(caught.value, OSError)
    assert caught.value.errno in (socket.EAI_NONAME, socket.EAI_AGAIN, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))


@pytest.mark.parametrize("name", ["a" * 64, "a..b", "\udc80"])
def test_names_that_no_resolver_takes(name: str) -> None:
    with pytest.raises(socket.gaierror, match="cannot resolve "):
        resolve(name, 1)


@pytest.mark.parametrize("host", ["1.2.3", "1.2.3.4.5", "256.1.1.1", "127.1", "1", ":::", "fe80::1%lo"])
def test_a_misspelled_address_is_not_taken_for_a_name(host: str) -> None:
    with pytest.raises(ValueError, match=r"is not a numeric IPv4 or IPv6 address|has a scope"):
        resolve(host, 1)


def test_no_host_is_all_addresses_of_this_machine() -> None:
    assert resolve("", 1) == [("0.0.0.0", 1), ("::", 1)]


def test_hosts_that_cannot_be_asked_for() -> None:
    with pytest.raises(ValueError, match=r"host 'a\\x00b' has a NUL byte"):
        resolve("a\0b", 1)
    with pytest.raises(TypeError, match="host must be a str, not NoneType"):
        resolve(None, 1)  # type: ignore[arg-type]


def test_answers_are_sorted_and_doubles_and_scopes_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the resolver, because no real one answers like this everywhere."""
    answers = [
        (socket.AF_INET6, ("2001:db8::2", 9, 0, 0)),
        (socket.AF_INET6, ("fe80::1%eth0", 9, 0, 2)),
        (socket.AF_INET, ("192.0.2.2", 9)),
        (socket.AF_INET6, ("2001:db8::1", 9, 0, 0)),
        (socket.AF_INET, ("192.0.2.1", 9)),
        (socket.AF_INET6, ("::ffff:192.0.2.1", 9, 0, 0)),
    ]
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda *_, **__: [(family, socket.SOCK_DGRAM, 17, "", where) for family, where in answers],
    )
    assert [str(address) for address in resolve("host.example", 9)] == [
        "192.0.2.2:9",
        "192.0.2.1:9",
        "[2001:db8::2]:9",
        "[2001:db8::1]:9",
    ]
    del answers[2:], answers[0]
    with pytest.raises(socket.gaierror, match=r"cannot resolve 'host\.example': it has no usable IPv4 or IPv6 address"):
        resolve("host.example", 9)


@pytest.mark.parametrize("host", ["1.2.3.4", "localhost", ""])
@pytest.mark.parametrize("port", [-1, 65536, 2**40])
def test_ports_out_of_range(host: str, port: int) -> None:
    with pytest.raises(ValueError, match=f"port {port} is out of range: 0 to 65535"):
        resolve(host, port)


@pytest.mark.parametrize("port", [True, "80", 80.0, None])
def test_ports_that_are_no_int(port: object) -> None:
    with pytest.raises(TypeError, match=f"port must be an int, not {type(port).__name__}"):
        resolve("1.2.3.4", port)  # type: ignore[arg-type]
