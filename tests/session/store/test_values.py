"""Records, claims and commits refuse what cannot be."""

from __future__ import annotations

from typing import Any

import pytest
from support.stores import claim_of, make_record, messages

from gns_py.session.store import Commit, MemoryStore, Outgoing, RecordTooLarge, Touch
from gns_py.session.store.values import check_size, runs_of

ID = MemoryStore().new_session_id()
OWNER = bytes(16)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"id": b"short"}, "16 bytes"),
        ({"owner": b"short"}, "16 random bytes"),
        ({"epoch": 0}, "epoch 0"),
        ({"epoch": 2**53}, "is not in 1"),
        ({"ttl": 0}, "a ttl has"),
        ({"ttl": float("inf")}, "a ttl has"),
        ({"key": ""}, "a key has"),
        ({"handled": {-1: 0}}, "lane -1"),
        ({"acked": {0: -1}}, "number -1"),
        ({"sent": {0: 2**53}}, "lane 0"),
        ({"sent": {0: 1}}, "lane 0 needs the messages 1 to 1"),
        ({"outgoing": messages(1, 1, 1)}, "lane 1 needs the messages 1 to 0"),
        ({"sent": {1: 2}, "acked": {1: 1}, "outgoing": messages(1, 1, 1)}, "lane 1 needs the messages 2 to 2"),
        ({"acked": {1: 1}}, "lane 1 needs"),
    ],
)
def test_records(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_record(**{"session_id": fields.pop("id", ID), **fields})


def test_the_set_up_which_has_a_secret_is_not_printed() -> None:
    assert "secret" not in repr(make_record(ID, setup=b"secret"))


def test_claims() -> None:
    with pytest.raises(ValueError, match="must rise, not go from 1 to 1"):
        claim_of(make_record(ID), epoch=1)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"number": 1, "after": 1}, "must rise"),
        ({"number": 1, "after": -1}, "must rise"),
        ({"number": 2**53}, "must rise"),
        ({"handled": {0: -1}}, "number -1"),
        ({"outgoing": [Outgoing(0, 1, b""), Outgoing(0, 3, b"")]}, "consecutive"),
        ({"outgoing": [Outgoing(0, 1, b""), Outgoing(0, 1, b"")]}, "consecutive"),
        ({"outgoing": [Outgoing(0, 0, b"")]}, "consecutive"),
    ],
)
def test_commits(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Commit(**{"id": ID, "epoch": 1, "owner": OWNER, "number": 1, "after": 0, "ttl": 1.0, **fields})


@pytest.mark.parametrize(
    "fields",
    [{"state": "text"}, {"state": bytearray(1)}, {"progress": 1}, {"outgoing": [Outgoing(0, 1, memoryview(b""))]}],  # type: ignore[arg-type]
)
def test_only_bytes(fields: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="bytes are needed, not"):
        Commit(**{"id": ID, "epoch": 1, "owner": OWNER, "number": 1, "after": 0, "ttl": 1.0, **fields})


def test_touches() -> None:
    with pytest.raises(ValueError, match="a key has"):
        Touch(id=ID, epoch=1, owner=OWNER, key="", ttl=1.0)


def test_runs_are_ordered_by_lane_and_number() -> None:
    mixed = [Outgoing(2, 7, b"x"), Outgoing(1, 1, b"a"), Outgoing(2, 6, b"y")]
    assert runs_of(mixed) == {1: (mixed[1],), 2: (mixed[2], mixed[0])}


def test_sizes() -> None:
    record = make_record(ID, setup=b"12", state=b"345", sent={0: 1}, outgoing=messages(0, 1, 1, size=5))
    check_size(record, 10)
    with pytest.raises(RecordTooLarge, match="10 bytes of state, set-up, progress and messages; max_size is 9"):
        check_size(record, 9)
