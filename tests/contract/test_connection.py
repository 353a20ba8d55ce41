"""A connection: sending, receiving, waiting, closing, what it tells of itself. States: test_states.py."""

from __future__ import annotations

import array
import contextlib
import gc
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support import PATIENCE, Api, counts_references, eventually, once
from support.platforms import LATE_ACKS, RATE

import gns_py
from gns_py import (
    ClosedBy,
    Config,
    ConfigError,
    ConfigValue,
    ConnectionClosedError,
    ConnectionClosedOK,
    ConnectionEnd,
    ConnectionState,
    EndReason,
    InfoFlags,
    Message,
    MessageTooLarge,
    SendQueueFull,
    runtime,
)
from gns_py.sync import Connection

Pair = tuple[Connection, Connection]
PairMaker = Callable[..., Pair]

# Up to 1 MiB waiting at a rate that the machine takes.
ROOMY = Config(send_rate_min=RATE, send_rate_max=RATE, send_buffer_size=1 << 20)


def wait_delivered(connection: Connection) -> None:
    eventually(lambda: connection.send_queue().messages == 0, what="the delivery of all that was sent")


# ---- sending ---------------------------------------------------------------------------------------------------------


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
        data[:] = bytes(len(data))  # the message has left already, as far as the application is concerned
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
def test_what_is_no_buffer_is_refused_and_nothing_is_sent(pair: Pair, data: Any, text: str) -> None:
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
    assert taken >= 32  # and more, if some have been acknowledged meanwhile
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


# ---- receiving -------------------------------------------------------------------------------------------------------


def test_recv_message_tells_more_than_the_data(pair: Pair) -> None:
    client, server = pair
    client.configure_lanes([0, 1])
    before = runtime.time_us()
    client.send(b"one")
    client.send(b"two", reliable=False, lane=1)
    messages = [server.recv_message(timeout=5.0), server.recv_message(timeout=5.0)]
    by_lane = {message.lane: message for message in messages}
    assert isinstance(messages[0], Message)
    assert by_lane[0][:4] == (b"one", 1, 0, True)
    assert by_lane[1][:4] == (b"two", 1, 1, False)
    assert all(before <= message.received_us <= runtime.time_us() for message in messages)


def test_recv_many_takes_what_is_there(pair: Pair) -> None:
    client, server = pair
    client.send_many([b"%d" % number for number in range(10)])
    wait_delivered(client)
    assert [message.data for message in server.recv_many(limit=3, timeout=5.0)] == [b"0", b"1", b"2"]
    rest: list[bytes] = []
    while len(rest) < 7:
        rest += [message.data for message in server.recv_many(timeout=5.0)]
    assert rest == [b"%d" % number for number in range(3, 10)]


@pytest.mark.parametrize("limit", [0, -1])
def test_recv_many_takes_one_at_least(pair: Pair, limit: int) -> None:
    with pytest.raises(ValueError, match=rf"^limit is {limit}: it must be at least 1$"):
        pair[1].recv_many(limit=limit)


def test_a_recv_that_times_out_loses_no_message(pair: Pair) -> None:
    client, server = pair
    timed_out = threading.Event()

    def send() -> None:
        for number in range(500):
            client.send(b"%d" % number, nagle=False)
            if number % 10 == 0:
                timed_out.clear()
                timed_out.wait(5.0 * PATIENCE)
                time.sleep(0.002)  # so that the next ones come at any moment of a wait

    thread = threading.Thread(target=send)
    thread.start()
    received: list[bytes] = []
    timeouts = 0
    end = time.monotonic() + 20.0 * PATIENCE
    while len(received) < 500 and time.monotonic() < end:
        with contextlib.suppress(TimeoutError):
            received.append(server.recv(timeout=0.0005))
            continue
        timeouts += 1
        timed_out.set()
    thread.join()
    assert timeouts > 0
    assert received == [b"%d" % number for number in range(500)]


@pytest.mark.parametrize(
    "bound", [Config(recv_queue_messages=5), Config(recv_queue_bytes=6000)], ids=["messages", "bytes"]
)
def test_who_does_not_read_is_cut_off_and_keeps_what_it_has_room_for(make_pair: PairMaker, bound: Config) -> None:
    client, server = make_pair(server_config=bound)
    sent = [bytes([number]) * 1000 for number in range(20)]
    client.send_many(sent)
    end = server.wait_closed(timeout=5.0)
    assert (end.closed_by, end.code) == (ClosedBy.PROBLEM, EndReason.MESSAGE_QUEUE_LIMIT_REACHED)
    assert client.wait_closed(timeout=5.0).code == EndReason.MESSAGE_QUEUE_LIMIT_REACHED
    received: list[bytes] = []
    with pytest.raises(ConnectionClosedError):
        received.extend(server)
    assert 1 <= len(received) <= 6
    assert received == sent[: len(received)]


