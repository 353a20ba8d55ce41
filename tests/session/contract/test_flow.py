"""Messages in an established session: order, credit, queues, keys, pings."""

from __future__ import annotations

import contextlib
import inspect
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from importlib import import_module

import pytest
from support import PATIENCE, eventually
from support.sessions import SessionApi

import gns_py
import gns_py.sync as gns
from gns_py import ConcurrencyError, Config, ConfigValue, MessageDropped, MessageTooLarge, SendQueueFull
from gns_py.session import CloseReason, sync
from gns_py.session.protocol import frames
from gns_py.session.sync import SessionClosed, SessionClosedError, SessionConfig, SessionRejected

from ..conftest import Ends, EndsMaker

TIGHT = SessionConfig(
    credit_bytes=10_000,
    credit_messages=10,
    send_queue_bytes=10_000,
    send_queue_messages=10,
    unreliable_queue=4,
)


def test_messages_arrive_in_order_each_way(ends: Ends) -> None:
    for sender, receiver in (ends, (ends.server, ends.client)):
        numbers = [sender.send(b"%d" % number) for number in range(500)]
        assert numbers == list(range(1, 501))
        messages = [receiver.recv_message(timeout=5.0) for _ in range(500)]
        assert [int(message.data) for message in messages] == list(range(500))
        assert [message.number for message in messages] == numbers
        assert all(message.reliable and message.lane == 0 and message.received_us > 0 for message in messages)


@pytest.mark.parametrize("size", [0, 1, 1200, 16_500, 100_000, frames.MAX_MESSAGE])
@pytest.mark.parametrize("reliable", [True, False])
def test_messages_of_all_sizes(ends: Ends, size: int, reliable: bool) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    ends.client.set_config(Config(send_buffer_size=2 << 20))
    ends.client.send(data[:size], reliable=reliable, nagle=False)
    message = ends.server.recv_message(timeout=10.0)
    assert message.data == data[:size]
    assert message.reliable is reliable


def test_a_message_that_is_too_large(make_ends: EndsMaker) -> None:
    ends = make_ends(server=SessionConfig(max_message=1000))
    ends.client.send(bytes(1000))
    for named in ({}, {"reliable": False}, {"reliable": False, "key": b"k"}):
        with pytest.raises(MessageTooLarge, match="1000 bytes, not of"):
            ends.client.send(bytes(1001), **named)
    assert len(ends.server.recv(timeout=5.0)) == 1000
    ends.server.send(bytes(2000))
    assert len(ends.client.recv(timeout=5.0)) == 2000


@pytest.mark.parametrize(
    "data",
    [bytearray(b"data"), memoryview(b"data"), memoryview(b"data").cast("B")],
    ids=lambda data: type(data).__name__,
)
def test_any_buffer_can_be_sent(ends: Ends, data: memoryview) -> None:
    ends.client.send(data)
    assert ends.server.recv(timeout=5.0) == b"data"


def test_wrong_arguments(ends: Ends) -> None:
    with pytest.raises(TypeError):
        ends.client.send("text")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="lane 1 is not configured"):
        ends.client.send(b"", lane=1)
    with pytest.raises(ValueError, match="only unreliable messages have a key"):
        ends.client.send(b"", key=b"k")
    for key, error in ((b"", ValueError), (bytes(65), ValueError), ("k", TypeError)):
        with pytest.raises(error, match="key"):
            ends.client.send(b"", reliable=False, key=key)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="limit is 0"):
        ends.client.recv_many(0)


def test_recv_many_takes_what_is_there(ends: Ends) -> None:
    for number in range(100):
        ends.client.send(b"%d" % number)
    taken: list[int] = []
    while len(taken) < 100:
        some = ends.server.recv_many(30, timeout=5.0)
        assert 1 <= len(some) <= 30
        taken += [int(message.data) for message in some]
    assert taken == list(range(100))


def test_a_timeout_loses_nothing(ends: Ends) -> None:
    with pytest.raises(TimeoutError):
        ends.server.recv(timeout=0.05)
    ends.client.send(b"late")
    assert ends.server.recv(timeout=5.0) == b"late"


