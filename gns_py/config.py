"""Options of connections, listen sockets and the whole process."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, fields
from typing import Any

from ._generated.config_fields import REFUSED, ConfigFields
from ._generated.enums import ConfigScope, ConfigType, ConfigValue

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

    @classmethod
    def lan(cls) -> Config:
        """For few peers on the same fast, clean network: a gigabit and more, below a millisecond. Change it with ``|``.

        Measured over loopback on two cores by benchmarks/presets.py; docs/presets.md has the tables.

        - send_rate_min=20,000,000, send_rate_max=20,000,000 bytes/s: six such connections fill a gigabit. 32 MiB took
          1.7 s without a loss, small messages beside it at most 4 ms; at 40 MB/s 29 ms, and at 60 MB/s packets are
          lost that the receiver has no time for, so that all takes longer than at 30.
        - send_buffer_size=4,194,304 bytes: acknowledgements come up to 50 ms late, so that with GNS's 512 KiB the same
          rate gives 5 MB/s, with 2 MiB 16 MB/s.
        - max_unacked_segments=4,096: enough for that rate (at 2,048 it is 11 MB/s), and it bounds the memory for small
          messages that a peer does not acknowledge.
        - nagle_time=0 us: small messages arrive after 0.1 instead of 3 ms, for more packets, which are cheap here, and
          no more CPU.
        """
        return cls(
            send_rate_min=20_000_000,
            send_rate_max=20_000_000,
            send_buffer_size=4 << 20,
            max_unacked_segments=4096,
            nagle_time=0,
        )

    @classmethod
    def internet(cls) -> Config:
        """For peers across the internet, from 10 Mbit/s in the direction that data takes. Change it with ``|``.

        Measured on simulated links (10 and 50 Mbit/s, 20 to 100 ms, 1 to 2 % loss) by benchmarks/presets.py;
        docs/presets.md has the tables.

        - send_rate_min=512,000, send_rate_max=512,000 bytes/s: twice GNS's rate, not half of 10 Mbit/s. GNS has no
          congestion control: at twice the link's rate 2 MiB took 1.2 to 2.7 times as long as at 512 kB/s, small
          messages beside it 250 to 1,200 ms instead of 15 to 65. A slower link, or several connections over one, need
          less; one that is known to be faster bears more, up to four fifths of it.
        - send_buffer_size=1,048,576 bytes: two of the largest messages; 512 KiB suffice for the rate, at 256 KiB it
          falls by a fifth.
        - max_unacked_segments=4,096: far more than the rate needs, and it bounds the memory for small messages that a
          peer does not acknowledge.

        The rest is GNS's: its nagle_time of 5 ms saves two thirds of the packets of frequent small messages, and how
        long an outage shall be outlasted is for the game to say.
        """
        return cls(
            send_rate_min=512_000,
            send_rate_max=512_000,
            send_buffer_size=1 << 20,
            max_unacked_segments=4096,
        )

    @classmethod
    def server(cls) -> Config:
        """For the server's end of hundreds of connections across the internet: internet(), and tight bounds.

        Measured by benchmarks/presets.py; docs/presets.md has the tables.

        - send_rate_min=512,000, send_rate_max=512,000 bytes/s, send_buffer_size=1,048,576 bytes: as internet().
        - max_unacked_segments=2,048: a client that stops acknowledging costs at most 2 MiB.
        - recv_queue_bytes=1,048,576 bytes, recv_queue_messages=4,096: a client whose messages are not read, because it
          floods or the program hangs, costs at most 2.6 MiB instead of 40 before it is closed with
          MESSAGE_QUEUE_LIMIT_REACHED. A client that sends 60 small messages a second gets there after a minute.
        """
        return cls.internet() | cls(
            max_unacked_segments=2048,
            recv_queue_bytes=1 << 20,
            recv_queue_messages=4096,
        )

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
