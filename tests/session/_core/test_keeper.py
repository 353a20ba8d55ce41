"""The keeper of durable sessions: its records. For its work see test_durable.py."""

from __future__ import annotations

import pytest
from support.stores import make_record

from gns_py.session._core import keeper
from gns_py.session.protocol.durable import Progress
from gns_py.session.protocol.reasons import CloseReason
from gns_py.session.store import Fenced, RecordExpired, RecordLost


def test_a_record_has_all_of_the_progress() -> None:
    progress = Progress(
        epoch=7,
        handled={0: 5, 3: 1},
        handled_bytes=1 << 40,
        credit_bytes=(1 << 64) - 1,
        credit_messages=12,
        sent={1: 2},
        sent_bytes=99,
        acked={1: 2},
    )
    record = make_record(
        bytes(16),
        progress=keeper._pack(progress),  # noqa: SLF001
        handled={0: 5, 3: 1},
        sent={1: 2},
        acked={1: 2},
    )
    assert keeper._unpack(record) == progress  # noqa: SLF001


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RecordLost(""), CloseReason.LOST_MESSAGES),
        (RecordExpired(""), CloseReason.SESSION_EXPIRED),
    ],
)
def test_a_record_that_is_missing(error: RecordLost, reason: CloseReason) -> None:
    assert keeper._missing(error).reason is reason  # noqa: SLF001


def test_a_session_that_was_ended_elsewhere() -> None:
    reason = CloseReason.RATE_LIMITED
    assert keeper._fenced(Fenced(3, int(CloseReason.LOST_MESSAGES))).reason is CloseReason.LOST_MESSAGES  # noqa: SLF001
    assert keeper._fenced(Fenced(3)).reason is reason  # noqa: SLF001


def test_states_are_bytes() -> None:
    keeper.check_state(None)
    keeper.check_state(b"")
    with pytest.raises(TypeError, match="bytes"):
        keeper.check_state("text")  # type: ignore[arg-type]
