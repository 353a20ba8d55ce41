"""Faults planted into durable sessions: the models of test_durable_pairs.py and test_durable_goodbyes.py find each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import pytest
from hypothesis.stateful import RuleBasedStateMachine
from session.protocol.test_durable_goodbyes import DurableGoodbyes
from session.protocol.test_durable_pairs import DurableSessions
from session.protocol.test_resuming_pairs import find_fault
from support.durable_network import Store

from gns_py.session.protocol.acks import Acknowledger
from gns_py.session.protocol.durable import Commit, CommittedAcks, DurableServerEngine, Saved
from gns_py.session.protocol.frames import Ack, Resume
from gns_py.session.protocol.goodbye import GoodbyeExchange, PromisedGoodbye
from gns_py.session.protocol.inbox import Inbox
from gns_py.session.protocol.outbox import Outbox


def send_what_is_only_staged(patch: pytest.MonkeyPatch) -> None:
    stage = Outbox.stage

    def wrong(self: Outbox) -> tuple[dict[int, int], int, list[tuple[int, int, bytes]]]:
        staged = stage(self)
        self._released = self._staged
        self.flush()
        return staged

    patch.setattr(Outbox, "stage", wrong)
    patch.setattr(Outbox, "release", lambda *_: None)


def acknowledge_at_once(patch: pytest.MonkeyPatch) -> None:
    def wrong(self: CommittedAcks, *, asked: bool = False) -> Ack | None:
        return Acknowledger.take_due(self, asked=asked)

    patch.setattr(CommittedAcks, "take_due", wrong)
    patch.setattr(CommittedAcks, "report", Acknowledger.report)


def send_again_what_was_handled(patch: pytest.MonkeyPatch) -> None:
    restore = Outbox.restore

    def wrong(self: Outbox, messages: Iterable[tuple[int, int, bytes]], ack: Ack, put_bytes: int) -> None:
        messages = list(messages)
        first = [(lane, number - 1, data) for lane, number, data in messages[:1] if number > 1]
        restore(self, [*first, *messages], ack, put_bytes)

    patch.setattr(Outbox, "restore", wrong)


def forget_what_was_received(patch: pytest.MonkeyPatch) -> None:
    def wrong(self: Inbox, _: Mapping[int, int], handled_bytes: int) -> None:
        self.handled_bytes = handled_bytes

    patch.setattr(Inbox, "restore", wrong)


def forget_a_commit_without_an_answer(patch: pytest.MonkeyPatch) -> None:
    # The next commit has what came after it, but not what was in it.
    prepare = DurableServerEngine.prepare

    def wrong(self: DurableServerEngine, state: bytes | None) -> Commit:
        self.pending = None
        return prepare(self, state)

    patch.setattr(DurableServerEngine, "prepare", wrong)
    patch.setattr(
        "session.protocol.test_durable_pairs.Application.prepare",
        lambda self: self.engine.prepare(b",".join(self.notes)),
    )


def let_an_older_owner_write(patch: pytest.MonkeyPatch) -> None:
    carry_out = Store.carry_out

    def wrong(self: Store, commit: Commit, owner: int | None = None) -> bool:
        is_next = commit.number in (self.commit, self.commit + 1)
        return carry_out(self, commit, None if is_next else owner)

    patch.setattr(Store, "carry_out", wrong)


def lose_messages_that_are_stored(patch: pytest.MonkeyPatch) -> None:
    restore = DurableServerEngine.restore

    def wrong(self: DurableServerEngine, saved: Saved, resume: Resume, now: float) -> None:
        restore(self, replace(saved, outgoing=saved.outgoing[:-1]), resume, now)

    patch.setattr(DurableServerEngine, "restore", wrong)


def release_twice(patch: pytest.MonkeyPatch) -> None:
    # The second time that the store answers counts again.
    def wrong(self: DurableServerEngine, commit: Commit, now: float) -> None:
        self.pending = commit
        committed(self, commit, now)

    committed = DurableServerEngine.committed
    patch.setattr(DurableServerEngine, "committed", wrong)


def forget_the_goodbye(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(DurableServerEngine, "_keep_promise", lambda *_: None)


def say_goodbye_before_it_is_stored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(DurableServerEngine, "_may_say_goodbye", lambda _: True)


def answer_before_the_client_repeats_its_goodbye(patch: pytest.MonkeyPatch) -> None:
    def wrong(self: GoodbyeExchange, promised: PromisedGoodbye) -> None:
        self.ours, self._was_first = promised.goodbye, None

    patch.setattr(GoodbyeExchange, "keep_promise", wrong)


def insist_on_the_last_credit(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Outbox, "has_last_credit", False)


def find(machine: type[RuleBasedStateMachine]) -> None:
    find_fault(machine, 5_000, Exception)  # some faults show as a Violation or a ValueError


@pytest.mark.timeout(600)  # it searches
@pytest.mark.parametrize(
    "plant",
    [
        forget_the_goodbye,
        say_goodbye_before_it_is_stored,
        answer_before_the_client_repeats_its_goodbye,
        insist_on_the_last_credit,
    ],
)
def test_the_model_of_goodbyes_finds_a_planted_fault(
    monkeypatch: pytest.MonkeyPatch, plant: Callable[..., None]
) -> None:
    plant(monkeypatch)
    find(DurableGoodbyes)


@pytest.mark.timeout(600)  # it searches
@pytest.mark.parametrize(
    "plant",
    [
        send_what_is_only_staged,
        acknowledge_at_once,
        send_again_what_was_handled,
        forget_what_was_received,
        forget_a_commit_without_an_answer,
        let_an_older_owner_write,
        lose_messages_that_are_stored,
        release_twice,
    ],
)
def test_the_model_finds_a_planted_fault(monkeypatch: pytest.MonkeyPatch, plant: Callable[..., None]) -> None:
    plant(monkeypatch)
    find(DurableSessions)
