"""Write tests/vectors/signalling-1.json: every message as bytes, and messages that are malformed.

PYTHONPATH=tests python tests/p2p/signalling/make_vectors.py
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from support.certificate_vectors import CERTIFICATES

from gns_py import Identity
from gns_py.certs import keys
from gns_py.p2p.signalling import relayed, wire
from gns_py.p2p.signalling.ice_offer import IceOffer, TurnOffer
from gns_py.p2p.signalling.wire import Message, Methods

PATH = Path(__file__).parents[2] / "vectors" / "signalling-1.json"
ALICE, BOB = Identity.string("alice"), Identity.string("bob")
ODD = [Identity.bytes(b"\0\xff"), Identity.steam_id(76561197960287930), Identity.parse("ip:[2001:db8::1]:27015")]
NONCE = bytes(range(32))
SERVER = "sig.example.org"
SEED = bytes([2]) * 32
ICE = IceOffer(
    ("stun.example.org:3478", "[2001:db8::1]:3478"),
    (
        TurnOffer("turn.example.org:3478", "1700003600:str:alice", "cGFzc3dvcmQ=", 3600),
        TurnOffer("203.0.113.1:3478", "user", "password", 0),
    ),
    "no-public-address",
)


NAMES = {
    wire.HelloToken: "HELLO_TOKEN",
    wire.HelloCertificate: "HELLO_CERTIFICATE",
    wire.GetIceServers: "GET_ICE_SERVERS",
    wire.HelloRelay: "HELLO_RELAY",
    wire.Received: "SIGNAL",
    wire.IceServersMessage: "ICE_SERVERS",
}


def name_of(message: Message) -> str:
    """Return the name of a message in the specification."""
    return NAMES.get(type(message), type(message).__name__.upper())


def shown(value: Any) -> Any:
    """Return a value as the vectors have it: bytes in hex, identities as texts, offers as objects."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Identity):
        return str(value)
    if isinstance(value, tuple):
        return [shown(each) for each in value]
    if dataclasses.is_dataclass(value):
        return {each.name: shown(getattr(value, each.name)) for each in dataclasses.fields(value)}
    return int(value) if isinstance(value, Methods) else value


def messages() -> list[tuple[str, Message]]:
    signature = keys.sign(SEED, wire.proof(SERVER, NONCE))
    return [
        ("a login by token", wire.HelloToken("token of alice")),
        ("a login by certificate", wire.HelloCertificate(CERTIFICATES["leaf"], signature)),
        ("a signal to send", wire.Send(BOB, b"\x01\x02\x03")),
        ("a room with a code", wire.Create(1, "", 4)),
        ("a room with a name", wire.Create(2, "lobby: süd", 256)),
        ("to join a room", wire.Join(3, "K7Q2GP", 0)),
        ("to join a room, or to create it", wire.Join(0xFFFF_FFFF, "lobby", 16)),
        ("to leave a room", wire.Leave("lobby")),
        ("to ask for ICE servers", wire.GetIceServers()),
        ("a ping", wire.Ping(0)),
        ("to ask a relay for a welcome", wire.HelloRelay()),
        ("a challenge", wire.Challenge(Methods.TOKEN | Methods.CERTIFICATE, SERVER, NONCE)),
        ("a challenge of a server without a name", wire.Challenge(Methods.TOKEN, "", bytes(32))),
        ("a welcome", wire.Welcome(ALICE, 4096, None)),
        ("a welcome with ICE servers", wire.Welcome(ALICE, 4096, ICE)),
        ("a signal that was received", wire.Received(ALICE, b"\x01\x02\x03")),
        ("the members of a new room", wire.Members(1, "K7Q2GP", 4, ALICE, (ALICE,))),
        ("the members of a room", wire.Members(3, "lobby", 16, ODD[1], (*ODD, ALICE))),
        ("a member joined", wire.Joined("lobby", BOB)),
        ("a member left", wire.Left("lobby", ODD[0])),
        ("another host", wire.Host("lobby", BOB)),
        ("no ICE servers", wire.IceServersMessage(None)),
        ("ICE servers, the fewest", wire.IceServersMessage(IceOffer((), (), "all"))),
        ("ICE servers that relay", wire.IceServersMessage(IceOffer((), ICE.turn[1:], "relay"))),
        ("a pong", wire.Pong(0xFFFF_FFFF)),
        ("a refusal of a request", wire.Error(3, 17, "")),
        ("a refusal of a client", wire.Error(0, 3, "the token has expired")),
    ]