def test_lanes_have_an_order_each(ends: Ends) -> None:
    ends.client.configure_lanes([1, 0])
    for number in range(200):
        ends.client.send(b"%d" % number + bytes(1000), lane=number % 2)
    messages = [ends.server.recv_message(timeout=5.0) for _ in range(200)]
    for lane in (0, 1):
        mine = [message for message in messages if message.lane == lane]
        assert [int(message.data.rstrip(b"\0")) for message in mine] == list(range(lane, 200, 2))
        assert [message.number for message in mine] == list(range(1, 101))


class TestCredit:
    def test_who_does_not_read_makes_drain_wait_and_loses_nothing(self, make_ends: EndsMaker) -> None:
        ends = make_ends(TIGHT)
        sent = 20
        for number in range(sent):
            ends.client.send(b"%d" % number)
        with pytest.raises(SendQueueFull):
            ends.client.send(b"one more")
        assert ends.client.queued == (20, 10)
        with pytest.raises(TimeoutError):
            ends.client.drain(timeout=0.3)
        with ThreadPoolExecutor(1) as pool:
            draining = pool.submit(ends.client.drain, timeout=5.0 * PATIENCE)
            received = [int(ends.server.recv(timeout=5.0)) for _ in range(12)]
            draining.result()
            ends.client.send(b"%d" % sent)
            received += [int(ends.server.recv(timeout=5.0)) for _ in range(9)]
        assert received == list(range(21))
        eventually(lambda: ends.client.queued == (0, 0))

    def test_bytes_count_too(self, make_ends: EndsMaker) -> None:
        ends = make_ends(TIGHT)
        for _ in range(3):  # the third exceeds the credit, and none follows it
            ends.client.send(bytes(4000))
        ends.client.send(bytes(4000))
        assert ends.client.queued == (4000, 1)
        with pytest.raises(SendQueueFull):
            ends.client.send(bytes(9000))
        for _ in range(4):
            assert len(ends.server.recv(timeout=5.0)) == 4000
        ends.client.drain(timeout=5.0)

    def test_a_message_larger_than_all_queues_arrives(self, make_ends: EndsMaker) -> None:
        ends = make_ends(TIGHT)
        for _ in range(3):
            ends.client.send(bytes(100_000))
            assert len(ends.server.recv(timeout=10.0)) == 100_000

    def test_more_than_gns_has_room_for_arrives(self, make_ends: EndsMaker, fast: Config) -> None:
        """GNS's send queue is 128 KiB here: the rest waits in the session's."""
        ends = make_ends(config=fast | Config(send_buffer_size=128 * 1024))
        with ThreadPoolExecutor(1) as pool:

            def pour() -> None:
                for number in range(400):
                    ends.client.send(b"%06d" % number + bytes(5000))
                    ends.client.drain(timeout=20.0 * PATIENCE)

            pouring = pool.submit(pour)
            for number in range(400):
                assert int(ends.server.recv(timeout=20.0)[:6]) == number
            pouring.result()

    def test_who_waits_for_something_else_does_not_disturb_the_reader(self, make_ends: EndsMaker) -> None:
        ends = make_ends(TIGHT)
        for _ in range(20):  # no one reads them
            ends.client.send(bytes(1000))
        with ThreadPoolExecutor(2) as pool:
            draining = pool.submit(ends.client.drain, timeout=20.0)
            closing = pool.submit(ends.client.wait_closed, timeout=20.0)
            for number in range(20):
                ends.server.send(b"%d" % number, nagle=False)
                assert ends.client.recv(timeout=5.0) == b"%d" % number
            assert not draining.done()
            assert not closing.done()
            ends.server.close()
            assert ends.client.wait_closed(timeout=5.0) == closing.result()
            draining.result()

    def test_a_connection_with_a_slow_reader_lives(self, make_ends: EndsMaker) -> None:
        """Ten times what GNS and the core would hold for a connection without a reader."""
        ends = make_ends(TIGHT)
        with ThreadPoolExecutor(1) as pool:

            def pour() -> None:
                for number in range(300):
                    ends.client.send(b"%d" % number)
                    ends.client.drain(timeout=20.0 * PATIENCE)

            pouring = pool.submit(pour)
            received = []
            for _ in range(300):
                received.append(int(ends.server.recv(timeout=5.0)))
                if len(received) % 50 == 0:
                    time.sleep(0.1)
            pouring.result()
        assert received == list(range(300))


