"""Records as arguments and answers of scripts."""

from __future__ import annotations

from typing import Any

import pytest
from support.stores import make_record, messages

from gns_py.session.store import MemoryStore, Record, RecordLost
from gns_py.session.store.codec import create_arguments, decode_head, decode_record, milliseconds

ID = MemoryStore().new_session_id()


def as_answer(record: Record) -> tuple[list[bytes], list[bytes]]:
    """Return the two hashes of a record, as HGETALL answers."""
    arguments = create_arguments(record, b"epoch")
    texts = [each if isinstance(each, bytes) else str(each).encode() for each in arguments]
    end = int(texts[4]) - 1  # of Lua's indices, which have one argument more
    return [*texts[5:end], b"ttl", texts[2]], texts[end:]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"key": "ünï", "setup": b"\0", "state": b"", "commit": 7},
        {"handled": {0: 1, 5: 2**53 - 1}, "sent": {3: 12}, "acked": {3: 10}, "outgoing": tuple(messages(3, 11, 12))},
        {"epoch": 9, "progress": b"\xff"},
    ],
)
def test_a_record_goes_through(fields: dict[str, Any]) -> None:
    record = make_record(ID, **fields)
    assert decode_record(ID, *as_answer(record)) == record
    assert decode_head(ID, as_answer(record)[0]).handled == record.handled


def test_parts_that_are_missing() -> None:
    head, body = as_answer(make_record(ID, state=b"s", sent={0: 2}, outgoing=messages(0, 1, 2)))
    for place, problem in ((0, "state"), (2, "messages"), (4, "messages")):
        with pytest.raises(RecordLost, match=problem):
            decode_record(ID, head, body[:place] + body[place + 2 :])


def test_times() -> None:
    assert [milliseconds(seconds) for seconds in (0.001, 0.0004, 30, 1.0009)] == [1, 1, 30000, 1001]
