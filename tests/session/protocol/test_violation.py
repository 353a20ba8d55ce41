"""The checks of what a peer may send at any time."""

from __future__ import annotations

import pytest

from gns_py.message import Message
from gns_py.session import CloseReason
from gns_py.session.protocol.frames import Data, Keyed, Untracked
from gns_py.session.protocol.violation import FrameBudget, Violation, check_keyed


def message(*, lane: int = 0, reliable: bool = True) -> Message:
    return Message(b"", 1, lane, reliable, 0)


def test_frames_that_say_nothing_new_are_limited_at_once_and_in_the_long_run() -> None:
    budget = FrameBudget(0.0)
    for _ in range(100):
        budget.spend(0.0)
    with pytest.raises(Violation, match="too many control frames") as refused:
        budget.spend(0.0)
    assert refused.value.reason is CloseReason.RATE_LIMITED
    budget = FrameBudget(0.0)
    for number in range(10_000):
        budget.spend(number / 100)


def test_a_keyed_message_is_let_through() -> None:
    frame = Keyed(b"key", b"x" * 7)
    assert check_keyed(frame, message(reliable=False), {}, 10) is frame


@pytest.mark.parametrize(
    ("frame", "carrier", "reason"),
    [
        (Keyed(b"key", b"x" * 8), message(), CloseReason.MESSAGE_TOO_LARGE),
        (Keyed(b"key", b""), message(lane=255), CloseReason.INVALID_INBOUND_MESSAGE),
        (Data(4, b""), message(reliable=False), CloseReason.INVALID_INBOUND_MESSAGE),
        (Data(5, b""), message(), CloseReason.LOST_MESSAGES),
        (Data(4, b""), message(), CloseReason.MESSAGE_QUEUE_LIMIT_REACHED),
        (Data(4, b"x" * 11), message(), CloseReason.MESSAGE_TOO_LARGE),
        (Untracked(b"x" * 11), message(), CloseReason.MESSAGE_TOO_LARGE),
    ],
)
def test_what_the_transport_did_not_unpack_is_refused(
    frame: Data | Untracked | Keyed, carrier: Message, reason: CloseReason
) -> None:
    with pytest.raises(Violation) as refused:
        check_keyed(frame, carrier, {0: 3}, 10)
    assert refused.value.reason is reason


def test_what_does_not_come_again_is_lost() -> None:
    lost, without_credit = CloseReason.LOST_MESSAGES, CloseReason.MESSAGE_QUEUE_LIMIT_REACHED
    for comes_again, reason in (({0: 3}, lost), ({0: 2, 1: 3}, without_credit)):
        with pytest.raises(Violation) as refused:
            check_keyed(Data(4, b""), message(), {0: 3}, 10, comes_again)
        assert refused.value.reason is reason