class TestUnreliable:
    def test_who_does_not_read_gets_the_newest(self, make_ends: EndsMaker) -> None:
        ends = make_ends(TIGHT)
        for number in range(10):
            ends.client.send(b"%d" % number, reliable=False, nagle=False)
        ends.client.send(b"reliable", nagle=False)
        eventually(lambda: ends.server.dropped[1] == 6)
        received = [ends.server.recv(timeout=5.0) for _ in range(5)]
        assert received == [b"6", b"7", b"8", b"9", b"reliable"]

    def test_only_the_latest_of_a_key_is_kept(self, ends: Ends) -> None:
        for number in range(50):
            for player in (b"a", b"b"):
                ends.client.send(player + b"%d" % number, reliable=False, key=player, nagle=False)
        ends.client.send(b"end", nagle=False)
        time.sleep(0.3)  # no one reads
        received = [ends.server.recv(timeout=5.0) for _ in range(3)]
        assert received == [b"a49", b"b49", b"end"]
        assert ends.server.dropped == (0, 0)

    def test_what_waits_for_the_network_gives_way_to_the_newest(self, make_ends: EndsMaker) -> None:
        slow = Config(send_rate_min=20_000, send_rate_max=20_000, send_buffer_size=20_000)
        ends = make_ends(TIGHT, config=slow)
        for number in range(60):
            ends.client.send(b"%06d" % number + bytes(1000), reliable=False)
        dropped = ends.client.dropped[0]
        assert dropped > 20
        for number in range(60):
            ends.client.send(b"state %d" % number, reliable=False, key=b"state")
        assert ends.client.dropped[0] <= dropped + 4
        ends.client.send(b"end")
        received: list[bytes] = []
        while not {b"end", b"state 59"} <= set(received):
            received.append(ends.server.recv(timeout=10.0 * PATIENCE))
        states = [message for message in received if message.startswith(b"state")]
        assert states == [b"state 59"]


class TestPings:
    def test_a_program_that_hangs_is_noticed(self, sessions: SessionApi) -> None:
        """A raw client that still acknowledges as GNS does, and sends nothing else."""
        config = SessionConfig(ping_timeout=0.5 * PATIENCE)
        with sessions.listen("127.0.0.1", 0, session_config=config) as listener, ThreadPoolExecutor(1) as pool:
            accepting = pool.submit(listener.accept)
            with gns.connect(*listener.address) as raw:
                raw.send(frames.Hello(1, 1, 0, 1000, 10_000, 100, 0, 0, b"").encode())
                welcome = frames.decode(raw.recv(timeout=5.0))
                assert isinstance(welcome, frames.Welcome)
                assert welcome.ping_timeout_ms == 500 * PATIENCE
                raw.send(frames.Confirm(1).encode())
                session = accepting.result()
                assert frames.decode(raw.recv(timeout=5.0)) == frames.Ready(1)
                ping = frames.decode(raw.recv(timeout=5.0))
                assert isinstance(ping, frames.Ping)
                raw.send(frames.Pong(ping.number).encode())
                assert isinstance(frames.decode(raw.recv(timeout=5.0)), frames.Ping)
                end = raw.wait_closed(timeout=5.0)
                assert end.code == CloseReason.CLIENT_UNRESPONSIVE.native_code
                with pytest.raises(SessionClosedError) as closed:
                    session.recv(timeout=5.0)
                assert closed.value.reason is CloseReason.CLIENT_UNRESPONSIVE
                assert closed.value.end.recoverable

    def test_a_session_that_is_quiet_and_not_read_lives(self, make_ends: EndsMaker) -> None:
        ends = make_ends(SessionConfig(ping_timeout=0.4 * PATIENCE))
        time.sleep(1.2 * PATIENCE)  # three times as long, without a reader
        assert ends.client.is_established
        assert ends.server.is_established
        ends.client.send(b"here")
        assert ends.server.recv(timeout=5.0) == b"here"

    def test_the_shorter_wish_holds(self, sessions: SessionApi) -> None:
        for ours, theirs, held in ((10.0, 20.0, 10_000), (None, 20.0, 20_000), (10.0, None, 10_000), (None, None, 0)):
            with (
                gns.listen("127.0.0.1", 0) as listener,
                ThreadPoolExecutor(1) as pool,
                sessions.listen("127.0.0.1", 0, session_config=SessionConfig(ping_timeout=theirs)) as server,
            ):
                connecting = pool.submit(
                    sessions.connect, *listener.address, session_config=SessionConfig(ping_timeout=ours)
                )
                with listener.accept(timeout=5.0) as raw, gns.connect(*server.address, wait=False) as other:
                    other.send(raw.recv(timeout=5.0))  # the client's HELLO
                    request = next(iter(server))
                    request.accept()
                    welcome = frames.decode(other.recv(timeout=5.0))
                    assert isinstance(welcome, frames.Welcome)
                    assert welcome.ping_timeout_ms == held
                    raw.send(frames.Reject(CloseReason.REJECTED, 1000, "enough", b"").encode())
                    with pytest.raises(SessionRejected):
                        connecting.result()


