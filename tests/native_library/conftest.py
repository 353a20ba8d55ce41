"""Two connected ends without anything above _native."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest

import gns_py
from gns_py import _native


class End:
    """A connection and the mailbox of its events."""

    def __init__(self, mailbox: _native.MailboxReader, handle: int) -> None:
        self.mailbox = mailbox
        self.handle = handle
        self._records: deque[_native.Record] = deque()

    def receive(self, kind: int) -> tuple[_native.Record, bytes]:
        """Wait for the next event, which must be of this kind, and return it with its payload."""
        if not self._records:
            assert self.mailbox.receive(5_000_000), "no event within 5 s"
            self._records = self.mailbox.records()
        record = self._records.popleft()
        assert record[5] == kind
        return record, bytes(self.mailbox.payloads[record[3] : record[3] + record[4]])


class Ends(NamedTuple):
    """Both ends."""

    here: End
    there: End


@contextmanager
def make_ends() -> Iterator[Ends]:
    """Make a pair in memory, for as long as the context lasts."""
    gns_py.start()
    mailboxes = (_native.MailboxReader(), _native.MailboxReader())
    handles = _native.socket_pair(mailboxes[0].handle, mailboxes[1].handle, False, "str:a", "str:b")
    yield Ends(*(End(mailbox, handle) for mailbox, handle in zip(mailboxes, handles, strict=True)))
    for mailbox, handle in zip(mailboxes, handles, strict=True):
        _native.close(handle, 1000, b"", False)
        mailbox.destroy()


@pytest.fixture
def ends() -> Iterator[Ends]:
    """Yield a pair in memory."""
    with make_ends() as pair:
        yield pair
