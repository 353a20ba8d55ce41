"""A stream at a high rate, with a fifth of a second in the queue: the parameters of GNS's own throughput test."""

from __future__ import annotations

import random
import time
import zlib

import pytest

import gns_py.sync as gns

pytestmark = pytest.mark.slow

QUEUED = 0.2
MIB = 1024 * 1024


def test_a_stream_for_a_short_while() -> None:
    stream(8_000_000, seconds=2.0)


@pytest.mark.soak
@pytest.mark.parametrize("rate", [8_000_000, 12_000_000, 16_000_000, 20_000_000, 30_000_000])
def test_a_stream_of(rate: int) -> None:
    stream(rate, seconds=10.0)


def stream(rate: int, seconds: float) -> None:
    """Everything arrives, unchanged and in order, in less than twice the time that it takes at that rate."""
    config = gns.Config(send_rate_min=rate, send_rate_max=rate, send_buffer_size=16 * MIB)
    sender, receiver = gns.socket_pair(network=True)
    total = int(rate * seconds)
    sent = received = sent_sum = received_sum = 0
    with sender, receiver:
        sender.set_config(config)
        begin = time.monotonic()
        while received < total:
            while sent < total and sender.send_queue().bytes < rate * QUEUED:
                data = random.randbytes(min(random.randint(1, 10_000), total - sent))
                sent_sum = zlib.crc32(data, sent_sum)
                sent += len(data)
                sender.send(data)
            for event in receiver.poll(timeout=0.005):
                assert isinstance(event, gns.MessageReceived), event
                received += len(event.message.data)
                received_sum = zlib.crc32(event.message.data, received_sum)
            taken = time.monotonic() - begin
            assert taken < 2 * seconds, f"{received} of {total} bytes, {sender.stats()}"
        print(
            f"{total} bytes in {taken:.2f} s, {total / taken / 1e6:.1f} MB/s, {taken / seconds:.2f} of the nominal time"
        )
        assert received_sum == sent_sum
        assert sender.state is receiver.state is gns.ConnectionState.CONNECTED