def test_two_readers(ends: Ends) -> None:
    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(ends.server.recv, timeout=5.0 * PATIENCE) for _ in range(2)]
        (refused,), (waiting,) = wait(readers, return_when=FIRST_COMPLETED)
        assert isinstance(refused.exception(), ConcurrencyError)
        ends.client.send(b"for the other")
        assert waiting.result() == b"for the other"


@pytest.mark.parametrize("api", ["sync", "asyncio"])
def test_a_session_has_what_a_connection_has(api: str) -> None:
    connection = import_module(f"gns_py.{api}").Connection
    session = import_module(f"gns_py.session.{api}").Session
    for name in dir(connection):
        if name.startswith("_"):
            continue
        assert hasattr(session, name)
        if callable(getattr(connection, name)):
            its, ours = (set(inspect.signature(getattr(each, name)).parameters) for each in (connection, session))
            assert its <= ours | ({"linger"} if name == "close" else set()), name


def test_polling() -> None:
    with (
        sync.listen("127.0.0.1", 0) as listener,
        ThreadPoolExecutor(1) as pool,
        contextlib.ExitStack() as stack,
    ):
        accepting = pool.submit(listener.accept, timeout=5.0)
        client = stack.enter_context(sync.connect(*listener.address))
        server = accepting.result()
        assert server.poll() == []
        for number in range(10):
            client.send(b"%d" % number, reliable=number % 2 == 0)
        client.flush()
        polled: list[int] = []
        while len(polled) < 10:
            polled += [int(message.data) for message in server.poll(timeout=5.0)]
        assert sorted(polled) == list(range(10))
        client.send(b"soon", nagle=False)
        assert [message.data for message in server.poll(timeout=5.0)] == [b"soon"]
        closing = pool.submit(client.close, 1002, "enough")
        eventually(lambda: server.poll() == [] and server.end is not None)
        assert server.end is not None
        assert server.end.code == 1002
        assert server.poll(timeout=5.0) == []
        server.close()
        closing.result()


def test_what_must_not_wait_is_dropped(make_ends: EndsMaker) -> None:
    ends = make_ends(TIGHT)
    for _ in range(10):
        ends.client.send(b"x", no_delay=True)
    with pytest.raises(MessageDropped):
        ends.client.send(b"no credit", no_delay=True)
    ends.client.send(b"waits")
    with pytest.raises(MessageDropped):
        ends.client.send(b"others wait", no_delay=True)
    with pytest.raises(MessageTooLarge):
        ends.client.send(bytes(600_000), no_delay=True)
    with pytest.raises(ValueError, match="with a key"):
        ends.client.send(b"", reliable=False, no_delay=True, key=b"k")
    assert [ends.server.recv(timeout=5.0) for _ in range(11)] == [b"x"] * 10 + [b"waits"]


def test_a_view(ends: Ends) -> None:
    ends.client.send(b"data")
    view = ends.server.recv_message(timeout=5.0, copy=False)
    assert isinstance(view.data, memoryview)
    assert bytes(view.data) == b"data"
    assert view.data.readonly


