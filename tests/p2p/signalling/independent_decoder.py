"""A second decoder of the signalling protocol, to check the specification with the test vectors.

It was written from docs/signalling-protocol.md alone and shares no code with the package but that for identities, which
are GNS's.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Callable
from typing import Any

from gns_py import Identity

POLICIES = ["all", "relay", "no-public-address"]
Take = Callable[["Message"], Any]


class Message:
    """Reads a message from beginning to end."""

    def __init__(self, data: bytes) -> None:
        self.left = data

    def take(self, size: int) -> bytes:
        if size > len(self.left):
            raise ValueError("too short")
        taken, self.left = self.left[:size], self.left[size:]
        return taken


def number(size: int, low: int = 0, high: int = 2**32 - 1) -> Take:
    def take(message: Message) -> int:
        value = 0
        for byte in message.take(size):
            value = value * 256 + byte
        if not low <= value <= high:
            raise ValueError(f"{value} is out of range")
        return value

    return take


def raw(size: int) -> Take:
    return lambda message: message.take(size).hex()


def block(low: int, high: int) -> Callable[[Message], bytes]:
    size = number(2, low, high)
    return lambda message: message.take(size(message))


def text(low: int, high: int) -> Take:
    def take(message: Message) -> str:
        found = block(low, high)(message).decode("utf-8")
        if "\0" in found:
            raise ValueError("NUL")
        return found

    return take


def name(low: int, high: int) -> Take:
    def take(message: Message) -> str:
        found: str = text(low, high)(message)
        for each in found:
            if each != " " and unicodedata.category(each)[0] in "CZ":
                raise ValueError("unprintable")
        return found

    return take


def identity(message: Message) -> str:
    found: str = text(1, 127)(message)
    if found == "invalid" or str(Identity.parse(found)) != found:
        raise ValueError("not an identity as GNS writes it")
    return found


def several(low: int, high: int, item: Take) -> Take:
    count = number(2, low, high)
    return lambda message: [item(message) for _ in range(count(message))]


def rest(message: Message) -> str:
    if not 1 <= len(message.left) <= 8192:
        raise ValueError("empty or too long")
    return message.take(len(message.left)).hex()


def address(message: Message) -> str:
    found: str = text(1, 263)(message)
    parts = re.fullmatch(r"(?:\[([^\[\]]*)\]|([^\[\]:\s]+)):([0-9]{1,5})", found)
    if parts is None or not 1 <= int(parts[3]) <= 65535 or "," in found or not found.isprintable():
        raise ValueError("not an address")
    if parts[1] is not None:
        if "%" in parts[1]:
            raise ValueError("an address with a scope")
        ipaddress.IPv6Address(parts[1])
    elif re.fullmatch(r"[0-9.]+", parts[2]):
        ipaddress.IPv4Address(parts[2])
    if len((parts[1] or parts[2]).encode()) > 255:
        raise ValueError("too long")
    return found


def credential(high: int) -> Take:
    def take(message: Message) -> str:
        found: str = name(1, high)(message)
        if "," in found:
            raise ValueError("a comma")
        return found

    return take


def turn(message: Message) -> dict[str, Any]:
    fields: dict[str, Take] = {
        "address": address,
        "username": credential(500),
        "password": credential(255),
        "lifetime": number(4),
    }
    return {key: take(message) for key, take in fields.items()}


def ice(message: Message) -> dict[str, Any] | None:
    if not number(1, 0, 1)(message):
        return None
    policy = POLICIES[number(1, 0, 2)(message)]
    found = {"stun": several(0, 8, address)(message), "turn": several(0, 8, turn)(message), "policy": policy}
    if policy == "relay" and not found["turn"]:
        raise ValueError("nothing relays")
    return found


REQUEST = number(4, 1)
ROOM = name(1, 64)
CLIENTS: dict[int, tuple[str, dict[str, Take]]] = {
    0x01: ("HELLO_TOKEN", {"token": text(1, 8192)}),
    0x02: ("HELLO_CERTIFICATE", {"certificate": lambda m: block(1, 8192)(m).hex(), "signature": raw(64)}),
    0x03: ("SEND", {"to": identity, "data": rest}),
    0x04: ("CREATE", {"request": REQUEST, "room": name(0, 64), "capacity": number(2, 1, 256)}),
    0x05: ("JOIN", {"request": REQUEST, "room": ROOM, "capacity": number(2, 0, 256)}),
    0x06: ("LEAVE", {"room": ROOM}),
    0x07: ("GET_ICE_SERVERS", {}),
    0x08: ("PING", {"number": number(4)}),
    0x09: ("HELLO_RELAY", {}),
}
SERVERS: dict[int, tuple[str, dict[str, Take]]] = {
    0x81: ("CHALLENGE", {"methods": number(1, 1, 3), "server": name(0, 255), "nonce": raw(32)}),
    0x82: ("WELCOME", {"identity": identity, "max_signal": number(2, 1, 8192), "ice": ice}),
    0x83: ("SIGNAL", {"sender": identity, "data": rest}),
    0x84: (
        "MEMBERS",
        {
            "request": REQUEST,
            "room": ROOM,
            "capacity": number(2, 1, 256),
            "host": identity,
            "members": several(1, 256, identity),
        },
    ),
    0x85: ("JOINED", {"room": ROOM, "member": identity}),
    0x86: ("LEFT", {"room": ROOM, "member": identity}),
    0x87: ("HOST", {"room": ROOM, "member": identity}),
    0x88: ("ICE_SERVERS", {"ice": ice}),
    0x89: ("PONG", {"number": number(4)}),
    0x8A: ("ERROR", {"request": number(4), "reason": number(2), "text": text(0, 255)}),
}
RELAY_PREFIX = bytes([0xF0]) + b"GNSsig" + bytes([0xFF])
RELAY_KINDS = {"client": {0x09, 0x03, 0x08}, "relay": {0x82, 0x83, 0x89, 0x8A}}


def decode_relayed(data: bytes, sender: str) -> tuple[str, dict[str, Any]]:
    """Return the name and the fields of a message of a "client" of a relay, or of a "relay".

    Raises:
        ValueError: It is malformed.
    """
    if len(data) > 16_384 or data[:8] != RELAY_PREFIX or len(data) < 10 or data[9] not in RELAY_KINDS[sender]:
        raise ValueError("not a message of a relay")
    return decode(data[8:])


def decode(data: bytes) -> tuple[str, dict[str, Any]]:
    """Return the name and the fields of a message.

    Raises:
        ValueError: It is malformed.
    """
    message = Message(data)
    version, kind = message.take(2)
    if version != 1 and kind != 0x8A:
        raise ValueError("another version")
    if len(data) > (65_536 if kind & 0x80 else 16_384):
        raise ValueError("too long")
    if kind not in CLIENTS and kind not in SERVERS:
        raise ValueError("no such kind")
    called, fields = (SERVERS if kind & 0x80 else CLIENTS)[kind]
    found = {key: take(message) for key, take in fields.items()}
    if message.left:
        raise ValueError("bytes after the end")
    if called == "MEMBERS":
        members = found["members"]
        if len(set(members)) < len(members) or found["host"] not in members or len(members) > found["capacity"]:
            raise ValueError("members that cannot be")
    return called, found
