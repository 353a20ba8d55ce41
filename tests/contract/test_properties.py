"""The properties and options of a connection."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support import PATIENCE, Api, counts_references, once
from support.platforms import RATE

import gns_py
from gns_py import (
    Config,
    ConfigError,
    ConfigValue,
    ConnectionState,
    EndReason,
    InfoFlags,
    MessageTooLarge,
    SendQueueFull,
)
from gns_py.sync import Connection

Pair = tuple[Connection, Connection]
PairMaker = Callable[..., Pair]

# Up to 1 MiB can wait, at a rate that the machine can take.
ROOMY = Config(send_rate_min=RATE, send_rate_max=RATE, send_buffer_size=1 << 20)


# ---- properties ------------------------------------------------------------------------------------------------------


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
        ("name", "\udc80", ValueError, "name cannot be encoded as UTF-8"),
        ("user_data", "1", TypeError, "user_data must be an int, not str"),
        ("user_data", True, TypeError, "user_data must be an int, not bool"),
        ("user_data", 2**63, ValueError, f"user_data is {2**63}: it must be {-(2**63)} to {2**63 - 1}"),
        ("user_data", -(2**63) - 1, ValueError, f"user_data is {-(2**63) - 1}: it must be {-(2**63)} to {2**63 - 1}"),
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
