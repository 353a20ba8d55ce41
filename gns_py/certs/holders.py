"""Whose a key is: the identities that have a certificate for it that is still valid.

An authority asks for every request, so neither class reads everything for an answer.
"""

from __future__ import annotations

import os
import threading
from datetime import datetime, timezone
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ..identity import Identity
from .entries import DAMAGED, Issued, issued_from_line

_MANY = 1000
_TAIL = 256
_Version = tuple[int, int, int]


class _Holding(NamedTuple):
    identity: Identity | None
    expires: datetime


class Holders:
    """The identities by key, as long as their certificates are valid. It has no lock of its own."""

    __slots__ = ("_holdings", "_purge_at")

    def __init__(self) -> None:
        self._holdings: dict[int, tuple[_Holding, ...]] = {}
        self._purge_at = _MANY

    def add(self, issued: Issued) -> None:
        """Add a certificate."""
        now = datetime.now(timezone.utc)
        if issued.expires < now:
            return
        before = _valid(self._holdings.get(issued.key_id, ()), now)
        others = (each for each in before if each.identity != issued.identity)
        expires = max([issued.expires, *(each.expires for each in before if each.identity == issued.identity)])
        self._holdings[issued.key_id] = (*others, _Holding(issued.identity, expires))
        if len(self._holdings) >= self._purge_at:
            valid = ((number, tuple(_valid(held, now))) for number, held in self._holdings.items())
            self._holdings = {number: held for number, held in valid if held}
            self._purge_at = _MANY + 2 * len(self._holdings)

    def of(self, key_id: int) -> frozenset[Identity | None]:
        """Return the identities of a key; None stands for an authority."""
        now = datetime.now(timezone.utc)
        return frozenset(each.identity for each in _valid(self._holdings.get(key_id, ()), now))

    def __len__(self) -> int:
        """Return the number of identities in memory, once for each of their keys."""
        return sum(map(len, self._holdings.values()))


class FolderHolders:
    """The identities by key, according to the files of a folder, which any process can append to.

    There is a file for each day on which certificates expire. A file is forgotten with its day; of the others, only
    what was appended since the last time is read.

    Args:
        folder: The folder; it need not exist yet.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._files: dict[str, _File] = {}

    def of(self, key_id: int) -> frozenset[Identity | None]:
        """Return the identities of a key; None stands for an authority. Raises OSError."""
        with self._lock:
            self._refresh()
            return frozenset[Identity | None]().union(*(each.holders.of(key_id) for each in self._files.values()))

    def _refresh(self) -> None:
        today = f"{datetime.now(timezone.utc):%Y-%m-%d}"
        try:  # not glob(), which finds nothing where a folder cannot be read
            paths = [each for each in self._folder.iterdir() if each.suffix == ".jsonl" and each.stem >= today]
        except FileNotFoundError:
            paths = []
        self._files = {each.name: self._files.get(each.name) or _File(each) for each in paths}
        for each in self._files.values():
            each.refresh()


class _File:
    """A file: how far it was read, and the identities found there."""

    __slots__ = ("_end", "_path", "_tail", "_version", "holders")
    _end: int
    _tail: bytes
    holders: Holders

    def __init__(self, path: Path) -> None:
        self._path = path
        self._version: _Version | None = None
        self._forget()

    def refresh(self) -> None:
        """Read what was appended; everything, if the file is another one."""
        try:
            if _version(self._path.stat()) == self._version:
                return
            file = self._path.open("rb")
        except FileNotFoundError:  # deleted meanwhile
            self._version = None
            self._forget()
            return
        with file:
            version = _version(os.fstat(file.fileno()))
            if not self._is_continued(file, version):
                self._forget()
            file.seek(self._end)
            for line in file:
                if not line.endswith(b"\n"):
                    break  # another process is about to write the rest: read it again then
                self._end += len(line)
                self._tail = (self._tail + line)[-_TAIL:]
                try:
                    issued = issued_from_line(line.decode(errors="replace"))
                except DAMAGED:  # or blank
                    continue
                self.holders.add(issued)
        # As it was before reading: what was appended meanwhile changes it, and is found the next time.
        self._version = version

    def _is_continued(self, file: BinaryIO, version: _Version) -> bool:
        """Return whether the file still begins with what was read: a restored one may have the same length, or more."""
        if self._version is None or version[0] != self._version[0]:
            return False
        file.seek(self._end - len(self._tail))
        return file.read(len(self._tail)) == self._tail

    def _forget(self) -> None:
        self._end = 0
        self._tail = b""
        self.holders = Holders()


def _version(status: os.stat_result) -> _Version:
    return status.st_ino, status.st_size, status.st_mtime_ns


def _valid(holdings: tuple[_Holding, ...], now: datetime) -> list[_Holding]:
    return [each for each in holdings if each.expires >= now]
