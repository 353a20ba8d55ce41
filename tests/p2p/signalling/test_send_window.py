"""How many signals are on their way to a server."""

from __future__ import annotations

from gns_py.p2p.signalling.send_window import SendWindow
from gns_py.p2p.signalling.wire import Ping


def test_it_is_full_until_the_server_has_read_signals() -> None:
    window = SendWindow()
    pings = [window.on_sent() for _ in range(16)]
    assert [each for each in pings if each is not None] == [Ping(8), Ping(16)]
    assert pings[7] == Ping(8)
    assert window.is_full
    window.on_pong(8)
    assert not window.is_full
    for _ in range(8):
        window.on_sent()
    assert window.is_full


def test_a_pong_that_answers_nothing_means_nothing() -> None:
    window = SendWindow()
    for _ in range(16):
        window.on_sent()
    for number in (0, 17, 24, 0xFFFF_FFFF):
        window.on_pong(number)
        assert window.is_full
    window.on_pong(16)
    window.on_pong(8)  # late
    for _ in range(15):
        window.on_sent()
    assert not window.is_full


def test_numbers_begin_again() -> None:
    window = SendWindow(sent=0xFFFF_FFF8)
    pings = [window.on_sent() for _ in range(16)]
    assert [each for each in pings if each is not None] == [Ping(0), Ping(8)]
    window.on_pong(0)
    assert not window.is_full
