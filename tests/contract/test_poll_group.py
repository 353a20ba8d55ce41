"""PollGroup: many connections, one place to read them."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from support import Api, eventually, poll_until, until_ended
from support.platforms import LATE_ACKS

from gns_py import (
    ClosedBy,
    ConcurrencyError,
    Config,
    ConnectionClosed,
    ConnectionClosedOK,
    ConnectionEnd,
    EndReason,
    InvalidStateError,
    MessageReceived,
    StatusChanged,
)
from gns_py.sync import Connection, PollGroup

Pair = tuple[Connection, Connection]
PairMaker = Callable[..., Pair]


@pytest.fixture
def group(api: Api) -> PollGroup:
    return api.PollGroup()


def arrived(sender: Connection) -> None:
    eventually(lambda: sender.send_queue().messages == 0, what="the arrival of all that was sent")


def next_messages(group: PollGroup, count: int) -> list[bytes]:
    """Return the data of the next messages, of which there are exactly this many."""
    messages: list[bytes] = []
    while len(messages) < count:
        events = poll_until(group, lambda event: isinstance(event, MessageReceived))
        messages += [event.message.data for event in events if isinstance(event, MessageReceived)]
    assert len(messages) == count
    return messages


# ---- reading ---------------------------------------------------------------------------------------------------------


def test_poll_tells_of_all_members_each_in_order(make_pair: PairMaker, group: PollGroup) -> None:
    pairs = [make_pair() for _ in range(3)]
    for _, server in pairs:
        group.add(server)
    for number in range(20):
        for which, (client, _) in enumerate(pairs):
            client.send(b"%d %d" % (which, number))
    got: dict[Connection, list[bytes]] = {server: [] for _, server in pairs}
    while sum(map(len, got.values())) < 60:
        for event in poll_until(group, lambda event: isinstance(event, MessageReceived)):
            if isinstance(event, MessageReceived):
                got[event.connection].append(event.message.data)
    for which, (_, server) in enumerate(pairs):
        assert got[server] == [b"%d %d" % (which, number) for number in range(20)]


def test_poll_ends_with_the_end_and_the_group_forgets_the_connection(pair: Pair, group: PollGroup) -> None:
    client, server = pair
    group.add(server)
    client.send_many([b"one", b"two"])
    client.close(1111, "bye")
    *messages, last = [event for event in until_ended(group) if not isinstance(event, StatusChanged) or event.end]
    assert [event.message.data for event in messages if isinstance(event, MessageReceived)] == [b"one", b"two"]
    assert isinstance(last, StatusChanged)
    assert (last.connection, last.end) == (server, ConnectionEnd(ClosedBy.PEER, 1111, "bye"))
    assert group.connections == []
    assert group.poll(timeout=0.1) == []


def test_poll_waits_for_the_first_event_and_no_longer(pair: Pair, group: PollGroup) -> None:
    client, server = pair
    group.add(server)
    group.poll(timeout=0.2)  # perhaps a status change
    assert group.poll() == []
    timer = threading.Timer(0.1, lambda: client.send(b"now"))
    timer.start()
    assert [event.message.data for event in group.poll(timeout=60.0) if isinstance(event, MessageReceived)] == [b"now"]
    timer.join()


def test_an_empty_group_waits_too_and_members_may_join_meanwhile(pair: Pair, group: PollGroup) -> None:
    client, server = pair
    polled: list[bytes] = []
    thread = threading.Thread(target=lambda: polled.extend(next_messages(group, 1)))
    thread.start()
    client.send(b"before it was a member")
    arrived(client)
    group.add(server)
    thread.join(timeout=5.0)
    assert polled == [b"before it was a member"]


def test_two_must_not_poll_at_once(pair: Pair, group: PollGroup) -> None:
    client, server = pair
    group.add(server)
    polled: list[bytes] = []

    def poll() -> None:
        while not polled:
            with contextlib.suppress(ConcurrencyError):  # the other one may be first
                polled.extend(next_messages(group, 1))

    def is_refused() -> bool:
        try:
            group.poll()
        except ConcurrencyError as error:
            return "two t" in str(error)
        return False

    thread = threading.Thread(target=poll)
    thread.start()
    eventually(is_refused)
    client.send(b"for the first")
    thread.join(timeout=5.0)
    assert polled == [b"for the first"]


# ---- coming and going ------------------------------------------------------------------------------------------------


def test_what_waits_comes_along_and_goes_along(pair: Pair, group: PollGroup) -> None:
    client, server = pair
    client.send_many([b"0", b"1", b"2"])
    arrived(client)
    assert server.recv(timeout=5.0) == b"0"
    group.add(server)
    assert next_messages(group, 2) == [b"1", b"2"]
    client.send_many([b"3", b"4"])
    arrived(client)
    group.remove(server)
    client.send(b"5")
    assert [server.recv(timeout=5.0) for _ in range(3)] == [b"3", b"4", b"5"]
    assert group.poll(timeout=0.1) == []


def test_moving_between_groups_in_the_middle_of_traffic_loses_and_doubles_nothing(
    api: Api, pair: Pair, group: PollGroup
) -> None:
    client, server = pair
    count = 1000

    def send() -> None:
        for number in range(count):
            client.send(b"%d" % number, nagle=False)
            if number % 20 == 0:
                time.sleep(0.002)

    sender = threading.Thread(target=send)
    sender.start()
    other = api.PollGroup()
    received: list[bytes] = []
    moves = 0
    while len(received) < count:
        here, there = (group, other) if moves % 2 else (other, group)
        there.add(server)
        assert server in there
        assert server not in here
        assert [here.connections, there.connections] == [[], [server]]
        moves += 1
        events = there.poll(timeout=0.05)
        received += [event.message.data for event in events if isinstance(event, MessageReceived)]
    sender.join()
    assert received == [b"%d" % number for number in range(count)]
    assert moves > 3


def test_a_member_is_not_read_on_its_own(pair: Pair, group: PollGroup) -> None:
    client, server = pair
    group.add(server)
    client.send(b"for the group")
    text = r"^a poll group reads the connection: remove\(\) it there first$"
    for read in (server.recv, server.recv_message, server.recv_many):
        with pytest.raises(InvalidStateError, match=text):
            read(timeout=1.0)
    with pytest.raises(InvalidStateError, match=text):
        next(iter(server))
    assert next_messages(group, 1) == [b"for the group"]
    server.send(b"sending is free")
    assert client.recv(timeout=5.0) == b"sending is free"
    client.close()
    assert server.wait_closed(timeout=5.0).ok


def test_membership(api: Api, make_pair: PairMaker, group: PollGroup) -> None:
    (client, server), (_, stranger) = make_pair(), make_pair()
    assert group.connections == []
    group.add(server)
    group.add(server)
    group.add(client)
    assert set(group.connections) == {client, server}
    assert server in group
    assert stranger not in group
    assert repr(group) == f"<{api.__name__}.poll_group.PollGroup 2 connections>"
    with pytest.raises(ValueError, match=r"Connection 127\.0\.0\.1:.* CONNECTED> is not in this group$"):
        group.remove(stranger)
    server.close()
    assert server not in group.connections
    client.wait_closed(timeout=5.0)
    for ended in (server, client):
        with pytest.raises(ConnectionClosed):
            api.PollGroup().add(ended)


def test_leaving_the_block_lets_the_members_go_open(api: Api, pair: Pair) -> None:
    client, server = pair
    with api.PollGroup() as group:
        group.add(server)
        group.add(client)
    assert group.connections == []
    client.send(b"hello")
    assert server.recv(timeout=5.0) == b"hello"
    group.close()  # again: no effect


def test_who_closes_a_member_hears_of_it_once(pair: Pair, group: PollGroup) -> None:
    client, server = pair
    group.add(server)
    server.close(1222, "enough")
    ends = [event.end for event in until_ended(group) if isinstance(event, StatusChanged) and event.end]
    assert ends == [ConnectionEnd(ClosedBy.LOCAL, 1222, "enough")]
    assert group.poll(timeout=0.1) == []
    with pytest.raises(ConnectionClosedOK):
        client.recv(timeout=5.0)


# ---- bounds and broadcast --------------------------------------------------------------------------------------------


def test_a_group_that_is_not_polled_holds_no_more_than_its_members_may(make_pair: PairMaker, group: PollGroup) -> None:
    client, server = make_pair(server_config=Config(recv_queue_messages=5))
    group.add(server)
    client.send_many([b"x"] * 20)
    assert server.wait_closed(timeout=5.0).code == EndReason.MESSAGE_QUEUE_LIMIT_REACHED
    assert 1 <= sum(isinstance(event, MessageReceived) for event in until_ended(group)) <= 5


def test_what_was_polled_or_moved_counts_no_longer(make_pair: PairMaker, group: PollGroup) -> None:
    client, server = make_pair(server_config=Config(recv_queue_messages=5))
    for number in range(3):
        group.add(server)
        client.send_many([b"%d" % number] * 4)
        arrived(client)
        assert next_messages(group, 4) == [b"%d" % number] * 4
        client.send_many([b"moved"] * 4)
        arrived(client)
        group.remove(server)
        assert [server.recv(timeout=5.0) for _ in range(4)] == [b"moved"] * 4
    assert server.end is None


def test_broadcast_reaches_the_members_and_reports_those_without_room(
    make_pair: PairMaker, group: PollGroup, process_config: Callable[[Config], None]
) -> None:
    pairs = [make_pair(Config(send_buffer_size=10_000)) for _ in range(3)]
    clients, servers = zip(*pairs, strict=True)
    assert group.broadcast(b"no one is there") == []
    for server in servers[:2]:
        group.add(server)
    assert group.broadcast(b"to members") == []
    assert [client.recv(timeout=5.0) for client in clients[:2]] == [b"to members"] * 2
    assert servers[2].send_queue().messages == 0
    process_config(LATE_ACKS)
    while servers[0].send_queue().bytes < 9000:
        servers[0].send(bytes(1000))
    assert group.broadcast(bytes(5000)) == [servers[0]]
    assert clients[1].recv(timeout=5.0) == bytes(5000)


def test_a_connection_that_is_being_read_cannot_join(pair: Pair, group: PollGroup) -> None:
    client, server = pair
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(server.recv, timeout=20.0)
        with pytest.raises(TimeoutError):
            reading.result(timeout=0.3)
        with pytest.raises(ConcurrencyError):
            group.add(server)
        assert server not in group
        client.send(b"for the reader")
        assert reading.result() == b"for the reader"
    group.add(server)
    client.send(b"for the group")
    assert next_messages(group, 1) == [b"for the group"]
