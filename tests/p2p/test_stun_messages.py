"""Messages of STUN and TURN: the vectors of RFC 5769, what is written is read, and anything else is refused."""

from __future__ import annotations

import random

import pytest

from gns_py import Address
from gns_py.p2p.stun_messages import (
    UDP,
    Attribute,
    Class,
    Method,
    StunError,
    StunMessage,
    decode,
    is_signed,
    long_term_key,
    xor_address,
)

PASSWORD = b"VOkJxbRl1RmTxUk/WvJxBt"
# RFC 5769, 2.1 to 2.4.
REQUEST = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff80290008932ff9b1"
    "51263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf"
)
IPV4_ANSWER = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643000800142b91f599"
    "fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"
)
IPV6_ANSWER = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9faa5d3f179bc25f4b5"
    "bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c"
)
LONG_TERM_REQUEST = bytes.fromhex(
    "000100602112a44278ad3433c6ad72c029da412e00060012e3839ee38388e383aae38383e382afe382b900000015001c662f2f3439396b39"
    "35346436"
    "4f4c33346f4c394653547679363473410014000b6578616d706c652e6f72670000080014f67024656dd64a3e02b8e0712e85c9a28ca89666"
)
VECTORS = [REQUEST, IPV4_ANSWER, IPV6_ANSWER, LONG_TERM_REQUEST]


def test_a_request() -> None:
    message = decode(REQUEST)
    assert (message.method, message.kind) == (Method.BINDING, Class.REQUEST)
    assert message.transaction == bytes.fromhex("b7e7a701bc34d686fa87dfae")
    assert message.text(Attribute.SOFTWARE) == "STUN test client"
    assert message.text(Attribute.USERNAME) == "evtj:h6vY"
    assert message.get(Attribute.REALM) is None
    assert is_signed(REQUEST, PASSWORD)
    assert not is_signed(REQUEST, b"another")


@pytest.mark.parametrize(
    ("answer", "address"),
    [
        (IPV4_ANSWER, Address("192.0.2.1", 32853)),
        (IPV6_ANSWER, Address("2001:db8:1234:5678:11:2233:4455:6677", 32853)),
    ],
    ids=["IPv4", "IPv6"],
)
def test_answers(answer: bytes, address: Address) -> None:
    message = decode(answer)
    assert (message.method, message.kind) == (Method.BINDING, Class.SUCCESS)
    assert message.mapped_address == address
    assert message.text(Attribute.SOFTWARE) == "test vector"
    assert is_signed(answer, PASSWORD)
    assert message.get(Attribute.XOR_MAPPED_ADDRESS) == xor_address(address, message.transaction)


def test_long_term_credentials() -> None:
    message = decode(LONG_TERM_REQUEST)
    username, realm = message.text(Attribute.USERNAME), message.text(Attribute.REALM)
    assert (username, realm) == ("\u30de\u30c8\u30ea\u30c3\u30af\u30b9", "example.org")
    assert message.text(Attribute.NONCE) == "f//499k954d6OL34oL9FSTvy64sA"
    key = long_term_key(username, realm, "TheMatrIX")
    assert is_signed(LONG_TERM_REQUEST, key)
    assert message.encode(key) == LONG_TERM_REQUEST


@pytest.mark.parametrize("vector", VECTORS, ids=["request", "IPv4", "IPv6", "long-term"])
def test_a_changed_message_is_not_signed_any_longer(vector: bytes) -> None:
    key = long_term_key("\u30de\u30c8\u30ea\u30c3\u30af\u30b9", "example.org", "TheMatrIX")
    key = key if vector is LONG_TERM_REQUEST else PASSWORD
    end = vector.rindex(b"\x00\x08\x00\x14") + 24
    for place in range(end):
        changed = bytearray(vector)
        changed[place] ^= 1
        try:
            decode(bytes(changed))
        except StunError:
            continue
        assert not is_signed(bytes(changed), key), place


