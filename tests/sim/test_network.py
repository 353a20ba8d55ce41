"""Network: its parameters, the options that it sets and restores, and their effect in GNS."""

from __future__ import annotations

import dataclasses
import math
import pickle
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Barrier
from typing import Any

import pytest

import gns_py
import gns_py.sim
import gns_py.sync as gns
from gns_py import Config, ConfigValue
from gns_py.sim import Network

SIMULATION = {option: option.default for option in ConfigValue if option.option_name.startswith("fake_")}


def now() -> dict[ConfigValue, Any]:
    """Return the options of the simulation."""
    return {option: gns_py.get_config(option) for option in SIMULATION}


def changed() -> dict[str, Any]:
    """Return the options of the simulation that differ from their defaults."""
    return {option.option_name: value for option, value in now().items() if value != SIMULATION[option]}


# ---- the value -------------------------------------------------------------------------------------------------------


def test_it_is_an_immutable_value() -> None:
    network = Network(loss=5, lag=50)
    assert network == Network(lag=50, loss=5.0)
    assert hash(network) == hash(Network(loss=5.0, lag=50))
    assert pickle.loads(pickle.dumps(network)) == network
    assert dataclasses.replace(network, lag=0) == Network(loss=5)
    with pytest.raises(dataclasses.FrozenInstanceError):
        network.loss = 6  # type: ignore[misc]
    with pytest.raises(TypeError, match="positional"):
        Network(5)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("parameters", "exception", "message"),
    [
        ({"loss": 101}, ValueError, "loss is 101: it must be 0.0 to 100.0 in percent"),
        ({"loss": -1}, ValueError, "loss is -1: it must be 0.0 to 100.0 in percent"),
        ({"loss": math.nan}, ValueError, "loss is nan: it must be 0.0 to 100.0 in percent"),
        ({"loss": "much"}, TypeError, "loss takes a float in percent, not str"),
        ({"loss": True}, TypeError, "loss takes a float in percent, not bool"),
        ({"lag": 5001}, ValueError, "lag is 5001: it must be 0 to 5000 in ms"),
        ({"lag": 0.5}, TypeError, "lag takes an int in ms, not float"),
        ({"jitter": 501}, ValueError, "jitter is 501.0: it must be 0 to 500 in ms"),
        ({"reorder": 100.5}, ValueError, "reorder is 100.5: it must be 0.0 to 100.0 in percent"),
        ({"reorder_time": -1}, ValueError, "reorder_time is -1: it must be 0 to 5000 in ms"),
        ({"duplicate": 200}, ValueError, "duplicate is 200: it must be 0.0 to 100.0 in percent"),
        ({"duplicate_time": 9999}, ValueError, "duplicate_time is 9999: it must be 0 to 5000 in ms"),
        ({"rate": 0}, ValueError, "rate is 0: None is no limit, and loss=100 lets nothing through"),
        ({"rate": -5}, ValueError, "rate is -5: it must be 0 to 1073741824 in bytes/s"),
        ({"rate": 1e6}, TypeError, "rate takes an int in bytes/s, not float"),
        ({"burst": 0}, ValueError, "burst is 0: it must be 1 to 1048576 in bytes"),
        ({"direction": "up"}, ValueError, "direction is 'up': it must be 'send', 'recv' or 'both'"),
    ],
    ids=str,
)
def test_what_it_refuses(parameters: dict[str, Any], exception: type[Exception], message: str) -> None:
    with pytest.raises(exception) as info:
        Network(**parameters)
    assert str(info.value) == message


def test_repr_shows_what_is_given() -> None:
    assert repr(Network()) == "Network()"
    assert repr(Network(lag=50, loss=5, rate=1000, direction="both")) == (
        "Network(loss=5.0, lag=50, rate=1000, direction='both')"
    )


