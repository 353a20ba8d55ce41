"""The lists of an authority: what is kept, for how long, and by several processes."""

from __future__ import annotations

import stat
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from gns_py import Identity
from gns_py.certs import Issued, Revocation, ledger
from gns_py.certs.ledger import FolderLedger, Ledger, MemoryLedger, revoke

NOW = datetime.now(timezone.utc).replace(microsecond=0)
DAY = timedelta(days=1)


def issued(key_id: int, identity: str | None = "str:alice", lifetime: timedelta = DAY) -> Issued:
    return Issued(key_id, None if identity is None else Identity.parse(identity), NOW, NOW + lifetime)


@pytest.fixture(params=["memory", "folder"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Ledger]:
    """Return a function that opens the lists."""
    return MemoryLedger if request.param == "memory" else lambda: FolderLedger(tmp_path)


def test_valid_certificates_are_listed(make: Callable[[], Ledger]) -> None:
    lists = make()
    assert (lists.issued(), lists.revocations()) == ([], ())
    for each in (
        issued(2**64 - 1),
        issued(2, None, 400 * DAY),
        issued(3, "str:Zoë", -DAY),
        issued(4, lifetime=-3 * DAY),
    ):
        lists.add_issued(each)
    assert lists.issued() == [issued(2**64 - 1), issued(2, None, 400 * DAY)]


def test_whose_a_key_is(make: Callable[[], Ledger]) -> None:
    lists = make()
    for each in (issued(1), issued(1, "str:bob"), issued(2, None), issued(3, lifetime=-DAY)):
        lists.add_issued(each)
    assert lists.holders(1) == {Identity.string("alice"), Identity.string("bob")}
    assert lists.holders(2) == {None}
    assert lists.holders(3) == lists.holders(4) == set()


def test_revocations_are_kept_once_and_for_ever(make: Callable[[], Ledger]) -> None:
    lists = make()
    first = Revocation(5, NOW - 1000 * DAY)
    for each in (first, Revocation(6, NOW), Revocation(5, NOW)):
        lists.add_revocation(each)
    assert lists.revocations() == (first, Revocation(6, NOW))


def test_revoking_by_key_and_by_identity(make: Callable[[], Ledger]) -> None:
    lists = make()
    for each in (issued(1), issued(2), issued(3, "str:bob"), issued(1)):
        lists.add_issued(each)
    assert [each.key_id for each in revoke(lists, Identity.string("alice"))] == [1, 2]
    assert [each.key_id for each in revoke(lists, 77)] == [77]
    assert [each.key_id for each in lists.revocations()] == [1, 2, 77]
    with pytest.raises(ValueError, match="no certificate of str:carol"):
        revoke(lists, Identity.string("carol"))
    for number in (0, -1, 2**64):
        with pytest.raises(ValueError, match="not the number of a key"):
            revoke(lists, number)


def test_a_key_of_two_identities_is_revoked_by_its_number_alone(make: Callable[[], Ledger]) -> None:
    lists = make()
    for each in (issued(1), issued(2), issued(2, "str:mallory"), issued(3, None), issued(3, "str:mallory")):
        lists.add_issued(each)
    with pytest.raises(ValueError, match=r"not revoked, since another identity .*, too: 2, 3; .* by number$"):
        revoke(lists, Identity.string("mallory"))
    assert lists.revocations() == ()
    lists.add_issued(issued(4, "str:mallory"))
    with pytest.raises(ValueError, match=": 2, 3;"):
        revoke(lists, Identity.string("mallory"))
    assert [each.key_id for each in lists.revocations()] == [4]
    revoke(lists, 2)
    with pytest.raises(ValueError, match=": 3;"):
        revoke(lists, Identity.string("mallory"))
    revoke(lists, 3)
    assert [each.key_id for each in revoke(lists, Identity.string("mallory"))] == [2, 3, 4]


def test_a_key_that_was_shared_until_the_other_certificate_expired(make: Callable[[], Ledger]) -> None:
    lists = make()
    for each in (issued(2, lifetime=-DAY), issued(2, "str:mallory")):
        lists.add_issued(each)
    assert [each.key_id for each in revoke(lists, Identity.string("mallory"))] == [2]


def test_memory_is_bounded_by_what_is_valid() -> None:
    lists = MemoryLedger()
    for number in range(5000):
        lists.add_issued(issued(number, lifetime=-DAY if number % 10 else DAY))
    assert len(lists.issued()) == 500
    assert len(vars(lists)["_issued"]) < 2100


def test_days_that_have_passed_are_deleted(tmp_path: Path) -> None:
    lists = FolderLedger(tmp_path)
    for days in (-3, -2, 1, 2):
        lists.add_issued(issued(1, lifetime=days * DAY))
    folder = tmp_path / ledger.ISSUED
    assert len(list(folder.iterdir())) == 4
    FolderLedger(tmp_path).add_issued(issued(2))
    assert sorted(each.stem for each in folder.iterdir()) == [f"{NOW + days * DAY:%Y-%m-%d}" for days in (1, 2)]
    if sys.platform != "win32":
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()} == {0o600}


def test_another_process_sees_what_this_one_adds(tmp_path: Path) -> None:
    ours, theirs = FolderLedger(tmp_path), FolderLedger(tmp_path)
    assert theirs.revocations() == ()
    for number in (1, 2):
        ours.add_revocation(Revocation(number, NOW))
        ours.add_issued(issued(number))
        assert [each.key_id for each in theirs.revocations()] == list(range(1, number + 1))
        assert [each.key_id for each in theirs.issued()] == list(range(1, number + 1))
        assert theirs.holders(number) == {Identity.string("alice")}


def test_a_line_that_was_cut_off_damages_no_other(tmp_path: Path) -> None:
    lists = FolderLedger(tmp_path)
    lists.add_issued(issued(1))
    (path,) = (tmp_path / ledger.ISSUED).iterdir()
    for rest in ('{"key_id": "2", "iden', '{"key_id": "3"}', '{"key_id": 4, "identity": 5}', "[]", "null", "\0\xff"):
        with path.open("a", encoding="latin-1") as file:
            file.write(rest)
    lists.add_issued(issued(9))
    assert [each.key_id for each in lists.issued()] == [1, 9]


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"key_id": "x", "revoked": ""}', '{"key_id": "1", "revoked": "2026-01-01"}']
)
def test_a_damaged_list_of_revocations_is_not_taken_for_an_empty_one(tmp_path: Path, line: str) -> None:
    lists = FolderLedger(tmp_path)
    lists.add_revocation(Revocation(1, NOW))
    with (tmp_path / ledger.REVOKED).open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(OSError, match="line 3"):
        lists.revocations()
