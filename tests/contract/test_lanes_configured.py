"""Configuring the lanes of a connection: order, numbers, errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support import PATIENCE

from gns_py import Config, Message
from gns_py.sync import Connection

Pair = tuple[Connection, Connection]
PairMaker = Callable[..., Pair]


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
