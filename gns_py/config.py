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

    A Config is immutable. Options that are missing or None keep their current value where the Config is used: that of
    the listen socket or the process, or GNS's default. ``a | b`` has the options of both; b takes precedence.

    Raises:
        TypeError: An option does not exist, or its value has the wrong type. (An int is accepted for a float, a bool
            never.)
        ValueError: A value is out of range (GNS itself would silently clamp it), or a text has a NUL byte.
    """

    # Runs before the constructor that dataclass generates, which has no hints for near misses and reserved names.
    def __new__(cls, **options: object) -> Config:
        """Check the names of the options. See the class."""
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
        """Return options for a few peers on the same fast, clean network: a gigabit or more, latency below 1 ms.

        Change them with ``|``. docs/measurements/presets.md has the measurements behind them.

        - send_rate_min=20,000,000, send_rate_max=20,000,000 bytes/s: a few such connections fill a gigabit. At higher
          rates small messages wait longer, and in the end the receiver cannot keep up and drops packets, so that
          transfers take longer, too.
        - send_buffer_size=4,194,304 bytes: acknowledgements arrive up to 50 ms late, so a smaller buffer limits the
          rate.
        - max_unacked_segments=4,096: enough for that rate, and it limits the memory for small messages that a peer
          does not acknowledge.
        - nagle_time=0 us: small messages arrive sooner, for more packets, which are cheap on such a network.
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
        """Return options for peers across the internet, from 10 Mbit/s in the direction in which data flows.

        Change them with ``|``. docs/measurements/presets.md has the measurements behind them.

        - send_rate_min=512,000, send_rate_max=512,000 bytes/s: twice GNS's default, less than half of 10 Mbit/s. GNS
          has no congestion control: above the link's rate, transfers take longer and small messages wait many times as
          long. Use less for slower links or several connections over one link; a link that is known to be faster
          tolerates up to four fifths of its rate.
        - send_buffer_size=1,048,576 bytes: two of the largest messages. 512 KiB suffice for the rate.
        - max_unacked_segments=4,096: far more than the rate needs, and it limits the memory for small messages that
          a peer does not acknowledge.

        Everything else keeps GNS's defaults: its nagle_time of 5 ms saves most of the packets of frequent small
        messages, and the game decides how long an outage to tolerate.
        """
        return cls(
            send_rate_min=512_000,
            send_rate_max=512_000,
            send_buffer_size=1 << 20,
            max_unacked_segments=4096,
        )

    @classmethod
    def server(cls) -> Config:
        """Return options for a server with hundreds of connections across the internet: internet() with tight limits.

        docs/measurements/presets.md has the measurements behind them.

        - send_rate_min=512,000, send_rate_max=512,000 bytes/s, send_buffer_size=1,048,576 bytes: see internet().
        - max_unacked_segments=2,048: limits the memory for a client that stops acknowledging to 2 MiB.
        - recv_queue_bytes=1,048,576 bytes, recv_queue_messages=4,096: limit the memory for a client whose
          messages are not read, because it floods or the program hangs, to a few MiB; then the client is closed with
          MESSAGE_QUEUE_LIMIT_REACHED. A client that sends 60 small messages per second reaches the limit after a
          minute.
        """
        return cls.internet() | cls(
            max_unacked_segments=2048,
            recv_queue_bytes=1 << 20,
            recv_queue_messages=4096,
        )

    @classmethod
    def secure(cls) -> Config:
        """Return options that keep a connection encrypted, whatever the process and the peer prefer.

        Combine them with another preset: ``Config.server() | Config.secure()``. They demand no proof of the peer's
        identity, since that is not left to options: see ``require_authentication`` of start(), listen() and serve(),
        and ``expect`` of connect(). The guide to authentication says why.

        - unencrypted=0: a peer that insists on sending in the clear is refused in the handshake, with
          REMOTE_BAD_CRYPT. This is GNS's default, which set_config() can change for the whole process.
        """
        return cls(unencrypted=0)

    def options(self) -> list[tuple[ConfigValue, OptionValue]]:
        """Return the options that are set, with their values."""
        return [(ConfigValue[name.upper()], value) for name, value in self._given().items()]

    def options_for(self, scope: ConfigScope) -> list[tuple[ConfigValue, OptionValue]]:
        """Return the options that are set, with their values, for use at a scope.

        Args:
            scope: The scope: GLOBAL, LISTEN_SOCKET or CONNECTION.

        Raises:
            ValueError: An option cannot be set at this scope.
        """
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
    """Return the value as the option's own type: int, float or str.

    Raises:
        TypeError: The value has the wrong type.
        ValueError: The value is out of range, or a text that cannot be passed on.
    """
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
            raise ValueError(f"{name} cannot be encoded as UTF-8") from None
        return value
    if option.type in _INTEGERS:
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"{name} takes an int{unit}, not {type(value).__name__}")
    elif not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"{name} takes a float{unit}, not {type(value).__name__}")
    low, high = option.minimum, option.maximum
    assert low is not None
    assert high is not None
    if not low <= value <= high:  # also rejects NaN
        raise ValueError(f"{name} is {value}: it must be {low} to {high}{unit}")
    return int(value) if option.type in _INTEGERS else float(value)
