"""Address: one spelling per address, and errors."""

from __future__ import annotations

import copy
import ipaddress
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gns_py.address import Address

PORTS = st.integers(0, 65535)
IPS = st.ip_addresses()


def canonical(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    return str(getattr(ip, "ipv4_mapped", None) or ip)


@given(ip=IPS, port=PORTS)
def test_an_address_is_the_tuple_of_its_host_and_port(
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int
) -> None:
    address = Address(str(ip), port)
    host, unpacked_port = address
    assert (host, unpacked_port) == (canonical(ip), port)
    assert address == (host, port)
    assert hash(address) == hash((host, port))
    assert (address.host, address.port) == (host, port)
    assert str(address.ip) == host
    assert isinstance(address, tuple)


@given(ip=IPS, port=PORTS)
def test_text_and_packed_form_lead_back(ip: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int) -> None:
    address = Address(str(ip), port)
    assert Address.parse(str(address)) == address
    assert len(address.packed) == 16
    assert Address.from_packed(address.packed, port) == address
    for again in (pickle.loads(pickle.dumps(address)), copy.deepcopy(address)):
        assert type(again) is Address
        assert again == address


@given(ip=st.ip_addresses(v=6), port=PORTS)
def test_every_spelling_of_an_address_is_the_same_value(ip: ipaddress.IPv6Address, port: int) -> None:
    assert len({Address(ip.exploded, port), Address(ip.compressed, port), Address(ip.compressed.upper(), port)}) == 1


@given(ip=st.ip_addresses(v=4), port=PORTS)
def test_a_mapped_ipv4_address_is_shown_as_ipv4(ip: ipaddress.IPv4Address, port: int) -> None:
    address = Address(f"::ffff:{ip}", port)
    assert address == (str(ip), port)
    assert address.packed == bytes(10) + b"\xff\xff" + ip.packed


def test_text_forms() -> None:
    assert str(Address("1.2.3.4", 27015)) == "1.2.3.4:27015"
    assert str(Address("::1", 27015)) == "[::1]:27015"
    assert repr(Address("::1", 5)) == "Address(host='::1', port=5)"
    assert Address.parse("[0:0::1]:0") == ("::1", 0)
    assert Address("::", 1).packed == bytes(16)


@pytest.mark.parametrize(
    "host", ["localhost", "", "1.2.3", "01.2.3.4", "1.2.3.4 ", "[::1]", "1:2", "1.2.3.4\0", "::1\0"]
)
def test_hosts_that_are_no_addresses(host: str) -> None:
    with pytest.raises(ValueError, match="is not a numeric IPv4 or IPv6 address"):
        Address(host, 1)


def test_a_scope_is_refused_in_so_many_words() -> None:
    with pytest.raises(ValueError, match=r"'fe80::1%eth0' has a scope \(the part from % on\), which GNS cannot use"):
        Address("fe80::1%eth0", 1)


@pytest.mark.parametrize("host", [None, b"1.2.3.4", 5, ipaddress.ip_address("1.2.3.4")])
def test_hosts_that_are_no_text(host: object) -> None:
    with pytest.raises(TypeError, match="host must be a str, not "):
        Address(host, 1)  # type: ignore[arg-type]


@pytest.mark.parametrize("port", [-1, 65536, 2**40])
def test_ports_out_of_range(port: int) -> None:
    with pytest.raises(ValueError, match=f"port {port} is out of range: 0 to 65535"):
        Address("1.2.3.4", port)


@pytest.mark.parametrize("port", [True, "80", 80.0, None])
def test_ports_that_are_no_int(port: object) -> None:
    with pytest.raises(TypeError, match=f"port must be an int, not {type(port).__name__}"):
        Address("1.2.3.4", port)  # type: ignore[arg-type]


def test_replacing_a_part_checks_it() -> None:
    address = Address("1.2.3.4", 5)
    assert address._replace(port=6) == ("1.2.3.4", 6)
    assert type(address._replace(port=6)) is Address
    with pytest.raises(ValueError, match="port 65536 is out of range"):
        address._replace(port=65536)
    with pytest.raises(AttributeError):
        address.port = 6  # type: ignore[misc]


@pytest.mark.parametrize("text", ["", "x", "1.2.3.4", "[::1]", "::1", "::1:80", "[1.2.3.4]:80", "[::1:80", "[::1]80"])
@pytest.mark.parametrize("more", ["", ":", ":x", ":-1", ":123456", ":٣", ":80 "])
def test_texts_that_are_no_addresses(text: str, more: str) -> None:
    with pytest.raises(ValueError, match=r"is not an address with a port, like|is not a numeric IPv4 or IPv6 address"):
        Address.parse(text + more)


@given(text=st.text() | st.text("0123456789abcdef.:[]%/ ", max_size=24))
def test_any_text_is_parsed_or_refused_with_a_value_error(text: str) -> None:
    try:
        address = Address.parse(text)
    except ValueError:
        return
    assert Address.parse(str(address)) == address


def test_parsing_what_is_no_text() -> None:
    with pytest.raises(TypeError, match="an address to parse must be a str, not bytes"):
        Address.parse(b"1.2.3.4:5")  # type: ignore[arg-type]


@given(data=st.binary().filter(lambda data: len(data) != 16))
def test_packed_addresses_of_the_wrong_size(data: bytes) -> None:
    with pytest.raises(ValueError, match=f"a packed address has 16 bytes, not {len(data)}"):
        Address.from_packed(data, 1)