@pytest.mark.parametrize(
    "read",
    [
        lambda connection: [connection.recv(timeout=5.0)],
        lambda connection: [connection.recv_message(timeout=5.0).data],
        lambda connection: [bytes(connection.recv_message(timeout=5.0, copy=False).data)],
        lambda connection: [message.data for message in connection.recv_many(timeout=5.0)],
        lambda connection: [next(iter(connection))],
    ],
    ids=["recv", "recv_message", "view", "recv_many", "iteration"],
)
def test_what_was_read_counts_no_longer(make_pair: PairMaker, read: Callable[[Connection], list[bytes]]) -> None:
    client, server = make_pair(server_config=Config(recv_queue_messages=5, recv_queue_bytes=6000))
    for number in range(3):
        client.send_many([bytes([number]) * 1000] * 4)
        wait_delivered(client)
        received: list[bytes] = []
        while len(received) < 4:
            received += read(server)
        assert received == [bytes([number]) * 1000] * 4
    assert server.end is None


def test_iterating_ends_with_a_normal_close(pair: Pair) -> None:
    client, server = pair
    client.send_many([b"one", b"two"])
    client.close(1999, "done")
    assert list(server) == [b"one", b"two"]
    assert list(server) == []


def test_iterating_raises_at_any_other_end(pair: Pair) -> None:
    client, server = pair
    client.send_many([b"one", b"two"])
    client.close(2000, "crash")
    received: list[bytes] = []
    with pytest.raises(ConnectionClosedError, match=r"^closed by the peer, 2000 APP_EXCEPTION_GENERIC: crash$"):
        received.extend(server)
    assert received == [b"one", b"two"]


def test_sending_closing_and_waiting_go_on_beside_a_reader(pair: Pair) -> None:
    client, server = pair
    ended: list[BaseException] = []

    def read() -> None:
        try:
            server.recv()
        except ConnectionClosedOK as error:
            ended.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    server.send(b"hello")
    server.drain(timeout=5.0)
    assert client.recv(timeout=5.0) == b"hello"
    assert server.stats().state is ConnectionState.CONNECTED
    with pytest.raises(TimeoutError):
        server.wait_closed(timeout=0.1)
    server.close(1234, "from outside")
    thread.join(timeout=2.0)
    assert [str(error) for error in ended] == ["closed by this end, 1234 APP_1234: from outside"]


# ---- waiting ---------------------------------------------------------------------------------------------------------


def test_drain_returns_at_once_when_nothing_is_queued(pair: Pair) -> None:
    began = time.monotonic()
    pair[0].drain()
    assert time.monotonic() - began < 2.0 * PATIENCE


def test_drain_returns_at_once_at_the_high_water_mark(make_pair: PairMaker) -> None:
    client, _ = make_pair(Config(send_rate_min=1024, send_rate_max=1024, send_buffer_size=20_000))
    while client.send_queue().bytes < 8000:
        client.send(bytes(1000))
    began = time.monotonic()
    client.drain(timeout=5.0)
    assert time.monotonic() - began < 1.0 * PATIENCE
    assert client.send_queue().bytes > 5000
    client.close(linger=False)


def test_drain_times_out_and_keeps_what_arrives(make_pair: PairMaker) -> None:
    client, server = make_pair(Config(send_rate_min=1024, send_rate_max=1024, send_buffer_size=20_000))
    while client.send_queue().bytes < 18_000:
        client.send(bytes(1000))
    server.send(b"meanwhile")
    with pytest.raises(TimeoutError):
        client.drain(timeout=0.2)
    assert client.recv(timeout=5.0) == b"meanwhile"
    client.close(linger=False)


@pytest.mark.parametrize("by", ["peer", "this end"])
def test_drain_ends_with_the_connection(make_pair: PairMaker, by: str) -> None:
    client, server = make_pair(Config(send_rate_min=1024, send_rate_max=1024, send_buffer_size=20_000))
    while client.send_queue().bytes < 18_000:
        client.send(bytes(1000))
    closing = server if by == "peer" else client
    timer = threading.Timer(0.1, lambda: closing.close(1222, "enough", linger=False))
    timer.start()
    with pytest.raises(ConnectionClosedOK, match=rf"^closed by (the )?{by}, 1222 APP_1222: enough$"):
        client.drain(timeout=10.0)
    timer.join()


