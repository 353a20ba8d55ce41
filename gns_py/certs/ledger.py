"""The lists of an authority: the certificates that it has issued and are still valid, and the keys that it has revoked.

In a folder, a certificate has a line in the file of the day on which it expires. So a file can be deleted as a whole
when its day has passed, no file is ever rewritten, and several processes can append without a lock.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Protocol, TypeVar

from ..identity import Identity
from . import files
from .entries import (
    DAMAGED,
    Issued,
    Revocation,
    issued_from_line,
    issued_to_line,
    revocation_from_line,
    revocation_to_line,
)
from .holders import FolderHolders, Holders

REVOKED = "revoked.jsonl"
ISSUED = "issued"
_DAY = timedelta(days=1)
_MANY = 1000
_T = TypeVar("_T")


class Ledger(Protocol):
    """The lists of an authority. All methods can be called by several threads."""

    def add_issued(self, issued: Issued) -> None:
        """Add a certificate."""

    def issued(self) -> list[Issued]:
        """Return the certificates that have not expired, the oldest first."""

    def holders(self, key_id: int) -> frozenset[Identity | None]:
        """Return the identities of the certificates of a key that have not expired; None stands for an authority."""

    def add_revocation(self, revocation: Revocation) -> None:
        """Add a revocation, durably."""

    def revocations(self) -> tuple[Revocation, ...]:
        """Return all revocations, the oldest first."""


class MemoryLedger:
    """The lists of an authority that was not saved."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._issued: list[Issued] = []
        self._purge_at = _MANY
        self._holders = Holders()
        self._revocations: dict[int, Revocation] = {}

    def add_issued(self, issued: Issued) -> None:
        """See Ledger."""
        with self._lock:
            self._issued.append(issued)
            self._holders.add(issued)
            if len(self._issued) >= self._purge_at:
                self._issued = _valid(self._issued)
                self._purge_at = _MANY + 2 * len(self._issued)

    def issued(self) -> list[Issued]:
        """See Ledger."""
        with self._lock:
            return _valid(self._issued)

    def holders(self, key_id: int) -> frozenset[Identity | None]:
        """See Ledger."""
        with self._lock:
            return self._holders.of(key_id)

    def add_revocation(self, revocation: Revocation) -> None:
        """See Ledger."""
        with self._lock:
            self._revocations.setdefault(revocation.key_id, revocation)

    def revocations(self) -> tuple[Revocation, ...]:
        """See Ledger."""
        with self._lock:
            return tuple(self._revocations.values())


class FolderLedger:
    """The lists of an authority in its folder, which other processes may use at the same time.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._purged = ""
        self._holders = FolderHolders(folder / ISSUED)
        self._read: tuple[object, tuple[Revocation, ...]] = (None, ())

    def add_issued(self, issued: Issued) -> None:
        """See Ledger. Raises OSError."""
        folder = self._folder / ISSUED
        folder.mkdir(mode=0o700, exist_ok=True)
        self._purge()
        path = folder / f"{issued.expires.astimezone(timezone.utc):%Y-%m-%d}.jsonl"
        _append(path, issued_to_line(issued), durable=False)

    def issued(self) -> list[Issued]:
        """See Ledger. Raises OSError."""
        self._purge()
        paths = sorted(self._folder.glob(f"{ISSUED}/*.jsonl"))
        found = [each for path in paths for each in _read(path, issued_from_line, strict=False)]
        return sorted(_valid(found), key=lambda each: each.created)

    def holders(self, key_id: int) -> frozenset[Identity | None]:
        """See Ledger. Raises OSError."""
        return self._holders.of(key_id)

    def add_revocation(self, revocation: Revocation) -> None:
        """See Ledger. Raises OSError."""
        if all(each.key_id != revocation.key_id for each in self.revocations()):
            _append(self._folder / REVOKED, revocation_to_line(revocation), durable=True)

    def revocations(self) -> tuple[Revocation, ...]:
        """See Ledger. Raises OSError, also if it is damaged."""
        path = self._folder / REVOKED
        with self._lock:
            try:
                status = path.stat()
            except FileNotFoundError:
                return ()
            version = status.st_mtime_ns, status.st_size, status.st_ino
            if version != self._read[0]:
                found: dict[int, Revocation] = {}
                for each in _read(path, revocation_from_line, strict=True):
                    found.setdefault(each.key_id, each)
                self._read = version, tuple(found.values())
            return self._read[1]

    def _purge(self) -> None:
        """Delete the files of days that have passed, once a day."""
        yesterday = f"{datetime.now(timezone.utc) - _DAY:%Y-%m-%d}"
        with self._lock:
            if self._purged == yesterday:
                return
            self._purged = yesterday
        for path in self._folder.glob(f"{ISSUED}/*.jsonl"):
            if path.stem < yesterday:
                path.unlink(missing_ok=True)


def revoke(ledger: Ledger, subject: Identity | int) -> tuple[Revocation, ...]:
    """Revoke a key, or all keys with a valid certificate of an identity, and return the revocations.

    A key that another identity has as well is revoked by its number alone: who has the private key, the lists do not
    say, and the one may have copied the public key of the other.

    Raises:
        ValueError: The number is not one of a key, no certificate of the identity is valid, or another identity has
            some of its keys; the others were revoked then.
    """
    shared: set[int] = set()
    if isinstance(subject, Identity):
        issued = ledger.issued()
        numbers = {each.key_id for each in issued if each.identity == subject}
        if not numbers:
            raise ValueError(f"no certificate of {subject} is valid")
        revoked = {each.key_id for each in ledger.revocations()}
        shared = {each.key_id for each in issued if each.identity != subject} & numbers - revoked
    elif 0 < subject < 2**64:
        numbers = {subject}
    else:
        raise ValueError(f"{subject} is not the number of a key")
    now = datetime.now(timezone.utc)
    found = tuple(Revocation(number, now) for number in sorted(numbers - shared))
    for each in found:
        ledger.add_revocation(each)
    if shared:
        listed = ", ".join(map(str, sorted(shared)))
        raise ValueError(
            f"these keys of {subject} were not revoked, since another identity has valid certificates for them, too: "
            f"{listed}; look at the list, and revoke them by number"
        )
    return found


def _append(path: Path, line: str, *, durable: bool) -> None:
    # With a line break in front: a line that was cut off, when the disk was full, must not damage the next one.
    files.append_private(path, f"\n{line}\n", durable=durable)


def _read(path: Path, make: Callable[[str], _T], *, strict: bool) -> Iterator[_T]:
    """Yield the entries of a file. If it is not strict, lines that are damaged are skipped."""
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                yield make(line)
            except DAMAGED:
                if strict:  # a key that is missing in the list would be trusted
                    raise OSError(f"line {number} of {path} is damaged: correct or delete it") from None


def _valid(issued: Iterable[Issued]) -> list[Issued]:
    now = datetime.now(timezone.utc)
    return [each for each in issued if each.expires >= now]
