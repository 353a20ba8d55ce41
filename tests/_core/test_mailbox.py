"""Mailboxes as objects: what exists once is not copied."""

from __future__ import annotations

import copy
import pickle

import pytest

import gns_py
from gns_py._core.mailbox import Mailbox
from gns_py._native import MailboxReader


@pytest.mark.parametrize("kind", [Mailbox, MailboxReader])
def test_it_is_not_copied(kind: type[Mailbox | MailboxReader]) -> None:
    gns_py.start()
    thing = kind()
    for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="cannot be copied or pickled"):
            attempt(thing)  # type: ignore[operator]
    assert thing.handle != 0
    del thing
