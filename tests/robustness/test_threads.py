"""Several threads on one connection, and the whole API from many threads at once."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

import gns_py
import gns_py.sync as gns
from gns_py.sync.connection import Connection

pytestmark = pytest.mark.slow

Process = subprocess.Popen[str]
PairMaker = Callable[..., tuple[Connection, Connection]]
SENDERS = 6
EACH = 4000


@pytest.fixture(autouse=True)
def _many_interleavings() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def label(sender: int, number: int) -> bytes:
    return sender.to_bytes(1, "little") + number.to_bytes(4, "little") + bytes(number % 200)


def send_numbered(connection: Connection, sender: int, count: int, accepted: list[int]) -> None:
    """Send messages 0, 1, 2, ... of one sender, singly and in batches; count the accepted ones in accepted[sender]."""
    while accepted[sender] < count:
        first = accepted[sender]
        try:
            if first % 3:
                connection.send(label(sender, first), nagle=first % 2 == 0)
                accepted[sender] += 1
            else:
                batch = [label(sender, number) for number in range(first, min(first + 7, count))]
                accepted[sender] += len(connection.send_many(batch))
        except gns.SendQueueFull as full:
            accepted[sender] += full.sent
            connection.drain(timeout=20)


def sort(messages: list[bytes]) -> list[list[int]]:
    """Return the messages of each sender in order of arrival."""
    received: list[list[int]] = [[] for _ in range(SENDERS)]
    for data in messages:
        number = int.from_bytes(data[1:5], "little")
        assert data == label(data[0], number)
        received[data[0]].append(number)
    return received


def test_messages_of_each_sending_thread_stay_in_order(make_pair: PairMaker, bulk: Callable[..., gns.Config]) -> None:
    config = bulk(send_rate_min=30 << 20, send_rate_max=30 << 20, send_buffer_size=256 << 10)
    a, b = make_pair(config)
    accepted = [0] * SENDERS
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            a.stats()
            a.info()
            a.send_queue()
            a.flush()
            a.details()

    def drain() -> None:
        while not over.is_set():
            a.drain(timeout=20)

    with ThreadPoolExecutor(SENDERS + 2) as pool:
        others = [pool.submit(look), pool.submit(drain)]
        senders = [pool.submit(send_numbered, a, sender, EACH, accepted) for sender in range(SENDERS)]
        messages: list[bytes] = []
        while len(messages) < SENDERS * EACH:
            messages += [message.data for message in b.recv_many(timeout=20)]
        over.set()
        for future in (*senders, *others):
            future.result()
    assert sort(messages) == [list(range(EACH))] * SENDERS
    with pytest.raises(TimeoutError):
        b.recv(timeout=0.05)  # not one twice


@pytest.mark.parametrize("linger", [True, False])
def test_closing_while_others_send_keeps_what_was_sent_before(
    make_pair: PairMaker, bulk: Callable[..., gns.Config], linger: bool
) -> None:
    for _ in range(5):
        # The reader pauses while the senders learn of the close: nothing may overflow in the meantime.
        roomy = {"recv_queue_bytes": 1 << 29, "recv_queue_messages": 1 << 24}
        a, b = make_pair(bulk(send_rate_min=30 << 20, send_rate_max=30 << 20, **roomy))
        accepted = [0] * SENDERS
        with ThreadPoolExecutor(SENDERS) as pool:
            senders = [pool.submit(send_numbered, a, sender, 10**9, accepted) for sender in range(SENDERS)]
            messages = [b.recv(timeout=20) for _ in range(1000)]
            before = list(accepted)
            a.close(1111, "enough", linger=linger)
            for future in senders:
                error = future.exception(timeout=20)
                assert isinstance(error, gns.ConnectionClosedOK)
                assert (error.code, error.end.closed_by) == (1111, gns_py.ClosedBy.LOCAL)
            messages += list(b)
        received = sort(messages)
        # No gaps, no duplicates; with linger everything that had been accepted when close() was called.
        for sender in range(SENDERS):
            assert received[sender] == list(range(len(received[sender])))
            assert len(received[sender]) <= accepted[sender] + 6  # part of a send_many() that found it closed
            if linger:
                assert len(received[sender]) >= before[sender]
        assert b.end is not None
        assert (b.end.code, b.end.text) == (1111, "enough")
        b.close()


def test_two_readers_get_an_error_and_lose_nothing(pair: tuple[Connection, Connection]) -> None:
    a, b = pair
    count = 3000
    received: list[int] = []
    refused = [0, 0]

    def read(reader: int) -> None:
        while len(received) < count:
            try:
                received.append(int.from_bytes(b.recv(timeout=0.1)[:4], "little"))
            except gns.ConcurrencyError:  # noqa: PERF203 - each one is the test
                refused[reader] += 1
                time.sleep(0.0005)
            except TimeoutError:
                pass

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read, reader) for reader in range(2)]
        for number in range(count):
            a.send(number.to_bytes(4, "little"))
            if number % 100 == 0:
                time.sleep(0.002)
        for future in readers:
            future.result(timeout=20)
    assert sorted(received) == list(range(count))
    assert sum(refused) > 0


def test_a_reader_never_misses_that_another_thread_closed() -> None:
    """Closing dispatches the last event itself: a reader that was about to wait for it must learn of that."""
    for _ in range(500):
        a, b = gns.socket_pair()
        with a, b, ThreadPoolExecutor(1) as pool:
            reader = pool.submit(b.recv)
            at = time.perf_counter() + random.random() * 0.0003  # before it waits, just when it begins to, or after
            while time.perf_counter() < at:
                pass
            b.close(1300)
            assert isinstance(reader.exception(timeout=10), gns.ConnectionClosedOK)


@pytest.mark.parametrize("what", ["recv", "recv_many", "poll", "iteration"])
def test_closing_under_a_reader_is_no_other_error(
    make_pair: PairMaker, bulk: Callable[..., gns.Config], what: str
) -> None:
    """Whatever a reader is doing when another thread closes, it gets ConnectionClosed, or what it had read."""
    for _ in range(40):
        a, b = make_pair(bulk())
        a.send_many([bytes(50)] * 5000)

        def read(b: Connection = b) -> None:
            if what == "iteration":
                for _ in b:
                    pass
                return
            calls: dict[str, Callable[[], object]] = {
                "recv": b.recv,
                "recv_many": lambda: b.recv_many(10),
                "poll": lambda: b.poll(0.1),
            }
            while b.state is gns.ConnectionState.CONNECTED:
                calls[what]()

        with ThreadPoolExecutor(1) as pool:
            reader = pool.submit(read)
            time.sleep(0.005)
            b.close(1300, "while reading")
            error = reader.exception(timeout=10)
        assert error is None or (isinstance(error, gns.ConnectionClosedOK) and error.code == 1300), error
        a.close()


def test_events_of_a_listen_socket_survive_closes_by_other_threads(bulk: Callable[..., gns.Config]) -> None:
    """poll() returns each end once, whichever thread closes."""
    count = 100
    with gns.listen("127.0.0.1", 0, config=bulk()) as listener:
        clients = [gns.connect(*listener.address, config=bulk(), wait=False) for _ in range(count)]
        requests: list[gns.Connection] = []
        ended: list[gns.Connection] = []
        with ThreadPoolExecutor(4) as pool:
            deadline = time.monotonic() + 20
            while len(ended) < count:
                assert time.monotonic() < deadline, f"{len(requests)} came, {len(ended)} ended"
                for event in listener.poll(timeout=0.1):
                    if isinstance(event, gns.ConnectionRequest):
                        requests.append(event.accept())
                    elif isinstance(event, gns.StatusChanged):
                        if event.new is gns.ConnectionState.CONNECTED:
                            pool.submit(event.connection.close, 1400)
                        elif event.end:
                            ended.append(event.connection)
        assert len(set(map(id, ended))) == count
        assert listener.connections == []
        for client in clients:
            assert client.wait_closed(timeout=10).code == 1400
            client.close()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_all_of_the_api_from_eight_threads_with_stop_in_the_middle(spawn: Callable[..., Process], seed: int) -> None:
    process = spawn("stress.py", 4, seed)
    output, errors = process.communicate(timeout=40)
    assert process.returncode == 0, f"{output}\n{errors}"