def test_wait_closed_keeps_what_arrives(pair: Pair) -> None:
    client, server = pair
    with pytest.raises(TimeoutError):
        server.wait_closed(timeout=0.1)
    client.send_many([b"one", b"two"])
    client.close(1333)
    end = server.wait_closed()
    assert end.code == 1333
    assert server.wait_closed() == server.end == end
    assert list(server) == [b"one", b"two"]


def test_wait_closed_also_waits_for_this_ends_own_close(pair: Pair) -> None:
    client, _ = pair
    timer = threading.Timer(0.1, client.close)
    timer.start()
    assert client.wait_closed(timeout=5.0).closed_by is ClosedBy.LOCAL
    timer.join()


# ---- closing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [1000, 1999, 2000, 2999])
@pytest.mark.parametrize("text", ["bye", "x" * 127, "ß日本" + "x" * 119])
def test_codes_and_texts_reach_the_peer(pair: Pair, code: int, text: str) -> None:
    client, server = pair
    client.close(code, text)
    end = server.wait_closed(timeout=5.0)
    assert (end.closed_by, end.code, end.text) == (ClosedBy.PEER, code, text)
    assert client.end == ConnectionEnd(ClosedBy.LOCAL, code, text)
    assert end.ok is (code < 2000)


@pytest.mark.parametrize(
    ("arguments", "exception", "text"),
    [
        ((0,), ValueError, "code is 0: 1000 to 1999 say a normal end, 2000 to 2999 a fault"),
        ((999,), ValueError, "code is 999: 1000 to 1999 say a normal end, 2000 to 2999 a fault"),
        ((3000,), ValueError, "code is 3000: 1000 to 1999 say a normal end, 2000 to 2999 a fault"),
        ((5003,), ValueError, "code is 5003: 1000 to 1999 say a normal end, 2000 to 2999 a fault"),
        ((2**40,), ValueError, "code is 1099511627776: 1000 to 1999 say a normal end, 2000 to 2999 a fault"),
        (("1000",), TypeError, "code must be an int, not str"),
        ((None,), TypeError, "code must be an int, not NoneType"),
        ((True,), TypeError, "code must be an int, not bool"),
        ((1000, None), TypeError, "text must be a str, not NoneType"),
        ((1000, b"bye"), TypeError, "text must be a str, not bytes"),
        ((1000, "x" * 128), ValueError, "text has 128 bytes: at most 127 are allowed"),
        ((1000, "日" * 43), ValueError, "text has 129 bytes: at most 127 are allowed"),
        ((1000, "a\0b"), ValueError, "text has a NUL byte"),
        ((1000, "\udc80"), ValueError, "text cannot be written as UTF-8"),
    ],
)
def test_wrong_goodbyes_close_nothing(
    pair: Pair, arguments: tuple[Any, ...], exception: type[Exception], text: str
) -> None:
    client, server = pair
    with pytest.raises(exception) as wrong:
        client.close(*arguments)
    assert type(wrong.value) is exception
    assert str(wrong.value) == text
    assert client.end is None
    client.send(b"still here")
    assert server.recv(timeout=5.0) == b"still here"


def test_closing_again_does_nothing(pair: Pair) -> None:
    client, server = pair
    client.close(1001, "the first")
    client.close(2001, "the second")
    assert client.end == ConnectionEnd(ClosedBy.LOCAL, 1001, "the first")
    assert server.wait_closed(timeout=5.0).text == "the first"


def test_closing_after_the_end_keeps_the_reason(pair: Pair) -> None:
    client, server = pair
    client.close(1001, "the first")
    eventually(lambda: server.state is ConnectionState.CLOSED_BY_PEER)
    server.close(1002, "the second")  # before anybody has read of the first
    assert server.end == ConnectionEnd(ClosedBy.PEER, 1001, "the first")