def test_the_config_has_every_option_of_its_direction() -> None:
    both = {option.option_name for option in SIMULATION}
    sending = {option.option_name for option, _ in Network().config().options()}
    receiving = {option.option_name for option, _ in Network(direction="recv").config().options()}
    assert sending | receiving == both == {each.option_name for each, _ in Network(direction="both").config().options()}
    assert sending & receiving == {"fake_packet_reorder_time", "fake_packet_dup_time_max"}
    assert all("_recv" not in name for name in sending)
    assert all("_send" not in name for name in receiving)


def test_the_config_says_the_same_in_gns_s_words() -> None:
    network = Network(
        loss=1, lag=2, jitter=3, reorder=4, reorder_time=5, duplicate=6, duplicate_time=7, rate=8, burst=9
    )
    assert network.config() == Config(
        fake_packet_loss_send=1,
        fake_packet_lag_send=2,
        fake_packet_jitter_send_avg=3,
        fake_packet_jitter_send_max=30,
        fake_packet_jitter_send_pct=100,
        fake_packet_reorder_send=4,
        fake_packet_reorder_time=5,
        fake_packet_dup_send=6,
        fake_packet_dup_time_max=7,
        fake_rate_limit_send_rate=8,
        fake_rate_limit_send_burst=9,
    )


def test_what_is_public() -> None:
    assert gns_py.sim.__all__ == ["Network"]


# ---- setting and putting back ----------------------------------------------------------------------------------------


def test_a_block_sets_and_puts_back() -> None:
    gns_py.start()
    with Network(loss=5, lag=50) as network:
        assert network == Network(loss=5, lag=50)
        assert changed().items() >= {"fake_packet_loss_send": 5.0, "fake_packet_lag_send": 50}.items()
    assert changed() == {}


def test_what_was_set_by_other_means_comes_back(process_config: Callable[[Config], None]) -> None:
    process_config(Config(fake_packet_loss_send=3.3, fake_packet_reorder_time=77, fake_packet_lag_recv=11))
    before = now()
    with Network(loss=50, reorder_time=5):
        assert gns_py.get_config(ConfigValue.FAKE_PACKET_LOSS_SEND) == 50
        assert gns_py.get_config(ConfigValue.FAKE_PACKET_LAG_RECV) == 11  # not its direction
    assert now() == before


def test_blocks_inside_each_other_each_hold_alone() -> None:
    gns_py.start()
    with Network(loss=5):
        outer = now()
        with Network(lag=50):
            assert changed().items() >= {"fake_packet_lag_send": 50}.items()
            assert "fake_packet_loss_send" not in changed()
            with Network(loss=100, direction="recv"):
                assert changed().items() >= {"fake_packet_lag_send": 50, "fake_packet_loss_recv": 100.0}.items()
        assert now() == outer
    assert changed() == {}


def test_the_same_value_may_be_entered_again_inside() -> None:
    gns_py.start()
    network = Network(loss=5)
    with network:
        first = now()
        with Network(), network:
            assert now() == first
        assert now() == first
    assert changed() == {}


def test_it_is_undone_when_the_block_raises() -> None:
    gns_py.start()
    with pytest.raises(KeyError), Network(loss=5):
        raise KeyError
    assert changed() == {}


def test_blocks_that_overlap() -> None:
    gns_py.start()
    first, second, third = Network(loss=1), Network(loss=2, direction="both"), Network(loss=3)
    for network in (first, second, third):
        network.__enter__()
    first.__exit__(None, None, None)
    assert gns_py.get_config(ConfigValue.FAKE_PACKET_LOSS_SEND) == 3
    third.__exit__(None, None, None)
    assert gns_py.get_config(ConfigValue.FAKE_PACKET_LOSS_SEND) == 2
    assert gns_py.get_config(ConfigValue.FAKE_PACKET_LOSS_RECV) == 2
    second.__exit__(None, None, None)
    assert changed() == {}


def test_blocks_in_many_threads_leave_nothing() -> None:
    gns_py.start()
    barrier = Barrier(8)

    def enter_and_leave(number: int) -> None:
        barrier.wait()
        for turn in range(20):
            with Network(loss=number, lag=turn, direction=("send", "recv", "both")[(number + turn) % 3]):
                time.sleep(0)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(enter_and_leave, range(8)))
    assert changed() == {}


