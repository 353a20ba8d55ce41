"""Whose a key is, in memory, and by files that other processes append to."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from support import PATIENCE, Peer, eventually

from gns_py import Identity
from gns_py.certs import Issued, holders
from gns_py.certs.entries import issued_to_line
from gns_py.certs.holders import FolderHolders, Holders
from gns_py.certs.ledger import ISSUED, FolderLedger

NOW = datetime.now(timezone.utc).replace(microsecond=0)
DAY = timedelta(days=1)
ALICE, BOB = Identity.string("alice"), Identity.string("bob")


def issued(key_id: int, identity: Identity | None = ALICE, lifetime: timedelta = DAY) -> Issued:
    return Issued(key_id, identity, NOW, NOW + lifetime)


def line(key_id: int, identity: Identity | None = ALICE, lifetime: timedelta = DAY) -> bytes:
    return f"\n{issued_to_line(issued(key_id, identity, lifetime))}\n".encode()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the file of tomorrow."""
    return tmp_path / f"{NOW + DAY:%Y-%m-%d}.jsonl"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list of the names of all files that are opened from now on."""
    names: list[str] = []
    open_ = Path.open

    def opened(self: Path, mode: str) -> object:
        if mode == "rb":
            names.append(self.name)
        return open_(self, mode)

    monkeypatch.setattr(Path, "open", opened)
    return names


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """Return a function that sets the clock."""
    return lambda time: monkeypatch.setattr(holders, "datetime", SimpleNamespace(now=lambda _: time))


def keys(found: FolderHolders) -> dict[int, frozenset[Identity | None]]:
    """Return the identities of the keys 1 to 7 that have one."""
    return {number: identities for number in range(1, 8) if (identities := found.of(number))}


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_identities_of_keys() -> None:
    found = Holders()
    for each in (
        issued(1),
        issued(2, None),
        issued(3, BOB),
        issued(1, BOB),
        issued(3, BOB, -DAY),
        issued(4, BOB, -DAY),
    ):
        found.add(each)
    assert [found.of(number) for number in range(1, 6)] == [{ALICE, BOB}, {None}, {BOB}, set(), set()]


def test_the_longest_certificate_of_a_key_counts(set_clock: Callable[[datetime], None]) -> None:
    found = Holders()
    for each in (issued(1, lifetime=3 * DAY), issued(1), issued(1, BOB)):
        found.add(each)

    set_clock(NOW + 2 * DAY)
    assert found.of(1) == {ALICE}


def test_identities_whose_certificates_have_expired_are_forgotten(set_clock: Callable[[datetime], None]) -> None:
    found = Holders()
    for number in range(9):
        set_clock(NOW + number * DAY)
        found.add(Issued(1, Identity.string(f"player-{number}"), NOW, NOW + number * DAY + timedelta(hours=1)))
    assert len(found) == 1


def test_memory_is_bounded_by_what_is_valid(set_clock: Callable[[datetime], None]) -> None:
    found = Holders()
    for number in range(500):
        found.add(issued(number, lifetime=2 * DAY))
    for number in range(500, 900):
        found.add(issued(number))
    set_clock(NOW + DAY + timedelta(hours=1))
    for number in range(900, 1000):
        found.add(issued(number, lifetime=2 * DAY))
    assert len(found) == 600


def test_only_what_was_appended_is_read(path: Path, opened: list[str]) -> None:
    found = FolderHolders(path.parent)
    assert found.of(1) == set()
    append(path, line(1))
    append(path.with_name(f"{NOW + 2 * DAY:%Y-%m-%d}.jsonl"), line(2, BOB, 2 * DAY))
    for _ in range(3):
        assert keys(found) == {1: {ALICE}, 2: {BOB}}
    assert len(opened) == 2
    append(path, line(3))
    assert found.of(3) == {ALICE}
    assert opened[2:] == [path.name]


def test_a_line_that_another_process_is_writing_is_read_again(path: Path, opened: list[str]) -> None:
    found = FolderHolders(path.parent)
    data = line(1) + line(2)
    for end in range(0, len(data) + 1, 7):
        path.write_bytes(b"")
        append(path, data[:end])
        assert found.of(2) == set()
    append(path, data[end:-1])
    assert keys(found) == {1: {ALICE}}
    count = len(opened)
    assert found.of(2) == set()
    assert len(opened) == count
    append(path, data[-1:])
    assert found.of(2) == {ALICE}


def test_a_line_that_was_cut_off_damages_no_other(path: Path) -> None:
    found = FolderHolders(path.parent)
    for rest in (b'{"key_id": "2", "iden', b'{"key_id": "3"}', b"[]", b"null", b"\0\xff", b"\xff\xfe"):
        append(path, rest)
        assert found.of(1) == set()
    append(path, line(1))
    assert found.of(1) == {ALICE}


def test_a_file_that_is_replaced_or_cut_is_read_anew(path: Path) -> None:
    found = FolderHolders(path.parent)
    path.write_bytes(line(1) + line(2))
    assert found.of(2) == {ALICE}
    path.write_bytes(line(1))  # cut
    assert keys(found) == {1: {ALICE}}
    new = path.with_name("new")
    new.write_bytes(line(3) + line(4) + line(5))
    new.replace(path)  # another, which is longer
    assert keys(found) == {number: {ALICE} for number in (3, 4, 5)}
    before = path.stat()
    path.write_bytes(line(3) + line(4) + line(6))  # in place, and as long
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert keys(found) == {number: {ALICE} for number in (3, 4, 6)}
    path.unlink()
    assert found.of(6) == set()
    path.write_bytes(line(7))
    assert found.of(7) == {ALICE}


def test_a_folder_that_cannot_be_read_is_not_taken_for_an_empty_one(path: Path) -> None:
    append(path, line(1))
    with pytest.raises(NotADirectoryError):
        FolderHolders(path).of(1)


def test_days_that_have_passed_are_not_read(path: Path, opened: list[str]) -> None:
    append(path.with_name(f"{NOW - DAY:%Y-%m-%d}.jsonl"), line(1, ALICE, DAY))
    assert FolderHolders(path.parent).of(1) == set()
    assert opened == []


def test_several_processes_append_at_the_same_time(tmp_path: Path) -> None:
    program = """
        import sys
        from datetime import datetime, timedelta, timezone
        from pathlib import Path

        from gns_py import Identity
        from gns_py.certs import Issued
        from gns_py.certs.ledger import FolderLedger

        ledger, name = FolderLedger(Path(sys.argv[1])), sys.argv[2]
        now = datetime.now(timezone.utc)
        print("ready")
        input()
        for number in range(300):
            expires = now + timedelta(days=1 + number % 3)
            ledger.add_issued(Issued(number + 1, Identity.string(f"{name}-{number}"), now, expires))
        print("done")
    """
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    found = FolderHolders(tmp_path / ISSUED)

    def is_found(key_id: int, identities: set[Identity]) -> bool:
        return found.of(key_id) == identities

    with ExitStack() as stack:
        peers = [stack.enter_context(Peer(program, scripts, tmp_path, name)) for name in ("one", "two")]
        for peer in peers:
            assert peer.line(30.0 * PATIENCE) == "ready"
        for peer in peers:
            peer.say("")
        for number in range(300):
            both = {Identity.string(f"{name}-{number}") for name in ("one", "two")}
            eventually(partial(is_found, number + 1, both), 30.0 * PATIENCE)
        assert [peer.line() for peer in peers] == ["done"] * 2
    assert len(list((tmp_path / ISSUED).iterdir())) == 3


DAYS = (-1, 1, 2)


class Folder(RuleBasedStateMachine):
    """Whatever happens to the files, the answers are those of all that is read at once."""

    def __init__(self) -> None:
        super().__init__()
        self.place = tempfile.TemporaryDirectory()
        folder = Path(self.place.name)
        (folder / ISSUED).mkdir()
        self.paths = [folder / ISSUED / f"{NOW + number * DAY:%Y-%m-%d}.jsonl" for number in DAYS]
        self.ledger = FolderLedger(folder)
        self.found = FolderHolders(folder / ISSUED)
        self.rest: tuple[Path, bytes] | None = None

    def teardown(self) -> None:
        self.place.cleanup()

    @rule(key_id=st.integers(1, 4), identity=st.sampled_from([None, ALICE, BOB]), days=st.sampled_from(DAYS))
    def issue(self, key_id: int, identity: Identity | None, days: int) -> None:
        self.ledger.add_issued(issued(key_id, identity, days * DAY))

    @precondition(lambda self: self.rest is None)
    @rule(key_id=st.integers(1, 4), index=st.integers(0, 2), part=st.floats(0.0, 1.0))
    def begin_a_line(self, key_id: int, index: int, part: float) -> None:
        data = line(key_id, BOB, DAYS[index] * DAY)
        end = int(part * (len(data) - 2))  # JSON that is complete is an entry for the one, the line's end for the other
        append(self.paths[index], data[:end])
        self.rest = self.paths[index], data[end:]

    @precondition(lambda self: self.rest is not None)
    @rule()
    def end_the_line(self) -> None:
        assert self.rest is not None
        append(*self.rest)
        self.rest = None

    @rule(index=st.integers(0, 2), data=st.binary(max_size=8))
    def damage(self, index: int, data: bytes) -> None:
        append(self.paths[index], data.translate(None, b"\r}"))

    @rule(index=st.integers(0, 2), part=st.floats(0.0, 1.0))
    def cut(self, index: int, part: float) -> None:
        if self.paths[index].exists():
            data = self.paths[index].read_bytes()
            self.paths[index].write_bytes(data[: data.rfind(b"\n", 0, int(part * len(data))) + 1])

    @rule(index=st.integers(0, 2), keys=st.lists(st.integers(1, 4)))
    def replace(self, index: int, keys: list[int]) -> None:
        new = self.paths[index].with_name("new")
        new.write_bytes(b"".join(line(each, ALICE, DAYS[index] * DAY) for each in keys))
        new.replace(self.paths[index])

    @rule(index=st.integers(0, 2))
    def delete(self, index: int) -> None:
        self.paths[index].unlink(missing_ok=True)

    @invariant()
    def answers_are_those_of_the_list(self) -> None:
        everything = self.ledger.issued()
        for key_id in range(1, 5):
            assert self.found.of(key_id) == {each.identity for each in everything if each.key_id == key_id}


Folder.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestFolder = Folder.TestCase
