"""Network: the conditions that GNS simulates, as a value."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from types import TracebackType
from typing import Any, Literal, TypeAlias, get_args

from .. import Config, ConfigValue, get_config, is_running, set_config, start, stop
from ..config import OptionValue, check_value

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
# GNS limits delays to a maximum of at most 5 s. At ten times the mean, one in 22,000 is limited, and the mean holds.
_LONGEST_JITTER = 10
_JITTER_LIMIT = 500


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Network:
    """The network between two ends: ``Network(loss=5, lag=50)``. Without arguments, a perfect network.

    As a context manager it applies to the whole process while the block runs. When the block ends, also by an
    exception, each option has its previous value again. Blocks can be nested, and can overlap in threads and tasks:
    the one entered last applies. In asyncio code it is a plain ``with``. GNS is left running only if it ran before.

    By default the packets that this process sends are affected. That suits processes with both ends of a connection,
    as in most tests: the process sends each packet once, so that loss=5 means 5 % each way, and lag=50 means 50 ms each
    way, a round trip of 100 ms. See `direction` for other cases.

    GNS simulates the network in its UDP sockets, so a socket_pair() in memory is not affected. Packets under way when a
    network is entered or left keep their delay.

    Raises:
        TypeError: A parameter has the wrong type.
        ValueError: A parameter is out of range.

    Note:
        Native options: the global ones named ``fake_...``.
    """

    loss: float = 0.0
    """The share of packets that are lost, in percent."""
    lag: int = 0
    """The delay of every packet, one way, in ms, 0 to 5000. A round trip takes twice that."""
    jitter: float = 0.0
    """The mean of an additional random delay of each packet, in ms, 0 to 500.

    It is distributed exponentially: one delay in 20 is 3 times the mean or more. Packets stay in order, so that a late
    packet delays those behind it. All connections of the process share this order.
    """
    reorder: float = 0.0
    """The share of packets that are held back by `reorder_time`, so that later ones overtake them, in percent."""
    reorder_time: int = 15
    """How long packets are held back, in ms, 0 to 5000. One value for both directions."""
    duplicate: float = 0.0
    """The share of packets that arrive twice, in percent. GNS drops the second; only statistics and CPU use show it."""
    duplicate_time: int = 10
    """The longest time between a packet and its duplicate, in ms, 0 to 5000. One value for both directions."""
    rate: int | None = None
    """The bandwidth in bytes/s of UDP payload, 1 to 2**30; None for no limit. Excess packets are dropped, not queued.

    The limit applies to all connections together that this process sends on (or receives on): with both ends in this
    process, both directions share it.
    """
    burst: int = 16384
    """The bytes that may briefly exceed the rate, 1 to 1048576, as with a small buffer on the way."""
    direction: Direction = "send"
    """The packets affected: those that this process sends ("send"), receives ("recv"), or both ("both").

    Use "both" if only one end of a connection is in this process; with both ends in it, each packet would be affected
    twice. Use "recv" together with a second Network of direction "send" for a way in that differs from the way out.
    """

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
        """Return the options for gns_py.set_config(): all of its directions, including those that disable something."""
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
            _blocks.append((self, {option: get_config(option) for option, _ in config.options()}))
            set_config(config)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with _lock, _gns():
            set_config(_leave(self))


def _checked(name: str, option_name: str, value: object) -> OptionValue:
    try:
        return check_value(ConfigValue[option_name.upper()], value)
    except (TypeError, ValueError) as error:
        raise type(error)(name + str(error).removeprefix(option_name)) from None


# The running blocks, oldest first, each with the previous values of its options.
_blocks: list[tuple[Network, dict[ConfigValue, OptionValue]]] = []
_lock = threading.Lock()


def _leave(network: Network) -> Config:
    """Remove the network's last block from the list, and return the options to set now."""
    index = max(index for index, (entered, _) in enumerate(_blocks) if entered is network)
    _, before = _blocks.pop(index)
    for _, later in _blocks[
        index:
    ]:  # overlapping: the later block stays in force and restores these values when it ends
        for option in before.keys() & later.keys():
            later[option] = before.pop(option)
    return _as_config(before.items())


def _as_config(options: Iterable[tuple[ConfigValue, OptionValue]]) -> Config:
    values: dict[str, Any] = {option.option_name: value for option, value in options}
    return Config(**values)


@contextmanager
def _gns() -> Iterator[None]:
    """Run GNS, as options need it, and stop it afterwards unless it ran before: a program can still start() it."""
    was_running = is_running()
    if not was_running:
        start()
    try:
        yield
    finally:
        if not was_running:
            stop()
