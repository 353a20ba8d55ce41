"""Messages of all sizes, kinds and lanes arrive as they were sent."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.platforms import RATE

import gns_py.sync as gns
from gns_py.sync.connection import Connection

LARGEST = 524_288
LANES = 4
# Around the limits of packets (MTU 1300), of unreliable messages (15 pieces of 1,100), and of length fields.
EDGES = sorted(
    {0, 1, 2, 7, 8, 9, LARGEST - 1, LARGEST}
    | {
        edge + delta
        for edge in (127, 255, 1100, 1200, 1248, 1300, 16_384, 16_500, 65_535, 262_144)
        for delta in (-1, 0, 1)
    }
)
sizes = st.one_of(st.sampled_from(EDGES), st.integers(0, 2000), st.integers(0, LARGEST))
messages = st.tuples(sizes, st.booleans(), st.booleans(), st.integers(0, LANES - 1), st.integers(0, 2**32))


def content(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)


@pytest.fixture
def lanes(
    make_pair: Callable[..., tuple[Connection, Connection]], bulk: Callable[..., gns.Config]
) -> Callable[[], tuple[Connection, Connection]]:
    # Faster than RATE, the two ends on one machine lose unreliable packets to full socket buffers.
    config = bulk(send_rate_min=RATE, send_rate_max=RATE, recv_queue_bytes=256 << 20)
    return lambda: make_pair(config)


def exchange(sender: Connection, receiver: Connection, batch: list[tuple[int, bool, bool, int, int]]) -> None:
    """Send a batch and read until all reliable messages have arrived; check order and contents on each lane."""
    sent: dict[tuple[int, int], tuple[bytes, bool]] = {}
    for size, reliable, nagle, lane, seed in batch:
        data = content(size, seed)
        while True:
            try:
                number = sender.send(data, reliable=reliable, nagle=nagle, lane=lane)
                break
            except gns.SendQueueFull:
                sender.drain(timeout=20)
        assert (lane, number) not in sent
        sent[lane, number] = (data, reliable)
    # One reliable message per lane is the last there.
    last = {(lane, sender.send(b"last", lane=lane)) for lane in range(LANES)}
    missing = {key for key, (_, reliable) in sent.items() if reliable} | last
    newest = dict.fromkeys(range(LANES), 0)
    seen = set()
    while missing:
        message = receiver.recv_message(timeout=20)
        key = message.lane, message.number
        assert key not in seen, "doubled"
        seen.add(key)
        if key in last:
            assert message.data == b"last"
        else:
            data, reliable = sent[key]
            assert message.data == data
            # Unreliable messages of more than 15 pieces are sent reliably.
            assert message.reliable == reliable or (message.reliable and len(data) > 16_000)
        if message.reliable:
            assert message.number > newest[message.lane], "out of order"
            newest[message.lane] = message.number
        missing.discard(key)


def test_random_batches_arrive_intact(lanes: Callable[[], tuple[Connection, Connection]]) -> None:
    a, b = lanes()
    a.configure_lanes([0] * LANES)
    b.configure_lanes([0, 1, 2, 3], [1, 2, 3, 4])

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
    @given(st.lists(messages, max_size=12), st.booleans())
    def run(batch: list[tuple[int, bool, bool, int, int]], backwards: bool) -> None:
        exchange(*((b, a) if backwards else (a, b)), batch)

    run()


@pytest.mark.parametrize("size", EDGES)
def test_every_edge_arrives_intact(lanes: Callable[[], tuple[Connection, Connection]], size: int) -> None:
    a, b = lanes()
    a.configure_lanes([0] * LANES)
    exchange(
        a,
        b,
        [
            (size, reliable, nagle, lane, lane)
            for reliable in (True, False)
            for nagle in (True, False)
            for lane in range(LANES)
        ],
    )
    # Alone and unreliable, on an idle connection, it arrives as well.
    a.send(content(size, 1), reliable=False)
    message = b.recv_message(timeout=5)
    while message.number <= 1 or message.data != content(size, 1):
        message = b.recv_message(timeout=5)
    with pytest.raises(gns.MessageTooLarge, match="524288 bytes, not 524289"):
        a.send(bytes(LARGEST + 1))
    a.send(b"still fine")
    assert b.recv(timeout=5) == b"still fine"


@pytest.mark.parametrize("loss", [2, 10])
def test_batches_arrive_intact_over_a_bad_network(
    lanes: Callable[[], tuple[Connection, Connection]], simulate: Callable[..., None], loss: int
) -> None:
    a, b = lanes()
    a.configure_lanes([0] * LANES)
    simulate(
        fake_packet_loss_send=loss,
        fake_packet_lag_send=5,
        fake_packet_reorder_send=loss,
        fake_packet_dup_send=loss,
    )
    generator = random.Random(loss)
    for _ in range(5):
        batch = [
            (
                generator.choice([*EDGES, generator.randrange(50_000)]),
                generator.random() < 0.7,
                generator.random() < 0.5,
                generator.randrange(LANES),
                generator.randrange(2**32),
            )
            for _ in range(10)
        ]
        exchange(a, b, batch)


def test_buffers_are_copied_at_once(pair: tuple[Connection, Connection]) -> None:
    client, server = pair
    for size in (0, 1, 5000):
        original = bytearray(content(size, size))
        expected = bytes(original)
        client.send(original)
        client.send(memoryview(original))
        client.send_many([original, memoryview(original)])
        original[:] = bytes(size)
        assert [server.recv(timeout=5) for _ in range(4)] == [expected] * 4