def test_a_sender_in_another_thread_learns_who_closed(make_pair: PairMaker) -> None:
    for _ in range(20):
        client, server = make_pair()
        learned: list[str] = []

        def send(client: Connection = client, learned: list[str] = learned) -> None:
            try:
                while True:
                    with contextlib.suppress(SendQueueFull):
                        client.send(b"x", reliable=False)
            except ConnectionClosedOK as closed:
                learned.append(str(closed))

        thread = threading.Thread(target=send)
        thread.start()
        client.close(1444, "from outside", linger=False)
        thread.join(timeout=5.0)
        server.close()
        assert learned == ["closed by this end, 1444 APP_1444: from outside"]


@counts_references
def test_one_that_is_forgotten_warns_and_closes_itself(api: Api) -> None:
    forgotten, other = api.socket_pair(network=True)
    text = rf"^unclosed connection <{api.__name__}.connection.Connection 127\.0\.0\.1:"
    with pytest.warns(ResourceWarning, match=text) as warned:  # noqa: PT031 - it may come from another thread
        del forgotten
        eventually(lambda: list(warned))
    assert other.wait_closed(timeout=5.0).code == EndReason.APP_GENERIC
    other.close()


@counts_references
def test_one_that_is_forgotten_closes_itself_even_if_the_warning_is_an_exception(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised: list[type[BaseException]] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: raised.append(args.exc_type))
    forgotten, other = api.socket_pair(network=True)
    del forgotten
    eventually(lambda: raised == [ResourceWarning])
    assert other.wait_closed(timeout=5.0).code == EndReason.APP_GENERIC
    other.close()


