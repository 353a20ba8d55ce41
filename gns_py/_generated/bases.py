"""Base classes of the generated enums."""

from __future__ import annotations

from enum import IntEnum
from typing import TypeVar

_E = TypeVar("_E", bound="OpenIntEnum")


class NamedIntEnum(IntEnum):
    """An IntEnum that prints as its name. Plain ones print a number or a name, depending on the version of Python."""

    def __str__(self) -> str:
        return self.name

    def __format__(self, spec: str) -> str:
        return format(self.name, spec)


class OpenIntEnum(NamedIntEnum):
    """An enum that accepts any int, because its numbers come from outside: a newer GNS, or a dishonest peer.

    A number without a member becomes a pseudo-member such as ``UNKNOWN_77``, which equals 77, has its hash and can be
    pickled.
    """

    explanation: str
    """One sentence for people."""

    # The default makes type checkers accept the look-up Kind(77); members always have an explanation.
    def __new__(cls: type[_E], value: int, explanation: str = "") -> _E:
        member = int.__new__(cls, value)
        member._value_ = value
        member.explanation = explanation
        return member

    # Not kept in a table: a peer chooses the numbers, and the table could grow without limit.
    @classmethod
    def _missing_(cls: type[_E], value: object) -> _E | None:
        if not isinstance(value, int):
            return None
        member = int.__new__(cls, value)
        member._value_ = int(value)
        member._name_ = f"UNKNOWN_{value}" if value >= 0 else f"UNKNOWN_MINUS_{-value}"
        member.explanation = "A number that this version of gns_py does not know."
        return member

    # Python 3.11 pickles members by name, but the class cannot look up the names of pseudo-members.
    def __reduce_ex__(self, protocol: object) -> tuple[type[OpenIntEnum], tuple[int]]:
        return type(self), (int(self),)
