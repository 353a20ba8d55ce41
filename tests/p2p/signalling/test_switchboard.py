"""Messages of clients, without sockets; the server's own tests show the rest."""

from __future__ import annotations

import asyncio

import pytest

from gns_py import Identity
from gns_py.p2p.signalling import Refusal, RoomError, SignallingLimits, SignallingRefused
from gns_py.p2p.signalling.outbox import Outbox
from gns_py.p2p.signalling.switchboard import Switchboard, refusal
from gns_py.p2p.signalling.wire import (
    Create,
    Error,
    Join,
    Joined,
    Left,
    Members,
    Message,
    Ping,
    Received,
    Send,
    Welcome,
    decode,
)

ALICE, BOB = Identity.string("alice"), Identity.string("bob")


def never(error: SignallingRefused) -> None:
    raise AssertionError(error)


async def news(outbox: Outbox) -> list[Message]:
    """Return what waits, and close the outbox."""
    outbox.close(keep_signals=True)
    found = []
    while (data := await outbox.get()) is not None:
        found.append(decode(data))
    return found


def test_messages_go_where_they_belong() -> None:
    async def main() -> None:
        board = Switchboard(SignallingLimits(signal_queue=2), rooms_only=True)
        boxes = {each: Outbox(2) for each in (ALICE, BOB)}
        for each, box in boxes.items():
            board.enter(each, box, never)
        board.handle(ALICE, Create(1, "lobby", 4), 0.0)
        board.handle(BOB, Join(2, "lobby", 0), 0.0)
        for number in range(3):
            board.handle(BOB, Send(ALICE, bytes([number])), 0.0)
        board.leave(BOB, Outbox(1))  # an older login of the same identity
        board.leave(BOB, boxes[BOB])
        board.handle(ALICE, Send(BOB, b"x"), 0.0)
        assert await news(boxes[ALICE]) == [
            Members(1, "lobby", 4, ALICE, (ALICE,)),
            Joined("lobby", BOB),
            Left("lobby", BOB),
            Received(BOB, b"\1"),
            Received(BOB, b"\2"),
        ]
        assert await news(boxes[BOB]) == [Members(2, "lobby", 4, ALICE, (ALICE, BOB))]
        counters = board.counters
        assert (counters.signals, counters.signals_dropped, counters.signals_not_passed) == (3, 1, 1)
        assert len(board) == 1

    asyncio.run(main())


def test_a_newer_login_replaces_the_older() -> None:
    async def main() -> None:
        board = Switchboard(SignallingLimits(), rooms_only=True)
        ends: list[SignallingRefused] = []
        old, new = Outbox(2), Outbox(2)
        board.enter(ALICE, old, ends.append)
        board.handle(ALICE, Create(1, "lobby", 4), 0.0)
        board.enter(ALICE, new, never)
        assert [each.reason for each in ends] == [Refusal.REPLACED]
        assert len(board.rooms) == 0
        board.leave(ALICE, old)
        board.handle(ALICE, Ping(1), 0.0)
        assert len(await news(new)) == 1

    asyncio.run(main())


def test_refusals() -> None:
    board = Switchboard(SignallingLimits(), rooms_only=True)
    board.enter(ALICE, Outbox(2), never)
    with pytest.raises(RoomError) as raised:
        board.handle(ALICE, Join(7, "lobby", 0), 0.0)
    assert decode(refusal(7, raised.value)) == Error(7, Refusal.NO_ROOM.value, "")
    with pytest.raises(TypeError, match="Welcome was not expected"):
        board.handle(ALICE, Welcome(ALICE, 1, None), 0.0)
