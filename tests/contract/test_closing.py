"""Waiting for a connection and closing it."""

from __future__ import annotations

import contextlib
import gc
import sys
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from support import PATIENCE, Api, counts_references, eventually

from gns_py import ClosedBy, Config, ConnectionClosedOK, ConnectionEnd, ConnectionState, EndReason, SendQueueFull
from gns_py.sync import Connection

Pair = tuple[Connection, Connection]
PairMaker = Callable[..., Pair]


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
        ((0,), ValueError, "code is 0: use 1000 to 1999 for a normal end, 2000 to 2999 for a fault"),
        ((999,), ValueError, "code is 999: use 1000 to 1999 for a normal end, 2000 to 2999 for a fault"),
        ((3000,), ValueError, "code is 3000: use 1000 to 1999 for a normal end, 2000 to 2999 for a fault"),
        ((5003,), ValueError, "code is 5003: use 1000 to 1999 for a normal end, 2000 to 2999 for a fault"),
        ((2**40,), ValueError, "code is 1099511627776: use 1000 to 1999 for a normal end, 2000 to 2999 for a fault"),
        (("1000",), TypeError, "code must be an int, not str"),
        ((None,), TypeError, "code must be an int, not NoneType"),
        ((True,), TypeError, "code must be an int, not bool"),
        ((1000, None), TypeError, "text must be a str, not NoneType"),
        ((1000, b"bye"), TypeError, "text must be a str, not bytes"),
        ((1000, "x" * 128), ValueError, "text has 128 bytes: at most 127 are allowed"),
        ((1000, "日" * 43), ValueError, "text has 129 bytes: at most 127 are allowed"),
        ((1000, "a\0b"), ValueError, "text has a NUL byte"),
        ((1000, "\udc80"), ValueError, "text cannot be encoded as UTF-8"),
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
    server.close(1002, "the second")  # before any event of the first was read
    assert server.end == ConnectionEnd(ClosedBy.PEER, 1001, "the first")


def test_a_sender_in_another_thread_learns_which_end_closed(make_pair: PairMaker) -> None:
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
def test_a_forgotten_listen_socket_warns_and_closes_itself(api: Api) -> None:
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