def test_gns_is_left_as_it_was() -> None:
    with Network(loss=5):
        assert not gns_py.is_running()
        gns_py.start("str:alice")  # an identity can still be chosen
        assert gns_py.get_config(ConfigValue.FAKE_PACKET_LOSS_SEND) == 5
    assert gns_py.is_running()
    assert changed() == {}
    with Network(loss=5):
        gns_py.stop()
    assert not gns_py.is_running()
    assert changed() == {}  # reading options starts it


# ---- what it does ----------------------------------------------------------------------------------------------------

# Six standard deviations: a correct simulation fails once in 500 million runs.
SIGMAS = 6


@pytest.fixture
def ends(fast: gns.Config) -> Iterator[tuple[gns.Connection, gns.Connection]]:
    """Return two ends over UDP in this process."""
    first, second = gns.socket_pair(network=True)
    with first, second:
        for end in (first, second):
            end.set_config(fast)
        yield first, second


def send_packet(end: gns.Connection, size: int = 50) -> None:
    """Send an unreliable message in a packet of its own, and wait until it has left GNS."""
    end.send(bytes(size), reliable=False, nagle=False)
    while end.send_queue().messages or end.stats().pending_unreliable:
        time.sleep(0)


def received(end: gns.Connection, quiet: float = 0.3) -> list[gns.Message]:
    """Return all messages until none arrives for `quiet` seconds."""
    messages: list[gns.Message] = []
    try:
        while True:
            messages += end.recv_many(timeout=quiet)
    except TimeoutError:
        return messages


@pytest.mark.parametrize(
    ("networks", "share"),
    [
        ([Network()], 0.0),
        ([Network(loss=10)], 0.1),
        ([Network(loss=10, direction="recv")], 0.1),
        ([Network(loss=10, direction="both")], 0.19),  # both ends are here: each packet is sent and received
        ([Network(loss=10), Network(loss=30, direction="recv")], 0.37),
        ([Network(loss=100)], 1.0),
    ],
    ids=str,
)
def test_loss_is_that_share_of_the_packets_each_way(
    ends: tuple[gns.Connection, gns.Connection], networks: list[Network], share: float
) -> None:
    count = 1500
    with ExitStack() as stack:
        for network in networks:
            stack.enter_context(network)
        for _ in range(count):
            for end in ends:
                send_packet(end)
        lost = [count - len(received(end)) for end in ends]
    margin = SIGMAS * math.sqrt(count * share * (1 - share))
    assert lost == pytest.approx([count * share] * 2, abs=margin)


@pytest.mark.parametrize(
    ("network", "one_way"),
    [(Network(lag=40), 40), (Network(lag=40, direction="recv"), 40), (Network(lag=20, direction="both"), 40)],
    ids=str,
)
def test_lag_is_one_way(ends: tuple[gns.Connection, gns.Connection], network: Network, one_way: int) -> None:
    first, second = ends
    delays, round_trips = [], []
    with network:
        for _ in range(5):
            begin = gns_py.time_us()
            first.send(b"ping", nagle=False)
            delays.append((second.recv_message(5.0).received_us - begin) / 1000)
            second.send(b"pong", nagle=False)
            round_trips.append((first.recv_message(5.0).received_us - begin) / 1000)
    # Never sooner; and a busy machine does not delay all five.
    assert one_way <= min(delays) < one_way + 20
    assert 2 * one_way <= min(round_trips) < 2 * one_way + 30


def test_a_ping_has_the_lag_twice(ends: tuple[gns.Connection, gns.Connection]) -> None:
    first, second = ends
    with Network(lag=40):
        for _ in range(5):  # GNS measures when reliable data is acknowledged
            first.send(b"ping", nagle=False)
            second.recv(5.0)
            second.send(b"pong", nagle=False)
            first.recv(5.0)
        ping = first.stats().ping_ms
    assert ping is not None
    assert 80 <= ping < 150


