"""Identity: values, their text form, and errors."""

from __future__ import annotations

import copy
import dataclasses
import ipaddress
import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gns_py._generated.enums import IdentityType
from gns_py.address import Address
from gns_py.identity import Identity

PERSON = 76561197960287930  # public universe, individual account, desktop instance
GAME_SERVER = 1 << 56 | 3 << 52 | 7

ADDRESSES = st.builds(lambda ip, port: Address(str(ip), port), st.ip_addresses(), st.integers(0, 65535))
ACCOUNTS = st.integers(1, 2**32 - 1)
UTF8 = st.characters(exclude_characters="\0", exclude_categories=["Cs"])


def texts(maximum: int) -> st.SearchStrategy[str]:
    return st.text(UTF8, min_size=1, max_size=maximum).filter(lambda text: len(text.encode()) <= maximum)


IDENTITIES = st.one_of(
    st.builds(Identity.localhost),
    st.builds(Identity.string, texts(31)),
    st.builds(Identity.bytes, st.binary(min_size=2, max_size=32)),
    st.builds(Identity.ip, ADDRESSES),
    st.builds(Identity.steam_id, ACCOUNTS.map(lambda account: 1 << 56 | 1 << 52 | 1 << 32 | account)),
    st.builds(Identity.xbox_pairwise, texts(32)),
    st.builds(lambda number: Identity.parse(f"psn:{number}"), st.integers(0, 2**64 - 1)),
    st.builds(lambda data: Identity.parse(f"other_1:{data}"), texts(119)),
    st.just(Identity.parse("invalid")),
)


@given(identity=IDENTITIES)
def test_the_text_form_leads_back(identity: Identity) -> None:
    again = Identity.parse(str(identity))
    assert again == identity
    assert again.type is identity.type
    assert str(again) == str(identity)
    assert len(str(identity).encode()) <= 127
    assert repr(identity) == f"Identity.parse({str(identity)!r})"


@given(identity=IDENTITIES)
def test_an_identity_is_a_value(identity: Identity) -> None:
    for again in (pickle.loads(pickle.dumps(identity)), copy.deepcopy(identity), dataclasses.replace(identity)):
        assert again == identity
        assert hash(again) == hash(identity)
    with pytest.raises(dataclasses.FrozenInstanceError):
        identity.value = "other"  # type: ignore[misc]


@given(text=st.text())
def test_any_text_is_parsed_or_refused_with_a_value_error(text: str) -> None:
    try:
        identity = Identity.parse(text)
    except ValueError:
        return
    assert Identity.parse(str(identity)) == identity


@pytest.mark.parametrize(
    ("identity", "text", "kind", "value"),
    [
        (Identity.localhost(), "ip:::1", IdentityType.IP_ADDRESS, Address("::1", 0)),
        (Identity.string("alice"), "str:alice", IdentityType.GENERIC_STRING, "alice"),
        (Identity.string("Zoë: a b"), "str:Zoë: a b", IdentityType.GENERIC_STRING, "Zoë: a b"),
        (Identity.bytes(b"\n\xff"), "gen:0aff", IdentityType.GENERIC_BYTES, b"\n\xff"),
        (
            Identity.ip(Address("192.168.0.0", 27015)),
            "ip:192.168.0.0:27015",
            IdentityType.IP_ADDRESS,
            Address("192.168.0.0", 27015),
        ),
        (Identity.ip(Address("1.2.3.4", 0)), "ip:1.2.3.4", IdentityType.IP_ADDRESS, Address("1.2.3.4", 0)),
        (Identity.ip(Address("::2", 80)), "ip:[::2]:80", IdentityType.IP_ADDRESS, Address("::2", 80)),
        (Identity.steam_id(PERSON), f"steamid:{PERSON}", IdentityType.STEAM_ID, PERSON),
        (Identity.steam_id(GAME_SERVER), f"steamid:{GAME_SERVER}", IdentityType.STEAM_ID, GAME_SERVER),
        (Identity.xbox_pairwise("8fg37rfsdf"), "xboxpwid:8fg37rfsdf", IdentityType.XBOX_PAIRWISE_ID, "8fg37rfsdf"),
        (Identity.parse("psn:12"), "psn:12", IdentityType.SONY_PSN, 12),
        (Identity.parse("epic:x:y"), "epic:x:y", IdentityType.UNKNOWN_TYPE, "epic:x:y"),
        (Identity.parse("invalid"), "invalid", IdentityType.INVALID, None),
    ],
)
def test_text_form_type_and_value(identity: Identity, text: str, kind: IdentityType, value: object) -> None:
    assert str(identity) == text
    assert identity == Identity.parse(text)
    assert identity.type is kind
    assert identity.value == value
    assert type(identity.value) is type(value)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("ip:[::1]", "ip:::1"),
        ("ip:0:0:0:0:0:0:0:1", "ip:::1"),
        ("ip:::ffff:1.2.3.4", "ip:1.2.3.4"),
        ("ip:[2001:DB8::1]:7", "ip:[2001:db8::1]:7"),
        ("ip:1.2.3.4:0", "ip:1.2.3.4"),
        ("gen:0AFF", "gen:0aff"),
        ("psn:007", "psn:7"),
    ],
)
def test_other_spellings(text: str, same: str) -> None:
    assert str(Identity.parse(text)) == same


