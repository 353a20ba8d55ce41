"""Messages without copies: send_many() of one buffer with offsets, recv_message(copy=False)."""

from __future__ import annotations

import array
import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support import counts_references, eventually

from gns_py import Config, Message, MessageTooLarge, MessageView, SendQueueFull
from gns_py.sync import Connection

Pair = tuple[Connection, Connection]
PairMaker = Callable[..., Pair]

REST = ", where the next message begins or the last ends"


# ---- send_many(buffer, offsets=...) ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offsets", "messages"),
    [
        ([0, 2, 5], [b"ab", b"cde", b"fgh"]),
        ([0], [b"abcdefgh"]),
        ([3, 5], [b"de", b"fgh"]),
        ([0, 0, 8, 8], [b"", b"abcdefgh", b"", b""]),
        ((1, 7), [b"bcdefg", b"h"]),
        (array.array("H", [0, 4]), [b"abcd", b"efgh"]),
        ([8], [b""]),
        ([], []),
    ],
)
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_one_buffer_is_cut_at_offsets(
    pair: Pair, kind: Callable[[bytes], Any], offsets: Any, messages: list[bytes]
) -> None:
    client, server = pair
    data = kind(b"abcdefgh")
    assert client.send_many(data, offsets=offsets) == list(range(1, len(messages) + 1))
    if isinstance(data, bytearray):
        data[:] = bytes(len(data))  # as far as the application is concerned, they have left already
    assert [server.recv(timeout=5.0) for _ in messages] == messages
    assert client.send(b"next") == len(messages) + 1


def test_offsets_are_bytes_whatever_the_items(pair: Pair) -> None:
    client, server = pair
    client.send_many(array.array("I", [1, 2, 3]), offsets=[0, 4, 8], reliable=True)
    assert [server.recv(timeout=5.0) for _ in range(3)] == [bytes(array.array("I", [number])) for number in (1, 2, 3)]


@pytest.mark.parametrize(
    ("data", "offsets", "exception", "text"),
    [
        (b"abcdef", [0, 4, 2], ValueError, f"offset 4 is not between 0 and 2{REST}"),
        (b"abcdef", [0, 7], ValueError, f"offset 7 is not between 0 and 6{REST}"),
        (b"abcdef", [-1, 3], ValueError, f"offset -1 is not between 0 and 3{REST}"),
        (b"abcdef", [0, 2.0], TypeError, "an offset must be an int, not float"),
        (b"abcdef", [False, 2], TypeError, "an offset must be an int, not bool"),
        ("abcdef", [0], TypeError, "a message is bytes, not str: encode it"),
        ([b"a", b"b"], [0], TypeError, "a message is bytes or another contiguous buffer, not list"),
    ],
)
def test_wrong_offsets_send_nothing(pair: Pair, data: Any, offsets: Any, exception: type[Exception], text: str) -> None:
    client, server = pair
    with pytest.raises(exception) as wrong:
        client.send_many(data, offsets=offsets)
    assert type(wrong.value) is exception
    assert str(wrong.value) == text
    assert client.send(b"all is well") == 1
    assert server.recv(timeout=5.0) == b"all is well"


def test_what_does_not_fit_is_told_as_without_offsets(make_pair: PairMaker) -> None:
    client, server = make_pair(Config(send_buffer_size=100_000))
    with pytest.raises(SendQueueFull) as full:
        client.send_many(bytes(200_000), offsets=range(0, 200_000, 10_000))
    assert 9 <= full.value.sent < 20
    assert [len(server.recv(timeout=5.0)) for _ in range(full.value.sent)] == [10_000] * full.value.sent
    with pytest.raises(MessageTooLarge):
        client.send_many(bytes(100_003), offsets=[0, 1, 100_002])
    assert server.recv(timeout=5.0) == b"\0"


@counts_references
@pytest.mark.parametrize(
    ("send", "error"),
    [
        (lambda connection, data: connection.send(data, lane=1), ValueError),
        (lambda connection, data: connection.send(data), MessageTooLarge),
        (lambda connection, data: connection.send_many([data]), MessageTooLarge),
        (lambda connection, data: connection.send_many(data, offsets=[0, 3, 2]), ValueError),
        (lambda connection, data: connection.send_many(data, offsets=range(0, 70_000, 7000)), SendQueueFull),
    ],
    ids=["lane", "size", "many", "offsets", "full"],
)
@pytest.mark.parametrize("view", [False, True])
def test_a_buffer_is_free_again_although_the_exception_is_kept(
    make_pair: PairMaker, view: bool, send: Callable[[Connection, Any], object], error: type[Exception]
) -> None:
    client, _ = make_pair(Config(send_buffer_size=60_000))
    data = bytearray(70_000)
    sent = memoryview(data) if view else data
    with pytest.raises(error) as kept:
        send(client, sent)
    if isinstance(sent, memoryview):
        sent.release()
    data.append(0)  # both raise BufferError while a view of it exists
    assert kept.tb is not None


# ---- recv_message(copy=False) ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 1100, 65_536, 524_288])
def test_a_view_has_what_a_message_has(pair: Pair, size: int) -> None:
    client, server = pair
    data = bytes(number * 7 % 251 for number in range(size))
    client.send(data)
    client.drain(timeout=5.0)
    client.send(data, reliable=False)
    view = server.recv_message(timeout=10.0, copy=False)
    message = server.recv_message(timeout=10.0)
    assert isinstance(view, MessageView)
    assert isinstance(view.data, memoryview)
    assert view.data.readonly
    assert view.data == data
    assert (view.number, view.lane, view.reliable) == (1, 0, True)
    assert isinstance(message, Message)
    assert type(message.data) is bytes
    assert (message.data, message.number) == (data, 2)
    assert view.received_us <= message.received_us


def test_views_stay_valid_while_more_arrives_and_after_the_end(make_pair: PairMaker, fast: Config) -> None:
    client, server = make_pair(fast)
    count = 200
    data = bytes(range(256)) * 8

    def kept() -> Iterator[MessageView]:
        for number in range(count):
            client.drain(timeout=5.0)
            client.send(bytes([number % 256]) + data, nagle=False)
            yield server.recv_message(timeout=5.0, copy=False)

    views = list(kept())
    for _ in range(count):
        client.drain(timeout=5.0)
        client.send(bytes(len(data)), nagle=False)
        server.recv(timeout=5.0)
    client.close()
    assert server.wait_closed(timeout=5.0).ok
    server.close()
    gc.collect()
    assert [bytes(view.data) for view in views] == [bytes([number % 256]) + data for number in range(count)]


def test_each_call_says_whether_it_copies(pair: Pair) -> None:
    client, server = pair
    client.send_many([b"%d" % number for number in range(8)])
    eventually(lambda: client.send_queue().messages == 0)
    got: list[object] = []
    for _ in range(2):
        got.append(server.recv(timeout=5.0))
        got.append(bytes(server.recv_message(timeout=5.0, copy=False).data))
        got.append(server.recv_message(timeout=5.0).data)
        got += [message.data for message in server.recv_many(limit=1, timeout=5.0)]
    assert got == [b"%d" % number for number in range(8)]
    assert {type(each) for each in got} == {bytes}


def test_what_was_taken_before_one_that_is_too_large_is_on_its_way(pair: Pair) -> None:
    client, server = pair
    with pytest.raises(MessageTooLarge) as refused:
        client.send_many([b"one", b"two", bytes(600_000), b"four"])
    assert refused.value.sent == 2
    assert [server.recv(timeout=5.0) for _ in range(2)] == [b"one", b"two"]
