"""Messages and bytes: the test vectors, all values, and any other bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from p2p.signalling import independent_decoder, make_vectors
from support.signalling_messages import any_message

from gns_py import Identity
from gns_py.certs import Certificate, keys
from gns_py.p2p.signalling import wire
from gns_py.p2p.signalling.fields import WireError
from gns_py.p2p.signalling.signalling import MAX_SIGNAL
from gns_py.p2p.signalling.wire import Message, VersionError, decode

VECTORS = json.loads(Path(__file__).parents[2].joinpath("vectors").joinpath("signalling-1.json").read_text("utf-8"))
ALICE, BOB = Identity.string("alice"), Identity.string("bob")


@pytest.mark.parametrize("vector", VECTORS["messages"], ids=lambda vector: vector["name"])
def test_the_test_vectors_are_read_and_written(vector: dict[str, Any]) -> None:
    message = decode(bytes.fromhex(vector["bytes"]))
    assert make_vectors.name_of(message) == vector["message"]
    assert make_vectors.shown(message) == vector["fields"]
    assert message.encode().hex() == vector["bytes"]


@pytest.mark.parametrize("vector", VECTORS["malformed"], ids=lambda vector: vector["name"])
def test_malformed_vectors_are_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(WireError):
        decode(bytes.fromhex(vector["bytes"]))


def test_every_message_has_test_vectors() -> None:
    kinds = {**wire.FROM_CLIENT, **wire.FROM_SERVER}
    assert {bytes.fromhex(vector["bytes"])[1] for vector in VECTORS["messages"]} == set(kinds)


def test_the_vectors_are_those_of_the_program_that_makes_them() -> None:
    pytest.importorskip("cryptography")
    assert make_vectors.vectors() == VECTORS


def test_the_vector_of_the_proof() -> None:
    vector = VECTORS["proof"]
    signed = wire.proof(vector["server"], bytes.fromhex(vector["nonce"]))
    assert signed.hex() == vector["signed"]
    hello = next(each for each in VECTORS["messages"] if each["message"] == "HELLO_CERTIFICATE")["fields"]
    certificate = Certificate(bytes.fromhex(hello["certificate"]))
    pytest.importorskip("cryptography")
    assert keys.is_signature(certificate.key, bytes.fromhex(vector["signature"]), signed)
    assert hello["signature"] == vector["signature"]


def test_proofs_for_different_servers_differ() -> None:
    assert wire.proof("a", bytes(32)) != wire.proof("b", bytes(32))


@given(any_message)
def test_a_written_message_is_read_back(message: Message) -> None:
    written = message.encode()
    assert decode(written) == message
    assert len(written) <= (wire.MAX_FROM_CLIENT if message.KIND < 0x80 else wire.MAX_FROM_SERVER)


@given(st.binary(max_size=300) | st.binary(max_size=100).map(lambda data: b"\x01" + data))
@example(b"")
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    assert_canonical(data)


@given(any_message, st.data())
def test_a_message_with_a_fault_is_a_message_or_refused(message: Message, choose: st.DataObject) -> None:
    data = bytearray(message.encode())
    at = choose.draw(st.integers(0, len(data) - 1))
    match choose.draw(st.sampled_from(["change", "cut", "insert", "append"])):
        case "change":
            data[at] ^= 1 << choose.draw(st.integers(0, 7))
        case "cut":
            del data[at:]
        case "insert":
            data.insert(at, choose.draw(st.integers(0, 255)))
        case _:
            data += choose.draw(st.binary(min_size=1, max_size=5))
    assert_canonical(bytes(data))


def assert_canonical(data: bytes) -> None:
    """Check that both decoders refuse the bytes, or both read the same message, which is written as these bytes."""
    try:
        message = decode(data)
    except WireError:
        message = None
    try:
        specified = independent_decoder.decode(data)
    except ValueError:
        specified = None
    if message is None:
        assert specified is None
        return
    assert specified == (make_vectors.name_of(message), make_vectors.shown(message))
    assert message.encode()[1:] == data[1:]
    assert data[0] == wire.VERSION or isinstance(message, wire.Error)


@pytest.mark.parametrize("part", ["messages", "malformed"])
def test_a_decoder_written_from_the_specification_alone_reads_all_vectors(part: str) -> None:
    for vector in VECTORS[part]:
        data = bytes.fromhex(vector["bytes"])
        if part == "messages":
            assert independent_decoder.decode(data) == (vector["message"], vector["fields"])
        else:
            with pytest.raises(ValueError, match=r".*"):
                independent_decoder.decode(data)


def test_an_error_of_another_version_is_read() -> None:
    data = bytearray(wire.Error(0, 2, "version 7 only").encode())
    data[0] = 7
    assert decode(bytes(data)) == wire.Error(0, 2, "version 7 only")
    data[1] = wire.Pong.KIND
    with pytest.raises(VersionError, match="version 7 of the protocol"):
        decode(bytes(data))


def test_secrets_are_not_shown() -> None:
    assert "secret" not in repr(wire.HelloToken("a secret"))


@pytest.mark.parametrize(
    "message",
    [
        wire.Send(BOB, bytes(MAX_SIGNAL + 1)),
        wire.Send(BOB, b""),
        wire.Create(0, "", 2),
        wire.Create(1, "", 257),
        wire.Join(1, "", 0),
        wire.HelloToken("a" * 8193),
        wire.HelloCertificate(b"", bytes(64)),
        wire.HelloCertificate(b"a", bytes(63)),
        wire.Error(0, 1, "a" * 256),
    ],
)
def test_values_beyond_the_limits_are_not_written(message: Message) -> None:
    with pytest.raises(WireError):
        message.encode()
