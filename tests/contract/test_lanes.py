"""Lanes: order, shares, and the accuracy of the statistics.

The numbers of the two large tests are those of GNS's own lane tests.
"""

from __future__ import annotations

import random
import struct
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from support import eventually

import gns_py
import gns_py.sync as gns
from gns_py import Config, Message, MessageReceived

MESSAGE = bytes(1024)
PER_LANE = 128
# Bytes of a packet in addition to its message: headers, lane, numbers, the cipher's tag. GNS's queue times leave them
# out, so the n-th message arrives later than reported, by the time that n times these bytes take (measured: 30 to 31
# bytes).
FRAMING = 30


@pytest.fixture
def pair() -> Iterator[tuple[gns.Connection, gns.Connection]]:
    """Yield a pair over the network: in memory nothing waits, and lanes have no effect."""
    sender, reader = gns.socket_pair(network=True)
    with sender, reader:
        yield sender, reader


def rate(bytes_per_second: int, buffer: int = 1 << 20) -> Config:
    return Config(send_rate_min=bytes_per_second, send_rate_max=bytes_per_second, send_buffer_size=buffer)


def until_handed_over(sender: gns.Connection, size: int) -> None:
    """Wait until GNS has what was sent, except what has left already."""
    left = 16 * len(MESSAGE)
    eventually(
        lambda: sum(lane.pending_unreliable + lane.pending_reliable for lane in sender.lane_stats()) > size - left,
        what="the messages in their lanes",
    )


@pytest.mark.slow
def test_queue_and_drain(pair: tuple[gns.Connection, gns.Connection]) -> None:
    bytes_per_second = 128 * 1024
    tolerance_us = 50_000
    sender, reader = pair
    sender.set_config(rate(bytes_per_second))
    sender.configure_lanes(priorities=[2, 0, 1, 1], weights=[1, 1, 25, 75])
    for lane in range(4):
        sender.send_many([MESSAGE] * PER_LANE, reliable=False, lane=lane)
    until_handed_over(sender, 4 * PER_LANE * len(MESSAGE))
    began = gns_py.time_us()
    lanes = sender.lane_stats()
    for lane in range(4):
        assert sender.send(b"!", reliable=False, lane=lane) == PER_LANE + 1

    # The reported times follow from sizes, priorities and weights.
    waiting = [lane.pending_unreliable for lane in lanes]
    assert all(lane.pending_reliable == lane.sent_unacked_reliable == 0 for lane in lanes)
    assert all(PER_LANE * len(MESSAGE) - 16 * len(MESSAGE) < size <= PER_LANE * len(MESSAGE) for size in waiting)
    predicted = [lane.queue_time_us or 0 for lane in lanes]
    bytes_before = {
        1: waiting[1],
        3: waiting[1] + waiting[3] * 100 / 75,
        2: waiting[1] + waiting[3] + waiting[2],
        0: sum(waiting),
    }
    for lane, size in bytes_before.items():
        assert predicted[lane] == pytest.approx(size / bytes_per_second * 1e6, abs=tolerance_us)

    # The messages arrive at the reported times.
    messages = [reader.recv_message(timeout=10.0) for _ in range(4 * (PER_LANE + 1))]
    done = {message.lane: message for message in messages if message.data == b"!"}
    assert list(done) == [1, 3, 2, 0]
    for lane, last in done.items():
        expected = predicted[lane] * (1 + FRAMING / len(MESSAGE))
        assert last.received_us - began == pytest.approx(expected, abs=tolerance_us)

    for lane in range(4):
        mine = [message for message in messages if message.lane == lane]
        assert [message.number for message in mine] == list(range(1, PER_LANE + 2))
        assert not any(message.reliable for message in mine)
    # Some packets leave before everything is queued, and GNS assembles a packet while another is being sent.
    early = messages[:4]
    order = [message.lane for message in messages[4:]]
    assert all(message.lane in (0, 1) for message in early)
    first = min(order.index(2), order.index(3))
    assert set(order[:first]) == {1}
    third = len(order) - order[::-1].index(3)
    assert set(order[first:third]) == {2, 3}
    shares = Counter(order[first:third])
    assert shares[2] / shares[3] == pytest.approx(25 / 75, rel=0.05)
    second = len(order) - order[::-1].index(2)
    assert Counter(order[third:second])[0] <= 2
    assert set(order[second:]) == {0}


GAMEPLAY, URGENT, BACKGROUND = range(3)


