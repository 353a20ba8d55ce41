"""Identities: who a program says it is, and who its peer says it is."""

from __future__ import annotations

import builtins
import re
from dataclasses import dataclass

from ._generated.enums import IdentityType
from .address import Address, parse_address

_MAX_TEXT = 127  # GNS keeps the text of a type that it does not know in 128 bytes, with the terminating NUL
_PREFIXES = {
    IdentityType.IP_ADDRESS: "ip",
    IdentityType.GENERIC_STRING: "str",
    IdentityType.GENERIC_BYTES: "gen",
    IdentityType.STEAM_ID: "steamid",
    IdentityType.XBOX_PAIRWISE_ID: "xboxpwid",
    IdentityType.SONY_PSN: "psn",
}
_TYPES = {prefix: kind for kind, prefix in _PREFIXES.items()}


@dataclass(frozen=True, slots=True, repr=False)
class Identity:
    """The identity of one end of a connection: a value, checked when it is made, usable as a key.

    Make one with ``localhost()``, ``string()``, ``bytes()``, ``ip()``, ``steam_id()``, ``xbox_pairwise()`` or
    ``parse()``; ``str()`` gives the text that ``parse()`` takes, which is GNS's own.

    Nothing proves a peer's identity unless there is a certificate authority: without one it is what the peer claims.
    """

    type: IdentityType
    value: str | builtins.bytes | int | Address | None
    """By type: GENERIC_STRING and XBOX_PAIRWISE_ID str, GENERIC_BYTES bytes, IP_ADDRESS Address, STEAM_ID and SONY_PSN
    int, UNKNOWN_TYPE the whole text, INVALID None."""

    def __post_init__(self) -> None:
        match self.type, self.value:
            case IdentityType.INVALID, None:
                pass
            case IdentityType.IP_ADDRESS, Address():
                pass
            case IdentityType.GENERIC_STRING, str() as text:
                _check_size("an identity string", _utf8(text), 31)
            case IdentityType.GENERIC_BYTES, builtins.bytes() as data:
                _check_size("identity bytes", data, 32, minimum=2)  # GNS takes a single byte for a bug of its own
            case IdentityType.XBOX_PAIRWISE_ID, str() as text:
                _check_size("an Xbox pairwise id", _utf8(text), 32)
            case IdentityType.STEAM_ID, int() as number if not isinstance(number, bool):
                _check_steam_id(number)
            case IdentityType.SONY_PSN, int() as number if not isinstance(number, bool):
                if not 0 <= number < 2**64:
                    raise ValueError(f"{number} is not a PlayStation Network id: it has 64 bits")
            case IdentityType.UNKNOWN_TYPE, str() as text:
                prefix = re.match(r"([a-z0-9_]{1,16}):", text)
                if prefix is None or prefix[1] in _TYPES:
                    raise ValueError(f"{text!r} is not an identity, like 'str:alice'")
                _check_size("an identity's text", _utf8(text), _MAX_TEXT)
            case kind, value:
                raise TypeError(f"an identity of type {kind!s} cannot be made from {builtins.type(value).__name__}")

    @classmethod
    def localhost(cls) -> Identity:
        """Nobody in particular: a process that has no name; its peers know it by its address."""
        return cls(IdentityType.IP_ADDRESS, Address("::1", 0))

    @classmethod
    def string(cls, text: str) -> Identity:
        """A name of the application's choice, 1 to 31 bytes of UTF-8, without NUL."""
        return cls(IdentityType.GENERIC_STRING, text)

    @classmethod
    def bytes(cls, data: builtins.bytes) -> Identity:
        """2 to 32 bytes of the application's choice."""
        return cls(IdentityType.GENERIC_BYTES, data)

    @classmethod
    def ip(cls, address: Address) -> Identity:
        """An address; port 0 for none."""
        return cls(IdentityType.IP_ADDRESS, address)

    @classmethod
    def steam_id(cls, number: int) -> Identity:
        """A Steam account or game server by its 64-bit number; ValueError if Steam has no such numbers."""
        return cls(IdentityType.STEAM_ID, number)

    @classmethod
    def xbox_pairwise(cls, text: str) -> Identity:
        """An Xbox Live user as one publisher sees them, 1 to 32 bytes."""
        return cls(IdentityType.XBOX_PAIRWISE_ID, text)

    @classmethod
    def parse(cls, text: str) -> Identity:
        """From GNS's text form, which ``str()`` gives back.

        ``str:alice``, ``gen:0a0b`` (bytes in hex), ``ip:1.2.3.4:27015`` (``ip:::1`` is localhost), ``steamid:...``,
        ``xboxpwid:...``, ``psn:...``; ``invalid`` for nobody; any other ``type:data`` is an UNKNOWN_TYPE.
        ValueError for everything else.
        """
        if not isinstance(text, str):
            raise TypeError(f"an identity to parse must be a str, not {type(text).__name__}")
        if text == "invalid":
            return cls(IdentityType.INVALID, None)
        prefix, _, data = text.partition(":")
        match _TYPES.get(prefix, IdentityType.UNKNOWN_TYPE):
            case IdentityType.IP_ADDRESS:
                return cls.ip(parse_address(data, default_port=0))
            case IdentityType.GENERIC_BYTES:
                if not re.fullmatch(r"(?:[0-9a-fA-F]{2})+", data):
                    raise ValueError(f"{text!r} is not an identity: hex digits in pairs must follow 'gen:'")
                return cls.bytes(builtins.bytes.fromhex(data))
            case (IdentityType.STEAM_ID | IdentityType.SONY_PSN) as kind:
                if not re.fullmatch(r"[0-9]{1,20}", data):
                    raise ValueError(f"{text!r} is not an identity: a number must follow '{prefix}:'")
                return cls(kind, int(data))
            case IdentityType.UNKNOWN_TYPE as kind:
                return cls(kind, text)
            case kind:
                return cls(kind, data)

    def __str__(self) -> str:
        match self.value:
            case None:
                return "invalid"
            case Address(host, 0):
                return f"ip:{host}"
            case builtins.bytes() as data:
                return f"gen:{data.hex()}"
            case str() as text if self.type is IdentityType.UNKNOWN_TYPE:
                return text
            case value:
                return f"{_PREFIXES[self.type]}:{value}"

    def __repr__(self) -> str:
        return f"Identity.parse({str(self)!r})"


def _utf8(text: str) -> bytes:
    if "\0" in text:
        raise ValueError(f"{text!r} has a NUL byte")
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{text!r} cannot be written as UTF-8") from None


def _check_size(what: str, data: bytes, maximum: int, minimum: int = 1) -> None:
    if not minimum <= len(data) <= maximum:
        raise ValueError(f"{what} must have {minimum} to {maximum} bytes, not {len(data)}")


def _check_steam_id(number: int) -> None:
    """Refuses what GNS refuses: it uses accounts of people and of game servers only, and sends no others."""
    account = number & 0xFFFFFFFF
    instance = number >> 32 & 0xFFFFF
    kind = number >> 52 & 0xF  # 1 a person, 3 and 4 game servers, 9 a person on a console
    universe = number >> 56
    if not 1 <= universe <= 4 or kind not in {1, 3, 4, 9} or account == 0 or (kind == 1 and instance != 1):
        raise ValueError(f"{number} is not the Steam id of an account or game server")
