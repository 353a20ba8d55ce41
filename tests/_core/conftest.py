"""Two ends in memory without an application's object: fixtures for tests of the internal parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from support import eventually

from gns_py import EndReason
from gns_py._core.connecting import make_pair
from gns_py._core.endpoint import Endpoint
from gns_py._core.mailbox import Mailbox
from gns_py.sync import Connection


@pytest.fixture
def ends() -> Iterator[tuple[Connection, Endpoint]]:
    """Yield a connection to send with, and the bare end that receives."""
    first, second = make_pair((Mailbox(), Mailbox()), False, (None, None))
    with Connection(first) as connection:
        yield connection, second
    second.close(EndReason.APP_GENERIC, "", linger=False)


@pytest.fixture
def read_until() -> Callable[[Mailbox, Callable[[], object]], None]:
    """Return a function that reads a mailbox until a condition is true."""

    def read(mailbox: Mailbox, condition: Callable[[], object]) -> None:
        def is_true_now() -> object:
            mailbox.receive(0.05)
            return condition()

        eventually(is_true_now)

    return read