def test_jitter_is_the_mean_of_further_delays(ends: tuple[gns.Connection, gns.Connection]) -> None:
    first, second = ends
    count, mean = 120, 6.0
    sent = []
    with Network(lag=10, jitter=mean):
        for _ in range(count):
            sent.append(gns_py.time_us())
            send_packet(first)
            time.sleep(3 * mean / 1000)  # with gaps, so that hardly any packet has to wait for a late one before it
        messages = received(second)
    assert [message.number for message in messages] == sorted(message.number for message in messages)
    assert len(messages) == count
    delays = [(message.received_us - begin) / 1000 for message, begin in zip(messages, sent, strict=True)]
    assert min(delays) >= 10
    extra = statistics.mean(delays) - 10
    # The mean of exponential delays deviates by mean / sqrt(count); waiting packets and timers add to it.
    assert mean * (1 - SIGMAS / math.sqrt(count)) < extra < 3 * mean
    assert statistics.stdev(delays) > mean / 3  # not a fixed delay


def test_reordered_packets_are_overtaken(ends: tuple[gns.Connection, gns.Connection]) -> None:
    first, second = ends
    count, share = 600, 0.1
    with Network(reorder=100 * share, reorder_time=20):
        for _ in range(count):
            send_packet(first)
            time.sleep(0.001)
        numbers = [message.number for message in received(second)]
    assert sorted(numbers) == list(range(1, count + 1))
    newest, late = 0, 0
    for number in numbers:
        late += number < newest
        newest = max(newest, number)
    assert late == pytest.approx(count * share, abs=SIGMAS * math.sqrt(count * share * (1 - share)))


def test_without_reordering_none_is_overtaken(ends: tuple[gns.Connection, gns.Connection]) -> None:
    first, second = ends
    with Network(lag=5):
        for _ in range(300):
            send_packet(first)
        numbers = [message.number for message in received(second)]
    assert numbers == list(range(1, 301))


def test_duplicates_reach_gns_and_go_no_further(ends: tuple[gns.Connection, gns.Connection]) -> None:
    first, second = ends
    count, share = 1000, 0.2
    with Network(duplicate=100 * share, duplicate_time=5):
        for _ in range(count):
            send_packet(first)
        assert len(received(second)) == count
    line = next(line for line in second.details().splitlines() if "Duplicate" in line)
    duplicates = int(line.split(":")[1].split()[0].replace(",", ""))
    # GNS's own few packets (acknowledgements and the like) are doubled, too.
    assert duplicates == pytest.approx(count * share, abs=SIGMAS * math.sqrt(count * share * (1 - share)) + 5)


@pytest.mark.parametrize("direction", ["send", "recv"])
def test_rate_is_what_gets_through(ends: tuple[gns.Connection, gns.Connection], direction: Any) -> None:
    first, second = ends
    rate, burst, size, seconds = 200_000, 10_000, 1000, 1.5
    with Network(rate=rate, burst=burst, direction=direction):
        begin = time.monotonic()
        while time.monotonic() < begin + seconds:
            send_packet(first, size)
            time.sleep(0.0005)  # about ten times the rate
        took = time.monotonic() - begin
        through = sum(len(message.data) for message in received(second))
    # Each has some 5 % of framing and encryption, which count; one packet may overdraw the burst.
    assert 0.8 * rate * seconds < through < rate * took + burst + 2 * size


def test_a_rate_that_suffices_loses_nothing(ends: tuple[gns.Connection, gns.Connection]) -> None:
    first, second = ends
    with Network(rate=1_000_000, burst=20_000):
        for _ in range(200):
            send_packet(first, 1000)
            time.sleep(0.004)
        assert len(received(second)) == 200


def test_reliable_messages_survive_all_of_it(ends: tuple[gns.Connection, gns.Connection]) -> None:
    first, second = ends
    messages = [number.to_bytes(4, "big") * 250 for number in range(300)]
    with Network(loss=10, lag=10, jitter=3, reorder=5, duplicate=5, rate=5_000_000, direction="both"):
        first.send_many(messages)
        assert [second.recv(10.0) for _ in messages] == messages
