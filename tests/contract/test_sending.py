"""Sending messages."""

from __future__ import annotations

import array
from collections.abc import Callable
from typing import Any

import pytest
from support.platforms import LATE_ACKS

from gns_py import Config, MessageTooLarge, SendQueueFull
from gns_py.sync import Connection

Pair = tuple[Connection, Connection]
PairMaker = Callable[..., Pair]


def test_send_numbers_messages_from_1_whether_reliable_or_not(pair: Pair) -> None:
    client, server = pair
    assert [client.send(b"x"), client.send(b"x", reliable=False), client.send(b"x", nagle=False)] == [1, 2, 3]
    assert server.send(b"x") == 1


@pytest.mark.parametrize("size", [0, 1, 1100, 1101, 16_500, 65_536, 524_287, 524_288])
def test_messages_of_any_size_up_to_the_limit(pair: Pair, size: int) -> None:
    client, server = pair
    data = bytes(number * 7 % 251 for number in range(size))
    client.send(data)
    assert server.recv(timeout=10.0) == data


@pytest.mark.parametrize(
    ("size", "reliable"), [(0, False), (1, False), (16_500, False), (16_501, True), (524_288, True)]
)
def test_large_unreliable_messages_become_reliable(pair: Pair, size: int, reliable: bool) -> None:
    client, server = pair
    data = bytes(number % 256 for number in range(size))
    client.send(data, reliable=False)
    message = server.recv_message(timeout=10.0)
    assert message.data == data
    assert message.reliable is reliable


@pytest.mark.parametrize(
    "data",
    [
        b"bytes",
        bytearray(b"bytearray"),
        memoryview(b"a memoryview")[2:],
        array.array("d", [1.0, 2.0]),
        memoryview(array.array("I", [1, 2, 3])),
        bytearray(),
    ],
    ids=lambda data: type(data).__name__,
)
def test_any_contiguous_buffer_can_be_sent_and_is_copied(pair: Pair, data: Any) -> None:
    client, server = pair
    expected = bytes(memoryview(data).cast("B")) if len(data) else b""
    client.send(data)
    client.send_many([data, data])
    if isinstance(data, bytearray):
        data[:] = bytes(len(data))  # as far as the application is concerned, the message has left already
    assert [server.recv(timeout=5.0) for _ in range(3)] == [expected] * 3


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("text", "a message is bytes, not str: encode it"),
        (None, "a message is bytes or another contiguous buffer, not NoneType"),
        (5, "a message is bytes or another contiguous buffer, not int"),
        ([1, 2], "a message is bytes or another contiguous buffer, not list"),
        (memoryview(bytes(10))[::2], "a message is bytes or another contiguous buffer, not memoryview"),
    ],
)
def test_anything_but_a_buffer_is_refused_and_nothing_is_sent(pair: Pair, data: Any, text: str) -> None:
    client, server = pair
    for send in (lambda: client.send(data), lambda: client.send_many([b"not sent", data, b"not sent"])):
        with pytest.raises(TypeError) as refused:
            send()
        assert str(refused.value) == text
    assert client.send(b"all is well") == 1
    assert server.recv(timeout=5.0) == b"all is well"


def test_a_message_over_512_kib_is_refused_and_nothing_is_sent(pair: Pair) -> None:
    client, server = pair
    for reliable in (True, False):
        with pytest.raises(MessageTooLarge, match=r"^a message may have 524288 bytes, not 524289$") as refused:
            client.send(bytes(524_289), reliable=reliable)
        assert isinstance(refused.value, ValueError)
    assert client.send(b"all is well") == 1
    assert server.recv(timeout=5.0) == b"all is well"


def test_a_message_over_the_send_buffer_is_refused(make_pair: PairMaker) -> None:
    client, server = make_pair(Config(send_buffer_size=5000))
    text = r"^with this send_buffer_size a message may have 5000 bytes, not 5001$"
    with pytest.raises(MessageTooLarge, match=text):
        client.send(bytes(5001))
    client.send(bytes(5000))
    assert server.recv(timeout=5.0) == bytes(5000)