def test_methods_and_classes() -> None:
    for method in (*Method, 0x0FFF, 0x0AAA, 0x0555):
        for kind in Class:
            message = StunMessage(method, kind)
            assert decode(message.encode()) == message
    assert StunMessage(Method.ALLOCATE).encode()[:2] == b"\x00\x03"
    assert StunMessage(Method.ALLOCATE, Class.ERROR).encode()[:2] == b"\x01\x13"
    assert StunMessage(Method.DATA, Class.INDICATION).encode()[:2] == b"\x00\x17"


def test_a_bare_request_is_short() -> None:
    assert len(StunMessage(Method.BINDING).encode()) == 20
    assert StunMessage(Method.BINDING) != StunMessage(Method.BINDING)


def test_values_of_turn() -> None:
    peer = Address("203.0.113.7", 5000)
    message = StunMessage(Method.ALLOCATE, Class.SUCCESS, transaction=bytes(range(12)))
    attributes = (
        (Attribute.XOR_RELAYED_ADDRESS, xor_address(peer, message.transaction)),
        (Attribute.LIFETIME, (600).to_bytes(4, "big")),
        (Attribute.REQUESTED_TRANSPORT, bytes([UDP, 0, 0, 0])),
        (Attribute.DATA, b"odd"),
    )
    found = decode(StunMessage(message.method, message.kind, attributes, message.transaction).encode(b"key"))
    assert found.attributes == attributes
    assert (found.address(Attribute.XOR_RELAYED_ADDRESS), found.lifetime) == (peer, 600)
    assert found.mapped_address is None
    assert found.error is None


def test_errors() -> None:
    refused = StunMessage(Method.ALLOCATE, Class.ERROR, ((Attribute.ERROR_CODE, b"\x00\x00\x04\x26Stale\xff"),))
    assert decode(refused.encode()).error == (438, "Stale\ufffd")
    assert StunMessage(Method.ALLOCATE, Class.ERROR, ((Attribute.ERROR_CODE, b"\x00"),)).error is None


def test_an_old_server_names_the_address_as_it_is() -> None:
    value = b"\x00\x01\x80\x55\xc0\x00\x02\x01"
    message = StunMessage(Method.BINDING, Class.SUCCESS, ((Attribute.MAPPED_ADDRESS, value),))
    assert message.mapped_address == Address("192.0.2.1", 32853)


@pytest.mark.parametrize("value", [b"", b"\x00\x01\x00\x00", b"\x00\x03" + bytes(6), b"\x00\x02" + bytes(6), bytes(20)])
def test_addresses_that_are_none(value: bytes) -> None:
    message = StunMessage(Method.BINDING, Class.SUCCESS, ((Attribute.XOR_MAPPED_ADDRESS, value),))
    assert decode(message.encode()).mapped_address is None


def test_what_follows_the_signature_does_not_count() -> None:
    signed = StunMessage(Method.BINDING, Class.SUCCESS).encode(b"key")
    forged = StunMessage(Method.BINDING, attributes=((Attribute.DATA, b"abcd"),)).encode()[20:]
    longer = signed[:2] + (len(signed) - 20 + len(forged)).to_bytes(2, "big") + signed[4:] + forged
    assert decode(longer).attributes == ()
    assert is_signed(longer, b"key")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        REQUEST[:19],
        REQUEST[:-4],
        REQUEST + bytes(4),
        b"\x80" + REQUEST[1:],
        REQUEST[:4] + bytes(4) + REQUEST[8:],
        REQUEST[:22] + b"\xff\xff" + REQUEST[24:],
        REQUEST[:-1] + b"\x00",
        b"\x00\x01\x00\x02\x21\x12\xa4\x42" + bytes(12) + b"xy",
    ],
)
def test_malformed(data: bytes) -> None:
    with pytest.raises(StunError):
        decode(data)


def test_any_bytes_are_decoded_or_refused() -> None:
    chance = random.Random(1)
    for _ in range(20_000):
        data = bytearray(chance.choice(VECTORS))
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        data = data[: chance.choice([len(data), chance.randrange(len(data) + 1)])]
        try:
            message = decode(bytes(data))
        except StunError:
            continue
        is_signed(bytes(data), PASSWORD)
        assert len(message.transaction) == 12
        _ = message.mapped_address, message.lifetime, message.error, message.text(Attribute.SOFTWARE)
