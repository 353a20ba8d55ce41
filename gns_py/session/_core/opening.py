"""The part that connect() of both APIs shares. Nothing in here waits."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ..._core.checks import StatusCallback, check_int
from ..._core.connecting import connect_options
from ..._core.deadline import Deadline
from ...config import Config
from ..protocol.client import ClientEngine
from ..protocol.config import SessionConfig
from ..protocol.transport import Transport
from .addresses import Route, Source, Where, destination
from .checks import check_data, check_session_config
from .endpoint import EngineMaker
from .outages import OutageCallbacks
from .search import Search
from .succession import Succession

if TYPE_CHECKING:
    from ...certs import Expect

_MOST_REDIRECTS = 16


class Opening:
    """The arguments of connect(), checked.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: An argument is out of range.
    """

    def __init__(
        self,
        source: Source,
        data: bytes,
        timeout: float | None,
        config: Config | None,
        session_config: SessionConfig | None,
        on_status_changed: StatusCallback | None,
        callbacks: OutageCallbacks,
        max_redirects: int,
        expect: Expect | None = None,
    ) -> None:
        check_data(data)
        check_int("max_redirects", max_redirects, 0, _MOST_REDIRECTS)
        for _, port in map(destination, source.known or (("", 1),)):
            connect_options(port, timeout, config, on_status_changed, expect)
        self.source = source
        self.timeout = timeout
        self.config = config
        self.expect = expect
        self.on_status_changed = on_status_changed
        self.callbacks = callbacks
        self._data = data
        self._session_config = check_session_config(session_config)
        self._max_redirects = max_redirects

    def make_engine(self, deadline: Deadline) -> EngineMaker:
        """Return a function that makes the engine, which says HELLO."""
        left = deadline.remaining()
        now = time.monotonic()
        ends_at = None if left is None else now + left
        return lambda transport: self._make_engine(transport, ends_at, now)

    def _make_engine(self, transport: Transport, ends_at: float | None, now: float) -> ClientEngine:
        return ClientEngine(transport, self._session_config, self._data, ends_at, now)

    def search(self, deadline: Deadline, succession: Succession) -> Search:
        """Return what chooses the addresses of one connect()."""
        redirect = succession.redirect if self._max_redirects else ()
        addresses = dict.fromkeys((*redirect, *self.source.known))
        return Search(addresses, deadline.remaining(), self._max_redirects)

    def route(self, home: Where) -> Route:
        """Return what chooses the addresses at which a session is resumed."""
        return Route(self.source, home, may_redirect=self._max_redirects > 0)