@pytest.mark.parametrize(
    "text", ["", "alice", ":x", "Str:alice", "a b:c", "abcdefghijklmnopq:x", "Invalid", "x-y:z", "ä:b"]
)
def test_texts_that_are_no_identity(text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(repr(text))} is not an identity, like 'str:alice'$"):
        Identity.parse(text)


@pytest.mark.parametrize("text", ["gen:", "gen:0", "gen:0a0", "gen:zz", "gen:0a 0b"])
def test_hex_that_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="is not an identity: hex digits in pairs must follow 'gen:'"):
        Identity.parse(text)


@pytest.mark.parametrize("text", ["steamid:", "steamid:x", "psn:-1", "psn:1 ", "psn:" + "9" * 21, "steamid:٣"])
def test_numbers_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not an identity: a number must follow '(steamid|psn):'"):
        Identity.parse(text)


@pytest.mark.parametrize(
    "text", ["ip:", "ip:localhost", "ip:1.2.3.4:garbage", "ip:1.2.3.4:70000", "ip:fe80::1%eth0", "ip:[::1]x"]
)
def test_addresses_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not|is out of range|has a scope"):
        Identity.parse(text)


@pytest.mark.parametrize("size", [0, 32, 40])
def test_the_size_of_a_string_counts_in_bytes(size: int) -> None:
    with pytest.raises(ValueError, match=f"an identity string must have 1 to 31 bytes, not {size}"):
        Identity.string("ä" * (size // 2))


@pytest.mark.parametrize("size", [0, 33])
def test_other_sizes(size: int) -> None:
    with pytest.raises(ValueError, match="identity bytes must have 2 to 32 bytes, not 1"):
        Identity.bytes(b"x")
    with pytest.raises(ValueError, match=f"identity bytes must have 2 to 32 bytes, not {size}"):
        Identity.bytes(bytes(size))
    with pytest.raises(ValueError, match=f"an Xbox pairwise id must have 1 to 32 bytes, not {size}"):
        Identity.xbox_pairwise("x" * size)
    with pytest.raises(ValueError, match="an identity's text must have 1 to 127 bytes, not 128"):
        Identity.parse("type:" + "x" * 123)


@pytest.mark.parametrize("make", [Identity.string, Identity.xbox_pairwise, lambda text: Identity.parse(f"type:{text}")])
def test_texts_that_no_native_string_can_hold(make: type[Identity]) -> None:
    with pytest.raises(ValueError, match="has a NUL byte"):
        make("a\0b")  # type: ignore[call-arg, arg-type]
    with pytest.raises(ValueError, match="cannot be encoded as UTF-8"):
        make("\udc80")  # type: ignore[call-arg, arg-type]


@pytest.mark.parametrize(
    "number",
    [
        0,
        -1,
        7,
        2**64,
        PERSON & ~0xFFFFFFFF,  # no account
        PERSON ^ 1 << 32,  # a person's account has instance 1 only
        1 << 56 | 7 << 52 | 7,  # a group
        5 << 56 | 1 << 52 | 1 << 32 | 7,  # no such universe
    ],
)
def test_numbers_that_are_no_steam_id(number: int) -> None:
    with pytest.raises(ValueError, match=f"{number} is not the Steam id of an account or game server"):
        Identity.steam_id(number)


def test_a_number_that_is_too_large_for_a_playstation_network_id() -> None:
    with pytest.raises(ValueError, match=f"{2**64} is not a PlayStation Network id: it has 64 bits"):
        Identity.parse(f"psn:{2**64}")


@pytest.mark.parametrize(
    ("make", "value", "kind"),
    [
        (Identity.string, b"alice", "GENERIC_STRING"),
        (Identity.string, None, "GENERIC_STRING"),
        (Identity.bytes, "alice", "GENERIC_BYTES"),
        (Identity.bytes, bytearray(b"alice"), "GENERIC_BYTES"),
        (Identity.ip, ("1.2.3.4", 5), "IP_ADDRESS"),
        (Identity.ip, "1.2.3.4", "IP_ADDRESS"),
        (Identity.steam_id, str(PERSON), "STEAM_ID"),
        (Identity.steam_id, True, "STEAM_ID"),
        (Identity.xbox_pairwise, 5, "XBOX_PAIRWISE_ID"),
    ],
)
def test_values_of_the_wrong_type(make: type[Identity], value: object, kind: str) -> None:
    with pytest.raises(TypeError, match=f"an identity of type {kind} cannot be made from {type(value).__name__}"):
        make(value)  # type: ignore[call-arg, arg-type]


def test_parsing_what_is_no_text() -> None:
    with pytest.raises(TypeError, match="an identity to parse must be a str, not bytes"):
        Identity.parse(b"str:alice")  # type: ignore[arg-type]


def test_an_ipv4_and_its_mapped_form_are_the_same_identity() -> None:
    mapped = Address(str(ipaddress.IPv6Address("::ffff:1.2.3.4")), 9)
    assert Identity.ip(mapped) == Identity.ip(Address("1.2.3.4", 9))
