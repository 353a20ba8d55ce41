"""Network: GNS's simulation of a network, as a value."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from types import TracebackType
from typing import Any, Literal, TypeAlias, get_args

from .._core import runtime
from .._generated.enums import ConfigValue
from ..config import Config, OptionValue, check_value

Direction: TypeAlias = Literal["send", "recv", "both"]

_OPTIONS = {
    "loss": "fake_packet_loss_{}",
    "lag": "fake_packet_lag_{}",
    "jitter": "fake_packet_jitter_{}_avg",
    "reorder": "fake_packet_reorder_{}",
    "reorder_time": "fake_packet_reorder_time",
    "duplicate": "fake_packet_dup_{}",
    "duplicate_time": "fake_packet_dup_time_max",
    "rate": "fake_rate_limit_{}_rate",
    "burst": "fake_rate_limit_{}_burst",
}
# GNS cuts the delays off at a maximum, of at most 5 s. At ten times the mean that is one in 22,000, and the mean holds.
_LONGEST_JITTER = 10
_JITTER_LIMIT = 500


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Network:
    """What the network between the two ends is like: ``Network(loss=5, lag=50)``. Nothing given: a perfect one.

    As a context manager it holds for the whole process while the block runs, whatever network held before, and at the
    end, also by an exception, each option has the value it had before. Blocks may be nested, and overlap in threads and
    tasks: the last one entered holds. In asyncio code it is a plain ``with``. GNS is left running if it was, else not.

    direction: whose packets. "send", the default: those that this process sends. That is right where both ends of a
    connection are in this process, as in most tests: each packet is sent once by it, so loss=5 means 5 % each way, and
    lag=50 means 50 ms each way, a round trip of 100. "both": those that it sends and those that it receives, for where
    only one end is in this process; with both ends in it, each packet would be treated twice. "recv": those that it
    receives; together with a second Network, of "send", a way in that differs from the way out.

    It is GNS's own simulation, in its UDP sockets, so a socket_pair() in memory does not notice it. Packets already
    under way when a network comes or goes keep their delay.

    Errors: TypeError, ValueError. Native: the global options fake_...
    """

    loss: float = 0.0
    """Packets that vanish, in percent."""
    lag: int = 0
    """Delay of every packet one way, in ms, 0 to 5000. The round trip has it twice."""
    jitter: float = 0.0
    """Mean of a further delay, drawn anew for each packet, in ms, 0 to 500: exponential, so one in 20 has 3 times that.

    Packets stay in order: those behind a late one are late, too. All connections of the process share this order.
    """
    reorder: float = 0.0
    """Packets that are held back by reorder_time, so that those behind overtake them, in percent."""
    reorder_time: int = 15
    """For how long, in ms, 0 to 5000. One value for both directions."""
    duplicate: float = 0.0
    """Packets that arrive twice, in percent. GNS drops the second, so that only statistics and CPU notice."""
    duplicate_time: int = 10
    """How long after the first, at most, in ms, 0 to 5000. One value for both directions."""
    rate: int | None = None
    """Bandwidth in bytes/s, UDP payload, 1 to 2**30; None for no limit. What exceeds it is thrown away, not queued.

    One limit for all that this process sends (or receives), all connections together: with both ends in this process
    their directions share it.
    """
    burst: int = 16384
    """What may exceed the rate for a moment, in bytes, 1 to 1048576: as a small buffer on the way would let it."""
    direction: Direction = "send"
    """Whose packets: "send", "recv" or "both", as said above."""

    def __post_init__(self) -> None:
        if self.direction not in get_args(Direction):
            raise ValueError(f"direction is {self.direction!r}: it must be 'send', 'recv' or 'both'")
        for name, option_name in _OPTIONS.items():
            value = getattr(self, name)
            if name != "rate" or value is not None:
                object.__setattr__(self, name, _checked(name, option_name.format("send"), value))
        if self.jitter > _JITTER_LIMIT:
            raise ValueError(f"jitter is {self.jitter}: it must be 0 to {_JITTER_LIMIT} in ms")
        if self.rate == 0:
            raise ValueError("rate is 0: None is no limit, and loss=100 lets nothing through")
        if self.burst == 0:  # GNS would let nothing through
            raise ValueError("burst is 0: it must be 1 to 1048576 in bytes")

    def __repr__(self) -> str:
        given = {
            each.name: getattr(self, each.name) for each in fields(self) if getattr(self, each.name) != each.default
        }
        return f"Network({', '.join(f'{name}={value!r}' for name, value in given.items())})"

    def config(self) -> Config:
        """The options that make it, for gns_py.set_config(): all of its directions, also those that switch off."""
        options: dict[str, Any] = {}
        for way in ("send", "recv") if self.direction == "both" else (self.direction,):
            options |= {option.format(way): getattr(self, name) for name, option in _OPTIONS.items()}
            options[f"fake_rate_limit_{way}_rate"] = self.rate or 0
            options[f"fake_packet_jitter_{way}_max"] = self.jitter * _LONGEST_JITTER
            options[f"fake_packet_jitter_{way}_pct"] = 100.0
        return Config(**options)

    def __enter__(self) -> Network:
        config = self.config()
        with _lock, _gns():
            _blocks.append((self, {option: runtime.get_config(option) for option, _ in config.options()}))
            runtime.set_config(config)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with _lock, _gns():
            runtime.set_config(_leave(self))


def _checked(name: str, option_name: str, value: object) -> OptionValue:
    try:
        return check_value(ConfigValue[option_name.upper()], value)
    except (TypeError, ValueError) as error:
        raise type(error)(name + str(error).removeprefix(option_name)) from None


# The blocks that run, oldest first, each with the values that its options had before it.
_blocks: list[tuple[Network, dict[ConfigValue, OptionValue]]] = []
_lock = threading.Lock()


def _leave(network: Network) -> Config:
    """Takes the network's block off the list and returns what is to be set now."""
    index = max(index for index, (entered, _) in enumerate(_blocks) if entered is network)
    _, before = _blocks.pop(index)
    for _, later in _blocks[index:]:  # overlapping: a block that goes on holds, and puts these values back when it ends
        for option in before.keys() & later.keys():
            later[option] = before.pop(option)
    return _as_config(before.items())


def _as_config(options: Iterable[tuple[ConfigValue, OptionValue]]) -> Config:
    values: dict[str, Any] = {option.option_name: value for option, value in options}
    return Config(**values)


@contextmanager
def _gns() -> Iterator[None]:
    """GNS runs, as it must for options to be set; afterwards only if it did, so that start() is still possible."""
    was_running = runtime.is_running()
    runtime.ensure_started()
    try:
        yield
    finally:
        if not was_running:
            runtime.stop()
