"""Options of connections, listen sockets and the whole process."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, fields
from typing import Any

from ._config_fields import REFUSED, ConfigFields
from .enums import ConfigScope, ConfigType, ConfigValue

OptionValue = int | float | str

_INTEGERS = (ConfigType.INT32, ConfigType.INT64)
_PLACES = {ConfigScope.LISTEN_SOCKET: "a listen socket", ConfigScope.CONNECTION: "a connection"}


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Config(ConfigFields):
    """A set of options: GNS's, with its names in snake case and its units, and those of gns_py's own core.

    Immutable and checked: an option that is not given, or None, stays what it is where the set is used (inherited from
    the listen socket or the process, else GNS's default). ``a | b`` is both, b's where both have one.

    TypeError: no such option, or a value of the wrong type (an int will do for a float, a bool for neither).
    ValueError: a value out of range (which GNS itself would clamp without a word), or a text with a NUL byte.
    """

    # Comes before the constructor that dataclass writes, which knows nothing of near misses and reserved names.
    def __new__(cls, **options: object) -> Config:
        for name in sorted(options.keys() - cls.__dataclass_fields__.keys()):
            if name in REFUSED:
                raise TypeError(f"{name} {REFUSED[name]}")
            near = difflib.get_close_matches(name, cls.__dataclass_fields__)
            raise TypeError(f"no option {name!r}" + (f": did you mean {' or '.join(near)}?" if near else ""))
        return object.__new__(cls)

    def __post_init__(self) -> None:
        for name, value in self._given().items():
            object.__setattr__(self, name, check_value(ConfigValue[name.upper()], value))
        if (
            self.send_rate_min is not None
            and self.send_rate_max is not None
            and self.send_rate_min > self.send_rate_max
        ):
            raise ValueError(f"send_rate_min is {self.send_rate_min}, above send_rate_max, {self.send_rate_max}")

    def options(self) -> list[tuple[ConfigValue, OptionValue]]:
        """The options that are given, with their values."""
        return [(ConfigValue[name.upper()], value) for name, value in self._given().items()]

    def options_for(self, scope: ConfigScope) -> list[tuple[ConfigValue, OptionValue]]:
        """As ``options()``, for use at a scope: ValueError if one of them cannot be set there."""
        if scope is not ConfigScope.GLOBAL:
            place = _PLACES.get(scope)
            if place is None:
                raise ValueError(f"options cannot be set at the scope {scope}: use GLOBAL")
            for option, _ in self.options():
                if option.scope is ConfigScope.GLOBAL:
                    name = option.option_name
                    raise ValueError(
                        f"{name} is a process-wide option: set it with gns_py.set_config(), not on {place}"
                    )
        return self.options()

    def __or__(self, other: Config) -> Config:
        if not isinstance(other, Config):
            return NotImplemented
        return Config(**(self._given() | other._given()))

    def __repr__(self) -> str:
        return f"Config({', '.join(f'{name}={value!r}' for name, value in self._given().items())})"

    def _given(self) -> dict[str, Any]:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}


def check_value(option: ConfigValue, value: object) -> OptionValue:
    """The value as the option's own type: int, float or str. Errors: as those of ``Config``."""
    name = option.option_name
    unit = f" in {option.unit}" if option.unit else ""
    if option.type is ConfigType.STRING:
        if not isinstance(value, str):
            raise TypeError(f"{name} takes a str, not {type(value).__name__}")
        if "\0" in value:
            raise ValueError(f"{name} has a NUL byte")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError(f"{name} cannot be written as UTF-8") from None
        return value
    if option.type in _INTEGERS:
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"{name} takes an int{unit}, not {type(value).__name__}")
    elif not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"{name} takes a float{unit}, not {type(value).__name__}")
    low, high = option.minimum, option.maximum
    assert low is not None
    assert high is not None
    if not low <= value <= high:  # not a number is not in range either
        raise ValueError(f"{name} is {value}: it must be {low} to {high}{unit}")
    return int(value) if option.type in _INTEGERS else float(value)
