"""Durable sessions as records. For the work of stores with them see test_store.py."""

from __future__ import annotations

import pytest
from support.durable_network import DurableNetwork
from support.stores import make_record

from gns_py.session import SessionConfig
from gns_py.session._core import records
from gns_py.session._core.records import Holding
from gns_py.session.protocol.durable import Commit, Outgoing, Progress, read_setup
from gns_py.session.protocol.frames import Bye
from gns_py.session.protocol.goodbye import PromisedGoodbye
from gns_py.session.protocol.reasons import CloseReason
from gns_py.session.store import Fenced, RecordExpired, RecordLost

SETUP = DurableNetwork().kept.setup
PROGRESS = Progress(
    epoch=7,
    handled={0: 5, 3: 1},
    handled_bytes=1 << 40,
    credit_bytes=(1 << 64) - 1,
    credit_messages=12,
    sent={1: 2},
    sent_bytes=99,
    acked={1: 1},
    goodbye=PromisedGoodbye(Bye(CloseReason.CLOSED_BY_SERVER, 1234, "text", {}, b"data"), is_answer=True),
)


@pytest.fixture
def holding() -> Holding:
    return Holding(bytes(16), 3, "player:42", 90.0)


def test_a_commit_has_all_of_the_progress(holding: Holding) -> None:
    commit = holding.commit(Commit(4, b"state", PROGRESS, (Outgoing(1, 2, b"out"),)))
    assert (commit.number, commit.after, commit.owner, commit.epoch, commit.ttl) == (4, 3, holding.owner, 3, 90.0)
    record = make_record(
        bytes(16),
        epoch=3,
        setup=SETUP,
        progress=commit.progress,
        handled=commit.handled,
        acked=commit.acked,
        sent=PROGRESS.sent,
        outgoing=commit.outgoing,
        commit=commit.number,
    )
    saved = records.saved(record, 2)
    assert (saved.setup, saved.commit, saved.owner, saved.progress) == (read_setup(SETUP), 4, 2, PROGRESS)
    assert saved.outgoing == (Outgoing(1, 2, b"out"),)


def test_a_new_record_gives_the_client_its_first_credit(holding: Holding) -> None:
    record = holding.record(SETUP, SessionConfig(credit_bytes=1_000, credit_messages=7))
    assert (record.id, record.epoch, record.key, record.ttl) == (bytes(16), 3, "player:42", 90.0)
    progress = records.saved(record, 0).progress
    assert (progress.epoch, progress.credit_bytes, progress.credit_messages) == (1, 1_000, 7)


def test_each_holding_has_an_owner_of_its_own(holding: Holding) -> None:
    claim, touch = holding.claim(), holding.touch()
    assert (claim.expected, claim.epoch, claim.owner) == (2, 3, holding.owner)
    assert (touch.epoch, touch.owner, touch.key) == (3, holding.owner, "player:42")
    assert Holding(bytes(16), 3, None, 90.0).owner != holding.owner


@pytest.mark.parametrize(
    ("error", "reason"),
    [(RecordLost(""), CloseReason.LOST_MESSAGES), (RecordExpired(""), CloseReason.SESSION_EXPIRED)],
)
def test_a_record_that_is_missing(error: RecordLost, reason: CloseReason) -> None:
    assert records.missing(error).reason is reason


def test_a_session_that_was_ended_elsewhere() -> None:
    assert records.fenced(Fenced(3, int(CloseReason.LOST_MESSAGES))).reason is CloseReason.LOST_MESSAGES
    assert records.fenced(Fenced(3)).reason is CloseReason.RATE_LIMITED