@pytest.mark.parametrize(
    ("lane", "exception", "text"),
    [
        (1, ValueError, "lane 1 is not configured: this connection has 1"),
        (7, ValueError, "lane 7 is not configured: this connection has 1"),
        (255, ValueError, "lane is 255: a connection has lanes 0 to 254 at most"),
        (-1, ValueError, "lane is -1: a connection has lanes 0 to 254 at most"),
        (65536, ValueError, "lane is 65536: a connection has lanes 0 to 254 at most"),
        ("1", TypeError, "lane must be an int, not str"),
        (1.0, TypeError, "lane must be an int, not float"),
        (True, TypeError, "lane must be an int, not bool"),
    ],
)
def test_lanes_that_are_not_there(pair: Pair, lane: Any, exception: type[Exception], text: str) -> None:
    client, server = pair
    for send in (lambda: client.send(b"x", lane=lane), lambda: client.send_many([b"x"], lane=lane)):
        with pytest.raises(exception) as refused:
            send()
        assert type(refused.value) is exception
        assert str(refused.value) == text
    assert client.send(b"all is well") == 1
    assert server.recv(timeout=5.0) == b"all is well"


def test_a_full_send_queue_refuses_and_drain_makes_room(
    make_pair: PairMaker, fast: Config, process_config: Callable[[Config], None]
) -> None:
    client, server = make_pair(fast | Config(send_buffer_size=100_000))
    process_config(LATE_ACKS)
    sent = 0
    with pytest.raises(SendQueueFull, match=r"^the send queue is full: .*; wait with drain\(\)$"):  # noqa: PT012
        while True:
            sent = client.send(bytes([sent % 256]) * 10_000)
    assert sent >= 9
    queue = client.send_queue()
    assert queue.bytes <= queue.max_bytes == 100_000
    client.drain(timeout=5.0)
    assert client.send_queue().bytes <= 50_000
    assert client.send(b"last") == sent + 1
    received = [server.recv(timeout=5.0) for _ in range(sent + 1)]
    assert received == [bytes([number % 256]) * 10_000 for number in range(sent)] + [b"last"]


def test_too_many_small_messages_are_refused_too(
    make_pair: PairMaker, process_config: Callable[[Config], None]
) -> None:
    client, server = make_pair(Config(max_unacked_segments=64))
    process_config(LATE_ACKS)
    taken = 0
    with pytest.raises(SendQueueFull):  # noqa: PT012
        while True:
            taken = client.send(b"")
    assert taken >= 32  # and more, if some have been acknowledged in the meantime
    assert client.send_queue().segments <= client.send_queue().max_segments == 64
    assert [server.recv(timeout=5.0) for _ in range(taken)] == [b""] * taken


def test_send_many_numbers_its_messages(pair: Pair) -> None:
    client, server = pair
    assert client.send_many([]) == []
    assert client.send_many([b"a", bytearray(b"b"), memoryview(b"c")]) == [1, 2, 3]
    assert client.send_many(b"%d" % number for number in range(3)) == [4, 5, 6]
    assert client.send_many([b""], reliable=False, nagle=False) == [7]
    received = [server.recv_message(timeout=5.0) for _ in range(7)]
    assert [(each.data, each.number) for each in received] == list(
        zip([b"a", b"b", b"c", b"0", b"1", b"2", b""], range(1, 8), strict=True)
    )


def test_send_many_tells_how_many_it_took(make_pair: PairMaker) -> None:
    client, server = make_pair(Config(send_buffer_size=100_000))
    with pytest.raises(SendQueueFull) as full:
        client.send_many([bytes([number]) * 10_000 for number in range(20)])
    taken = full.value.sent
    assert 9 <= taken < 20
    assert [server.recv(timeout=5.0)[:1] for _ in range(taken)] == [bytes([number]) for number in range(taken)]
    with pytest.raises(
        MessageTooLarge, match=r"^with this send_buffer_size a message may have 100000 bytes, not 100001$"
    ):
        client.send_many([b"this one is sent", bytes(100_001), b"this one is not"])
    assert server.recv(timeout=5.0) == b"this one is sent"
    with pytest.raises(TimeoutError):
        server.recv(timeout=0.1)


def test_flush_sends_what_waits_for_others(make_pair: PairMaker) -> None:
    client, server = make_pair(Config(nagle_time=20_000))
    client.send(b"hello")
    client.flush()
    assert server.recv(timeout=5.0) == b"hello"
    client.send(b"now", nagle=False)
    client.send(b"now or never", no_delay=True)
    assert [server.recv(timeout=5.0) for _ in range(2)] == [b"now", b"now or never"]