def relay_messages() -> list[tuple[str, str, Message]]:
    return [
        ("to ask for a welcome", "client", wire.HelloRelay()),
        ("a signal to send", "client", wire.Send(BOB, b"\x01\x02\x03")),
        ("a ping", "client", wire.Ping(7)),
        ("a welcome", "relay", wire.Welcome(ALICE, 4096, ICE)),
        ("a signal that was received", "relay", wire.Received(ALICE, b"\x01\x02\x03")),
        ("a pong", "relay", wire.Pong(7)),
        ("a refusal", "relay", wire.Error(0, 5, "")),
    ]


def malformed() -> list[tuple[str, str]]:
    a, b = "0005" + b"str:a".hex(), "0005" + b"str:b".hex()
    room = "0184" + "00000001" + "000161"
    server = "0003" + b"a:1".hex()
    with_comma = server + "0001" + "2c" + "0001" + "61" + "00000000"
    return [
        ("nothing", ""),
        ("a version alone", "01"),
        ("another version", "0208" + "00000000"),
        ("version 0", "0008" + "00000000"),
        ("an unknown kind of clients", "0100"),
        ("an unknown kind of servers", "01ff"),
        ("a number that ends too early", "010800"),
        ("bytes after the end", "01080000000000"),
        ("an empty token", "01010000"),
        ("a token with NUL", "0101000100"),
        ("a token that is not UTF-8", "0101" + "0002c328"),
        ("a token that ends too early", "0101" + "000561"),
        ("an overlong token", "0101" + "2001" + "61" * 8193),
        ("an empty signal", "0103" + "0007" + b"str:bob".hex()),
        ("a signal of 8193 bytes", "0103" + "0007" + b"str:bob".hex() + "00" * 8193),
        ("an identity that is not one", "0103" + "0003" + b"bob".hex() + "00"),
        ("the invalid identity", "0103" + "0007" + b"invalid".hex() + "00"),
        ("an identity in another spelling", "0103" + "0008" + b"gen:0A0B".hex() + "00"),
        ("the request 0", "0104" + "00000000" + "0000" + "0004"),
        ("the capacity 0", "0104" + "00000001" + "0000" + "0000"),
        ("the capacity 257", "0104" + "00000001" + "0000" + "0101"),
        ("a room with a line break", "0106" + "0003" + b"a\nb".hex()),
        ("a room without a name", "0106" + "0000"),
        ("a room with a name of 65 bytes", "0106" + "0041" + "61" * 65),
        ("a challenge without a method", "0181" + "00" + "0000" + "00" * 32),
        ("a challenge with an unknown method", "0181" + "04" + "0000" + "00" * 32),
        ("a room without members", room + "0004" + a + "0000"),
        ("a host that is not a member", room + "0004" + a + "0001" + b),
        ("a member twice", room + "0004" + a + "0002" + a * 2),
        ("more members than the capacity", room + "0001" + a + "0002" + a + b),
        ("ICE servers with the flag 2", "018802"),
        ("ICE servers with the policy 3", "0188" + "0103" + "0000" + "0000"),
        ("the policy relay without a TURN server", "0188" + "0101" + "0000" + "0000"),
        ("a STUN server without a port", "0188" + "0100" + "0001" + "0001" + "61" + "0000"),
        ("a TURN server with a comma in the user", "0188" + "0100" + "0000" + "0001" + with_comma),
        ("nine STUN servers", "0188" + "0100" + "0009" + server * 9 + "0000"),
        ("HELLO_RELAY with a byte after it", "010900"),
        ("an ERROR with a text of 256 bytes", "018a" + "00000000" + "0001" + "0100" + "61" * 256),
    ]  # fmt: skip


def vectors() -> dict[str, Any]:
    return {
        "version": wire.VERSION,
        "messages": [
            {
                "name": name,
                "message": name_of(message),
                "fields": shown(message),
                "bytes": message.encode().hex(),
            }
            for name, message in messages()
        ],
        "malformed": [{"name": name, "bytes": data} for name, data in malformed()],
        "relay": {
            "prefix": relayed.PREFIX.hex(),
            "messages": [
                {"name": name, "bytes": relayed.wrap(message).hex(), "from": sender}
                for name, sender, message in relay_messages()
            ],
        },
        "proof": {
            "server": SERVER,
            "nonce": NONCE.hex(),
            "signed": wire.proof(SERVER, NONCE).hex(),
            "private_key": SEED.hex(),
            "signature": keys.sign(SEED, wire.proof(SERVER, NONCE)).hex(),
        },
    }


if __name__ == "__main__":
    PATH.write_text(json.dumps(vectors(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