@pytest.mark.slow
def test_priority_and_background(
    pair: tuple[gns.Connection, gns.Connection], process_config: Callable[[Config], None]
) -> None:
    seconds, large = 10.0, 512 * 1024
    server, client = pair
    server.set_config(rate(256 * 1024, 2 * large + 64 * 1024))
    server.configure_lanes(priorities=[1, 0, 1], weights=[75, 1, 25])
    process_config(
        Config(
            fake_packet_loss_send=2, fake_packet_lag_send=50, fake_packet_reorder_send=0.5, fake_packet_reorder_time=25
        )
    )
    rng = random.Random(4)
    sent: list[list[int]] = [[], [], []]  # the numbers of the reliable ones
    received: list[list[Message]] = [[], [], []]

    def send(lane: int, size: int, reliable: bool) -> None:
        data = struct.pack("<q", gns_py.time_us()) + bytes(size - 8)
        number = server.send(data, reliable=reliable, nagle=lane == BACKGROUND, lane=lane)
        if reliable:
            sent[lane].append(number)

    def read(timeout: float) -> None:
        for event in client.poll(timeout):
            if isinstance(event, MessageReceived):
                received[event.message.lane].append(event.message)
        server.poll()

    began = gns_py.time_us()
    next_gameplay, next_urgent = began, began
    while (now := gns_py.time_us()) < began + seconds * 1e6:
        queue = server.send_queue()
        if queue.bytes + large + 32 * 1024 < queue.max_bytes:
            send(BACKGROUND, large, True)
        if now >= next_urgent:
            send(URGENT, rng.randint(100, 500), True)
            next_urgent = now + rng.randint(500_000, 1_500_000)
        if now >= next_gameplay:
            send(GAMEPLAY, rng.randint(1000, 5000), rng.random() < 0.3)
            client.send(bytes(rng.randint(100, 2000)), reliable=rng.random() < 0.3, nagle=False)
            next_gameplay += 1_000_000 // 30
        read(max(0.0, min(next_gameplay, next_urgent) - gns_py.time_us()) / 1e6)
    until = gns_py.time_us() + 20e6
    while server.send_queue().messages and gns_py.time_us() < until:
        read(0.05)
    read(0.2)

    latencies = []
    for lane, messages in enumerate(received):
        numbers = [message.number for message in messages if message.reliable]
        assert numbers == sent[lane]  # each once, in order, and none is missing
        if lane != GAMEPLAY:
            assert numbers == list(range(1, len(numbers) + 1))
        times = sorted(message.received_us - struct.unpack_from("<q", message.data)[0] for message in messages)
        latencies.append(times[len(times) // 2] / 1e6)
    assert len(received[URGENT]) >= 6
    assert len(received[BACKGROUND]) >= 2
    assert len(received[GAMEPLAY]) > 0.8 * 30 * seconds
    # The lag is 0.05 s. An urgent message waits for what is being sent, a background one for much more.
    assert 0.04 < latencies[URGENT] < 0.15
    assert latencies[BACKGROUND] > 1.0
    assert client.state is server.state is gns.ConnectionState.CONNECTED


@pytest.mark.parametrize(("weights", "share"), [([1, 1], 0.5), ([1, 3], 0.75), ([9, 1], 0.1), (None, 0.5)])
def test_weights_share_one_priority(
    pair: tuple[gns.Connection, gns.Connection], weights: list[int] | None, share: float
) -> None:
    sender, reader = pair
    sender.set_config(rate(400_000))
    sender.configure_lanes([7, 7], weights)
    for lane in (0, 1):
        sender.send_many([MESSAGE] * 200, lane=lane)
    lanes = [reader.recv_message(timeout=5.0).lane for _ in range(400)]
    ends = min(len(lanes) - lanes[::-1].index(lane) for lane in (0, 1))  # when one of them has sent everything
    middle = lanes[5 : ends - 5]
    assert Counter(middle)[1] / len(middle) == pytest.approx(share, abs=0.04)


def test_priorities_can_change_while_messages_wait(pair: tuple[gns.Connection, gns.Connection]) -> None:
    sender, reader = pair
    sender.set_config(rate(400_000))
    sender.configure_lanes([0, 1])
    for lane in (0, 1):
        sender.send_many([MESSAGE] * 200, reliable=False, lane=lane)
    lanes = [reader.recv_message(timeout=5.0).lane for _ in range(50)]
    assert Counter(lanes)[1] <= 2
    sender.configure_lanes([1, 0])
    lanes = [reader.recv_message(timeout=5.0).lane for _ in range(350)]
    turned = lanes.index(1)
    assert turned < 20
    assert Counter(lanes[turned : turned + 198])[0] <= 4
    assert set(lanes[-100:]) == {0}


@pytest.mark.parametrize(
    "steps",
    [
        [[1, 0], [0, 0]],
        [[2, 1, 0], [0, 0, 0]],
        [[1, 0], [0, 1], [1, 0], [0, 0, 0]],
        [[5, 4, 3, 2, 1, 0, -1, -2], [0] * 8, [0, 1, 2, 3, 4, 5, 6, 7]],
    ],
    ids=str,
)
def test_lanes_can_be_configured_again(pair: tuple[gns.Connection, gns.Connection], steps: list[list[int]]) -> None:
    """GNS, unmended, wrote beyond its memory in the first of these and then stopped sending."""
    sender, reader = pair
    for priorities in steps:
        sender.configure_lanes(priorities)
        for lane in range(len(priorities)):
            sender.send(bytes([lane]), lane=lane)
        assert sorted(reader.recv(timeout=5.0) for _ in priorities) == [
            bytes([lane]) for lane in range(len(priorities))
        ]
    # The last configuration is in force.
    sender.set_config(rate(400_000))
    for lane in range(len(priorities)):
        sender.send_many([MESSAGE] * 30, reliable=False, lane=lane)
    lanes = [reader.recv_message(timeout=5.0).lane for _ in range(30 * len(priorities))]
    ends = [len(lanes) - lanes[::-1].index(lane) for lane in range(len(priorities))]
    if len(set(priorities)) == 1:
        assert min(ends) > len(lanes) * 0.7
    else:
        assert ends == sorted(ends)


def test_each_lane_tells_of_its_own(pair: tuple[gns.Connection, gns.Connection]) -> None:
    sender, reader = pair
    sender.set_config(rate(100_000))
    sender.configure_lanes([0, 1, 2])
    sender.send_many([MESSAGE] * 20, lane=0)
    sender.send_many([MESSAGE] * 30, reliable=False, lane=1)
    until_handed_over(sender, 50 * len(MESSAGE))
    first, second, third = sender.lane_stats()
    assert first.pending_reliable > 0
    assert first.pending_unreliable == 0
    assert second.pending_unreliable == 30 * len(MESSAGE)
    assert second.pending_reliable == second.sent_unacked_reliable == 0
    assert third.pending_reliable == third.pending_unreliable == third.sent_unacked_reliable == 0
    times = [lane.queue_time_us for lane in (first, second, third)]
    assert None not in times
    assert 0 < (times[0] or 0) < (times[1] or 0) <= (times[2] or 0)
    for _ in range(50):
        reader.recv(timeout=5.0)
    eventually(lambda: all(sum(lane[:3]) == 0 for lane in sender.lane_stats()), what="the lanes empty")
    assert len(reader.lane_stats()) == 1  # lanes belong to the sender


def test_lanes_are_each_end_s_own(pair: tuple[gns.Connection, gns.Connection]) -> None:
    first, second = pair
    first.configure_lanes([0] * 8)
    second.configure_lanes([0, 0])
    for lane in range(8):
        assert first.send(bytes([lane]), lane=lane) == 1
    with pytest.raises(ValueError, match="lane 2 is not configured: this connection has 2"):
        second.send(b"", lane=2)
    assert second.send(b"back", lane=1) == 1
    got = {message.lane: message.data for message in (second.recv_message(timeout=5.0) for _ in range(8))}
    assert got == {lane: bytes([lane]) for lane in range(8)}
    assert first.recv_message(timeout=5.0).lane == 1


def test_a_lane_does_not_wait_for_what_another_has_lost(
    pair: tuple[gns.Connection, gns.Connection], process_config: Callable[[Config], None]
) -> None:
    """Order holds within a lane and not across lanes: reliable messages of one go on past a gap in another."""
    sender, reader = pair
    sender.configure_lanes([0, 0])
    process_config(Config(fake_packet_loss_send=30))
    for _ in range(150):
        for lane in (0, 1):
            sender.send(b"x" * 600, lane=lane, nagle=False)
    messages = [reader.recv_message(timeout=20.0) for _ in range(300)]
    for lane in (0, 1):
        assert [message.number for message in messages if message.lane == lane] == list(range(1, 151))
    ahead = 0
    numbers = [0, 0]
    for message in messages:
        numbers[message.lane] = message.number
        ahead = max(ahead, abs(numbers[0] - numbers[1]))
    assert ahead > 2