def test_one_that_has_ended_may_be_forgotten(api: Api, pair: Pair) -> None:
    one, other = api.socket_pair()
    one.close()
    other.wait_closed(timeout=5.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del one, other
        gc.collect()
    assert pair[0].state is ConnectionState.CONNECTED


# ---- what it tells of itself -----------------------------------------------------------------------------------------


def test_info_of_both_ends(pair: Pair) -> None:
    client, server = pair
    for end, other in ((client, server), (server, client)):
        info = end.info()
        assert info.state is ConnectionState.CONNECTED
        assert (info.end_reason, info.end_text, info.user_data) == (0, "", -1)
        assert info.flags & InfoFlags.UNAUTHENTICATED
        assert not info.flags & InfoFlags.UNENCRYPTED
        assert info.remote_address == end.remote_address
        assert end.remote_address is not None
        assert end.remote_address.host == "127.0.0.1"
        assert str(end.remote_identity) == info.identity
        assert end.description == info.description
        assert str(end.remote_address) in end.description
        assert str(end.remote_address) in repr(end)
        assert end.handle != other.handle


def test_repr_names_the_peer_and_the_state_or_the_end(api: Api, pair: Pair) -> None:
    client, _ = pair
    start = f"<{api.__name__}.connection.Connection {client.remote_address} "
    assert repr(client) == start + "CONNECTED>"
    client.close(1000, "bye")
    assert repr(client) == start + "closed by this end, 1000 APP_GENERIC: bye>"


def test_info_is_kept_after_the_close(pair: Pair) -> None:
    client, _ = pair
    address, description = client.remote_address, client.description
    client.close(1234, "bye")
    info = client.info()
    assert (info.remote_address, info.description) == (address, description)
    assert (info.state, info.end_reason, info.end_text) == (ConnectionState.NONE, 1234, "bye")


def test_names_and_user_data(pair: Pair) -> None:
    client, _ = pair
    assert client.user_data == -1
    for number in (0, 1, -5, 2**63 - 1, -(2**63)):
        client.user_data = number
        assert client.user_data == client.info().user_data == number
    for name in ("player one", "", "ß" * 15 + "x"):
        client.name = name
        assert client.name == name
    assert "x" in client.description


@pytest.mark.parametrize(
    ("attribute", "value", "exception", "text"),
    [
        ("name", None, TypeError, "name must be a str, not NoneType"),
        ("name", b"x", TypeError, "name must be a str, not bytes"),
        ("name", "x" * 32, ValueError, "name has 32 bytes: at most 31 are allowed"),
        ("name", "a\0b", ValueError, "name has a NUL byte"),
        ("name", "\udc80", ValueError, "name cannot be written as UTF-8"),
        ("user_data", "1", TypeError, "user_data must be an int, not str"),
        ("user_data", True, TypeError, "user_data must be an int, not bool"),
        ("user_data", 2**63, ValueError, f"user_data is {2**63}: it has 64 bits"),
        ("user_data", -(2**63) - 1, ValueError, f"user_data is {-(2**63) - 1}: it has 64 bits"),
    ],
)
def test_wrong_names_and_user_data(
    pair: Pair, attribute: str, value: Any, exception: type[Exception], text: str
) -> None:
    client, _ = pair
    client.name, client.user_data = "before", 7
    with pytest.raises(exception) as wrong:
        setattr(client, attribute, value)
    assert type(wrong.value) is exception
    assert str(wrong.value) == text
    assert (client.name, client.user_data) == ("before", 7)


def test_details_are_for_people(pair: Pair) -> None:
    details = pair[0].details()
    assert len(details.splitlines()) > 5
    assert "connected" in details


def test_send_queue_counts_what_is_on_its_way(make_pair: PairMaker) -> None:
    client, server = make_pair(Config(send_rate_min=1024, send_rate_max=1024))
    assert client.send_queue()[:3] == (0, 0, 0)
    for _ in range(10):
        client.send(bytes(1000))
    queue = client.send_queue()
    assert 0 < queue.messages <= 10
    assert 1000 * queue.messages <= queue.bytes <= 1100 * queue.messages
    assert queue.messages <= queue.segments
    assert (queue.max_bytes, queue.max_segments) == (524_288, 16_384)
    client.close(linger=False)
    server.close(linger=False)


# ---- lanes -----------------------------------------------------------------------------------------------------------


def test_each_lane_keeps_its_order_and_its_numbers(pair: Pair) -> None:
    client, server = pair
    client.configure_lanes([0, 1, 1], [1, 3, 1])
    for number in range(50):
        for lane in range(3):
            assert client.send(b"%d %d" % (lane, number), lane=lane) == number + 1
    by_lane: dict[int, list[Message]] = {0: [], 1: [], 2: []}
    for _ in range(150):
        message = server.recv_message(timeout=5.0)
        by_lane[message.lane].append(message)
    for lane, messages in by_lane.items():
        assert [message.data for message in messages] == [b"%d %d" % (lane, number) for number in range(50)]
        assert [message.number for message in messages] == list(range(1, 51))


def test_a_lane_of_a_lower_priority_number_goes_first(make_pair: PairMaker) -> None:
    rate = int(200_000 / PATIENCE)  # slower than a test can send
    client, server = make_pair(Config(send_rate_min=rate, send_rate_max=rate))
    client.configure_lanes([1, 0])
    for _ in range(40):
        client.send(bytes(1000), lane=0)
    client.send(b"urgent", lane=1)
    order = [server.recv_message(timeout=5.0).lane for _ in range(41)]
    assert order.index(1) < 35
    statuses = client.lane_stats()
    assert len(statuses) == 2


def test_lanes_may_become_more_but_not_fewer(pair: Pair) -> None:
    client, server = pair
    assert len(client.lane_stats()) == 1
    client.configure_lanes([0, 0])
    client.configure_lanes([0, 0, 5], [1, 2, 65535])
    assert len(client.lane_stats()) == 3
    with pytest.raises(ValueError, match=r"^the connection has 3 lanes already; they cannot become fewer$"):
        client.configure_lanes([0])
    client.configure_lanes(list(range(8)))
    for reliable in (True, False):
        for lane in range(8):
            client.send(b"x", lane=lane, reliable=reliable)
    assert sorted(server.recv_message(timeout=5.0).lane for _ in range(16)) == sorted([*range(8)] * 2)


@pytest.mark.parametrize(
    ("arguments", "exception", "text"),
    [
        (([],), ValueError, "a connection has 1 to 255 lanes, not 0"),
        (([0] * 256,), ValueError, "a connection has 1 to 255 lanes, not 256"),
        (([0, 1], [1]), ValueError, "2 priorities, but 1 weights"),
        (([0, 1], [1, 0]), ValueError, "a lane's weight is 0: it must be 1 to 65535"),
        (([0, 1], [1, 65536]), ValueError, "a lane's weight is 65536: it must be 1 to 65535"),
        (([0, 2**31],), ValueError, "a lane's priority is 2147483648: it must be -2147483648 to 2147483647"),
        ((["0"],), TypeError, "a lane's priority must be an int, not str"),
        (([0.5],), TypeError, "a lane's priority must be an int, not float"),
        (([0], [1.0]), TypeError, "a lane's weight must be an int, not float"),
    ],
)
def test_wrong_lanes_change_nothing(
    pair: Pair, arguments: tuple[Any, ...], exception: type[Exception], text: str
) -> None:
    client, _ = pair
    with pytest.raises(exception) as wrong:
        client.configure_lanes(*arguments)
    assert type(wrong.value) is exception
    assert str(wrong.value) == text
    assert len(client.lane_stats()) == 1


# ---- options ---------------------------------------------------------------------------------------------------------


def test_options_of_a_connection(pair: Pair) -> None:
    client, server = pair
    client.set_config(Config(nagle_time=0, send_rate_min=100_000, send_rate_max=100_000, recv_queue_messages=9))
    assert client.get_config(ConfigValue.NAGLE_TIME) == 0
    assert client.get_config(ConfigValue.RECV_QUEUE_MESSAGES) == 9
    assert client.stats().send_rate == 100_000
    assert server.get_config(ConfigValue.NAGLE_TIME) == 5000
    client.set_config(Config())
    assert client.get_config(ConfigValue.MTU_DATA_SIZE) == 1200
    assert client.get_config(ConfigValue.P2P_STUN_SERVER_LIST) == ""


def test_a_smaller_send_buffer_counts_at_once(pair: Pair) -> None:
    client, _ = pair
    client.set_config(Config(send_buffer_size=5000))
    assert client.send_queue().max_bytes == 5000
    with pytest.raises(MessageTooLarge):
        client.send(bytes(5001))


def test_wrong_options_change_nothing(pair: Pair) -> None:
    client, server = pair
    with pytest.raises(ValueError, match=r"^fake_packet_lag_send is a process-wide option: .*, not on a connection$"):
        client.set_config(Config(nagle_time=0, fake_packet_lag_send=1))
    assert client.get_config(ConfigValue.NAGLE_TIME) == 5000
    with pytest.raises(ConfigError, match=r"^unencrypted: the option can no longer be changed$"):
        client.set_config(Config(unencrypted=3))
    with pytest.raises(ConfigError, match=r"^fake_packet_lag_send: the option does not exist at this scope$"):
        client.get_config(ConfigValue.FAKE_PACKET_LAG_SEND)
    wrong: Any = {"nagle_time": 0}
    with pytest.raises(TypeError, match=r"^config must be a Config, not dict$"):
        client.set_config(wrong)
    wrong = "nagle_time"
    with pytest.raises(TypeError, match=r"^option must be a ConfigValue, not str$"):
        client.get_config(wrong)
    client.send(b"all is well")
    assert server.recv(timeout=5.0) == b"all is well"


@counts_references
def test_a_context_manager_inside_a_generator_closes_when_that_is_closed(pair: Pair) -> None:
    client, server = pair

    def messages() -> Iterator[bytes]:
        with client:
            yield from client

    server.send(b"one")
    generator = messages()
    assert next(generator) == b"one"
    del generator
    assert server.wait_closed(timeout=5.0).code == EndReason.APP_GENERIC


def test_the_largest_messages_both_ways_at_once(make_pair: PairMaker) -> None:
    client, server = make_pair(ROOMY)
    data = bytes(range(256)) * 2048
    client.send(data)
    server.send(data[::-1])
    assert server.recv(timeout=10.0) == data
    assert client.recv(timeout=10.0) == data[::-1]


@once("the core's, and takes half a second")
def test_a_rate_is_kept(make_pair: PairMaker) -> None:
    client, server = make_pair(Config(send_rate_min=400_000, send_rate_max=400_000))
    began = time.monotonic()
    for _ in range(40):
        client.send(bytes(5000))
    for _ in range(40):
        server.recv(timeout=5.0)
    assert 0.3 < time.monotonic() - began < 5.0 * PATIENCE


def test_what_the_network_loses_comes_again(
    make_pair: PairMaker, process_config: Callable[[Config], None], fast: Config
) -> None:
    client, server = make_pair(fast)
    process_config(Config(fake_packet_loss_send=20, fake_packet_reorder_send=10))
    sent = [b"%d" % number * 100 for number in range(200)]
    client.send_many(sent)
    assert [server.recv(timeout=10.0) for _ in sent] == sent
    gns_py.reset_config()


def test_drain_makes_room_for_what_was_refused(make_pair: PairMaker, fast: Config) -> None:
    """Half of the queue would not do for a message that needs all of it."""
    client, server = make_pair(fast)
    client.send(bytes(100_000))
    with pytest.raises(SendQueueFull):
        client.send(bytes(524_288))
    client.drain(timeout=5.0)
    client.send(bytes(524_288))
    assert [len(server.recv(timeout=5.0)) for _ in range(2)] == [100_000, 524_288]
