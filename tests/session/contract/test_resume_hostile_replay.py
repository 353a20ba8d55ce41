"""A client that goes on in the wrong way, once it is back, harms its own session at the most."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support import eventually

from gns_py.session import CloseReason, Phase
from gns_py.session.protocol import frames
from gns_py.session.protocol.frames import Ack, Bye, ByeAck, Data, Frame, Ping

from .raw_clients import (
    HELLO,
    INVALID,
    LOST,
    TIMEOUT,
    Attacked,
    check_closed,
    check_refused,
    check_serves,
    hear,
    say,
)


@pytest.mark.parametrize(
    ("replayed", "is_right"),
    [
        pytest.param([1, 2, 3, 4], True, id="right"),
        pytest.param([2, 3], False, id="a gap at the beginning"),
        pytest.param([1, 3], False, id="a gap"),
        pytest.param([1, 1], False, id="twice"),
        pytest.param([2, 1, 3], False, id="out of order"),
        pytest.param([4], False, id="only what is new"),
    ],
)
def test_replays(attacked: Attacked, replayed: list[int], is_right: bool) -> None:
    victim = attacked.establish(replace(HELLO, data=b"evil"))
    attacked.may_read.clear()
    slow = attacked.establish()
    say(slow.raw, *(Data(number, b"%d" % number) for number in (1, 2, 3)), Ping(1))
    hear(slow.raw, frames.Pong)
    slow.drop()
    assert attacked.resume(slow).handled == {}
    say(slow.raw, *(Data(number, b"%d" % number) for number in replayed))
    if is_right:
        attacked.may_read.set()
        assert [hear(slow.raw, Data) for _ in range(4)] == [Data(number, b"%d" % number) for number in (1, 2, 3, 4)]
    else:
        check_closed(slow.raw, LOST)
        attacked.may_read.set()
        eventually(lambda: attacked.ends == [LOST], TIMEOUT)
    check_serves(victim, 1)
    attacked.check_goes_on()


@pytest.mark.parametrize("number", [1, 3, 5])
def test_messages_that_were_handled_come_again(attacked: Attacked, number: int) -> None:
    victim = attacked.establish()
    for each in (1, 2, 3):
        check_serves(victim, each)
    victim.drop()
    assert attacked.resume(victim, handled={0: 3}).handled == {0: 3}
    say(victim.raw, Data(number, b""))
    check_closed(victim.raw, LOST)
    eventually(lambda: attacked.ends == [LOST], TIMEOUT)
    attacked.check_goes_on()


def test_in_a_goodbye(attacked: Attacked) -> None:
    """The same goodbye again, and the end is a normal one."""
    victim = attacked.establish()
    bye = Bye(CloseReason.CLOSED_BY_CLIENT, 1000, "bye", {}, b"data")
    say(victim.raw, bye)
    answer = hear(victim.raw, ByeAck)
    last_ack = hear(victim.raw, Ack)
    victim.raw.close(CloseReason.CONNECTION_LOST.native_code, linger=False)
    eventually(lambda: victim.session.phase is Phase.DROPPED, TIMEOUT)
    attacked.resume(victim)
    say(victim.raw, bye)
    assert hear(victim.raw, ByeAck) == answer
    assert hear(victim.raw, Ack) == last_ack
    say(victim.raw, Ack({}, frames.LAST_CREDIT, frames.LAST_CREDIT))
    eventually(lambda: attacked.ends == [CloseReason.CLOSED_BY_CLIENT], TIMEOUT)
    assert victim.session.wait_closed(timeout=TIMEOUT).ok
    check_refused(attacked.connect(victim.claim), CloseReason.CLOSED_BY_CLIENT)
    attacked.check_goes_on()


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        pytest.param([Bye(4, 1001, "bye", {}, b"data")], INVALID, id="another code"),
        pytest.param([Bye(4, 1000, "bye", {}, b"")], INVALID, id="other data"),
        pytest.param([Bye(4, 1000, "bye", {0: 1}, b"data")], INVALID, id="another last number"),
        pytest.param([Data(1, b"more")], LOST, id="more than announced"),
    ],
)
def test_another_goodbye(attacked: Attacked, wrong: list[Frame], reason: CloseReason) -> None:
    victim = attacked.establish()
    say(victim.raw, Bye(4, 1000, "bye", {}, b"data"))
    hear(victim.raw, ByeAck)
    hear(victim.raw, Ack)
    victim.drop()
    attacked.resume(victim)
    say(victim.raw, *wrong)
    check_closed(victim.raw, reason)
    eventually(lambda: attacked.ends == [reason], TIMEOUT)
    attacked.check_goes_on()