def test_everything_that_a_connection_tells(ends: Ends) -> None:
    session = ends.client
    session.name = "player"
    assert session.name == "player"
    session.set_config(Config(nagle_time=1000))
    assert session.get_config(ConfigValue.NAGLE_TIME) == 1000
    session.reset_config(ConfigValue.NAGLE_TIME)
    session.start_history(0.1, 5)
    session.flush()
    assert session.ping(timeout=5.0) < 5.0
    assert session.stats().state is gns.ConnectionState.CONNECTED
    assert len(session.lane_stats()) == 1
    assert session.info().remote_address == session.remote_address
    assert str(session.remote_identity).startswith("ip:127.0.0.1")
    assert "End-to-end" in session.details() or session.details()
    eventually(session.history)
    assert "established" in repr(session)
    session.user_data = 7
    assert session.user_data == 7
    assert session.state is session.connection.state
    assert session.description
    assert session.send_queue().max_bytes > 0


def test_several_in_one_buffer(ends: Ends) -> None:
    assert ends.client.send_many(b"-onetwothree", offsets=[1, 4, 7]) == [1, 2, 3]
    assert [ends.server.recv(timeout=5.0) for _ in range(3)] == [b"one", b"two", b"three"]
    with pytest.raises(ValueError, match="offset"):
        ends.client.send_many(b"data", offsets=[3, 1])
    with pytest.raises(MessageTooLarge) as refused:
        ends.client.send_many([b"one", bytes(600_000), b"three"])
    assert refused.value.sent == 1


def test_several_at_once(make_ends: EndsMaker) -> None:
    ends = make_ends(TIGHT)
    assert ends.client.send_many([b"one", bytearray(b"two"), memoryview(b"three")]) == [1, 2, 3]
    with pytest.raises(SendQueueFull) as full:
        ends.client.send_many([b"x"] * 50)
    assert full.value.sent == 17
    assert [ends.server.recv(timeout=5.0) for _ in range(20)] == [b"one", b"two", b"three", *[b"x"] * 17]


def test_a_network_that_is_cut_ends_both(make_ends: EndsMaker, fast: Config) -> None:
    ends = make_ends(SessionConfig(resume_window=None), config=fast | Config(timeout_connected=1000))
    gns_py.set_config(Config(fake_packet_loss_send=100.0))
    try:
        for session in ends:
            with pytest.raises(SessionClosed) as closed:
                session.recv(timeout=20.0 * PATIENCE)
            assert closed.value.reason is CloseReason.CONNECTION_LOST
            assert closed.value.end.recoverable
            assert not closed.value.end.ok
    finally:
        gns_py.reset_config(ConfigValue.FAKE_PACKET_LOSS_SEND)


def test_a_message_larger_than_the_lowered_send_queue(make_ends: EndsMaker) -> None:
    ends = make_ends(TIGHT)
    ends.client.set_config(Config(send_buffer_size=4096))
    with pytest.raises(MessageTooLarge):
        ends.client.send(bytes(8000))
    ends.client.send(b"smaller")
    assert ends.server.recv(timeout=5.0) == b"smaller"


def test_a_queued_message_that_no_longer_fits_ends_the_session(make_ends: EndsMaker) -> None:
    ends = make_ends(TIGHT)
    for _ in range(3):
        ends.client.send(bytes(8000))  # the third one waits for credit
    ends.client.set_config(Config(send_buffer_size=4096))
    with pytest.raises(SessionClosedError) as closed:  # noqa: PT012
        for _ in range(3):
            ends.server.recv(timeout=5.0 * PATIENCE)
    assert closed.value.reason is CloseReason.MESSAGE_TOO_LARGE
    assert ends.client.wait_closed(timeout=5.0).reason is CloseReason.MESSAGE_TOO_LARGE


def test_unreliable_messages_wait_for_room_in_the_send_queue(make_ends: EndsMaker) -> None:
    config = Config(send_rate_min=20_000, send_rate_max=20_000, send_buffer_size=16 * 1024)
    ends = make_ends(SessionConfig(unreliable_queue=4), config=config)
    for number in range(40):
        ends.client.send(bytes(1000) + b"%d" % number, reliable=False)
    assert ends.client.dropped[0] > 0
    last = b""
    while last != b"39":
        last = ends.server.recv(timeout=5.0 * PATIENCE)[1000:]
    ends.client.abort()
