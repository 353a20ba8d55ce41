"""Faults planted into the engines and the transport: the model of test_resuming_pairs.py finds each."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import pytest
from session.protocol.test_resuming_pairs import Sessions, find_fault
from support.framing import Framing

from gns_py.session.protocol.acks import Acknowledger
from gns_py.session.protocol.frames import Ack
from gns_py.session.protocol.goodbye import GoodbyeExchange
from gns_py.session.protocol.outbox import Outbox
from gns_py.session.protocol.tokens import Tokens


def replay_one_too_late(patch: pytest.MonkeyPatch) -> None:
    resume = Framing.resume

    def wrong(self: Framing, handled: dict[int, int]) -> None:
        resume(self, handled)
        assert self.again is not None
        self.again = deque(list(self.again)[1:])

    patch.setattr(Framing, "resume", wrong)


def count_duplicates_as_new(patch: pytest.MonkeyPatch) -> None:
    resume = Framing.resume

    def wrong(self: Framing, handled: dict[int, int]) -> None:
        resume(self, handled)
        self.received = dict(handled)
        self.replayed = {}

    patch.setattr(Framing, "resume", wrong)


def report_what_has_arrived_as_handled(patch: pytest.MonkeyPatch) -> None:
    def wrong(self: Acknowledger) -> Ack:
        inbox = self._inbox
        self._granted = self._transport.grant(inbox.acks_due)
        inbox.acks_sent, self._acked = inbox.acks_due, inbox.received.copy()
        inbox.clear()
        return Ack(self._acked, *self._granted)

    patch.setattr(Acknowledger, "report", wrong)


def say_no_goodbye_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(GoodbyeExchange, "begin_again", lambda _: None)


def accept_only_the_newest_token(patch: pytest.MonkeyPatch) -> None:
    def wrong(self: Tokens, epoch: int, token: bytes) -> bool:
        return (epoch, token) == (self.epoch, self.newest)

    patch.setattr(Tokens, "accept", wrong)


def keep_the_old_epoch(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Tokens, "renew", lambda _: None)


def drop_what_waits_with_the_connection(patch: pytest.MonkeyPatch) -> None:
    suspend = Outbox.suspend

    def wrong(self: Outbox) -> None:
        suspend(self)
        self.clear()

    patch.setattr(Outbox, "suspend", wrong)


def release_in_the_middle_of_a_replay(patch: pytest.MonkeyPatch) -> None:
    acked = Outbox.acked

    def wrong(self: Outbox, ack: Ack) -> bool:
        self._transport.release_acked(ack.handled)
        return acked(self, ack)

    patch.setattr(Outbox, "acked", wrong)


def send_new_messages_before_the_replay(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Framing, "is_held", property(lambda self: not self.is_attached))


@pytest.mark.timeout(600)  # it searches
@pytest.mark.parametrize(
    "plant",
    [
        replay_one_too_late,
        count_duplicates_as_new,
        report_what_has_arrived_as_handled,
        say_no_goodbye_again,
        accept_only_the_newest_token,
        keep_the_old_epoch,
        drop_what_waits_with_the_connection,
        release_in_the_middle_of_a_replay,
        send_new_messages_before_the_replay,
    ],
)
def test_the_model_finds_a_planted_fault(monkeypatch: pytest.MonkeyPatch, plant: Callable[..., None]) -> None:
    plant(monkeypatch)
    find_fault(Sessions, 10_000, AssertionError)
