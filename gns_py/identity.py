"""Identities, which programs present to their peers."""

from __future__ import annotations

import builtins
import re
from dataclasses import dataclass

from ._generated.enums import IdentityType
from .address import Address, parse_address

_MAX_TEXT = 127  # GNS stores the text of an unknown type in 128 bytes, including the terminating NUL
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
    """The identity of one end of a connection: an immutable value that is checked when created and usable as a key.

    Create one with ``localhost()``, ``string()``, ``bytes()``, ``ip()``, ``steam_id()``, ``xbox_pairwise()`` or
    ``parse()``. ``str()`` returns the text that ``parse()`` accepts, which is GNS's own form.

    Without a certificate authority nothing proves a peer's identity: it is only a claim of the peer.

    Raises:
        TypeError: The value's type does not match the identity's type.
        ValueError: The value is out of range, too long, or not an identity of that type.
    """

    type: IdentityType
    value: str | builtins.bytes | int | Address | None
    """A str for GENERIC_STRING and XBOX_PAIRWISE_ID, bytes for GENERIC_BYTES, an Address for IP_ADDRESS, an int for
    STEAM_ID and SONY_PSN, the whole text for UNKNOWN_TYPE, None for INVALID."""

    def __post_init__(self) -> None:
        match self.type, self.value:
            case IdentityType.INVALID, None:
                pass
            case IdentityType.IP_ADDRESS, Address():
                pass
            case IdentityType.GENERIC_STRING, str() as text:
                _check_size("an identity string", _utf8(text), 31)
            case IdentityType.GENERIC_BYTES, builtins.bytes() as data:
                _check_size("identity bytes", data, 32, minimum=2)  # GNS treats a single byte as a bug of its own
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
        """Return the anonymous identity: peers know the process only by its address."""
        return cls(IdentityType.IP_ADDRESS, Address("::1", 0))

    @classmethod
    def string(cls, text: str) -> Identity:
        """Return the identity with a name chosen by the application.

        Args:
            text: The name: 1 to 31 bytes of UTF-8, without NUL.

        Raises:
            TypeError: The name is not a str.
            ValueError: The name is too short, too long, or contains NUL.
        """
        return cls(IdentityType.GENERIC_STRING, text)

    @classmethod
    def bytes(cls, data: builtins.bytes) -> Identity:
        """Return the identity with bytes chosen by the application.

        Args:
            data: 2 to 32 bytes.

        Raises:
            TypeError: The data is not bytes.
            ValueError: There are fewer or more bytes.
        """
        return cls(IdentityType.GENERIC_BYTES, data)

    @classmethod
    def ip(cls, address: Address) -> Identity:
        """Return the identity of an address.

        Args:
            address: The address; port 0 means none.

        Raises:
            TypeError: The address is not an Address.
        """
        return cls(IdentityType.IP_ADDRESS, address)

    @classmethod
    def steam_id(cls, number: int) -> Identity:
        """Return the identity of a Steam account or game server.

        Args:
            number: Its 64-bit Steam id.

        Raises:
            TypeError: The number is not an int.
            ValueError: The number is not the id of an account or game server.
        """
        return cls(IdentityType.STEAM_ID, number)

    @classmethod
    def xbox_pairwise(cls, text: str) -> Identity:
        """Return the identity of an Xbox Live user, as one publisher sees them.

        Args:
            text: The pairwise id, 1 to 32 bytes of UTF-8.

        Raises:
            TypeError: The id is not a str.
            ValueError: The id is too short, too long, or contains NUL.
        """
        return cls(IdentityType.XBOX_PAIRWISE_ID, text)

    @classmethod
    def parse(cls, text: str) -> Identity:
        """Return the identity with the given text form, which is GNS's own and the result of ``str()``.

        Args:
            text: ``str:alice``, ``gen:0a0b`` (bytes in hex), ``ip:1.2.3.4:27015`` (``ip:::1`` is localhost),
                ``steamid:...``, ``xboxpwid:...``, ``psn:...``, or ``invalid`` for no identity; any other ``type:data``
                has the type UNKNOWN_TYPE.

        Raises:
            TypeError: The text is not a str.
            ValueError: The text is not an identity.
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
        raise ValueError(f"{text!r} cannot be encoded as UTF-8") from None


def _check_size(what: str, data: bytes, maximum: int, minimum: int = 1) -> None:
    if not minimum <= len(data) <= maximum:
        raise ValueError(f"{what} must have {minimum} to {maximum} bytes, not {len(data)}")


def _check_steam_id(number: int) -> None:
    """Raise ValueError for ids that GNS refuses: it accepts and sends only those of people and of game servers."""
    account = number & 0xFFFFFFFF
    instance = number >> 32 & 0xFFFFF
    kind = number >> 52 & 0xF  # 1 a person, 3 and 4 game servers, 9 a person on a console
    universe = number >> 56
    if not 1 <= universe <= 4 or kind not in {1, 3, 4, 9} or account == 0 or (kind == 1 and instance != 1):
        raise ValueError(f"{number} is not the Steam id of an account or game server")
