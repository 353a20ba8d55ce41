"""connect()."""

from __future__ import annotations

import time
from functools import partial

from ..._core.checks import StatusCallback
from ..._core.deadline import Deadline
from ...asyncio import connect as connect_transport
from ...asyncio.awaitable import AwaitableContext
from ...config import Config
from ...errors import ConnectFailed
from .._core.checks import check_data, check_session_config
from .._core.outages import OnDropped, OnResumed, OutageCallbacks
from ..errors import session_failed_error
from ..protocol.client import ClientEngine
from ..protocol.config import SessionConfig
from ..protocol.reasons import end_of_connection
from .dialer import LoopDialer
from .endpoint import LoopEndpoint
from .session import Session


class connect(AwaitableContext[Session]):  # noqa: N801 - it is used like a function
    """Ask a server for a session: ``await connect(...)``, or ``async with connect(...) as session``.

    Returns when the server's application has accepted, and the server knows that this end knows.

    Args:
        host: See gns_py.asyncio.connect().
        port: See gns_py.asyncio.connect().
        data: Up to 64 KiB, by which the server's application can decide.
        timeout: Seconds for all of it; None for no limit.
        config: Options of the connection.
        session_config: Settings of the session.
        on_status_changed: See gns_py.asyncio.connect().
        on_dropped: Called with the session, and why, when it has lost its connection and tries to get another one.
        on_resumed: Called with the session, and the number of messages that are sent again, when it has one.

    Raises:
        SessionRejected: The server rejected it, with code, text and data.
        SessionTimeout: The session was not established in time. A TimeoutError.
        SessionFailed: The session was not established for another reason.
        ConnectionLimitError: GNS has as many connections as it can have.
        OSError: The name cannot be resolved, or there is no way to its addresses.
        TypeError: An argument has the wrong type.
        ValueError: An argument is out of range.

    Note:
        Native function: ``ConnectByIPAddress``.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        data: bytes = b"",
        timeout: float | None = 10.0,
        config: Config | None = None,
        session_config: SessionConfig | None = None,
        on_status_changed: StatusCallback | None = None,
        on_dropped: OnDropped | None = None,
        on_resumed: OnResumed | None = None,
    ) -> None:
        check_data(data)
        self._data = data
        self._config = check_session_config(session_config)
        self._callbacks = OutageCallbacks(on_dropped, on_resumed)
        self._timeout = timeout
        self._make_dialer = partial(LoopDialer, host, port, config, on_status_changed)
        self._connect = connect_transport(
            host, port, timeout=timeout, config=config, on_status_changed=on_status_changed
        )

    async def _open(self) -> Session:
        deadline = Deadline(self._timeout)
        try:
            connection = await self._connect
        except ConnectFailed as error:
            raise session_failed_error(end_of_connection(error.end, is_client=True)) from error
        left = deadline.remaining()
        now = time.monotonic()
        ends_at = None if left is None else now + left
        endpoint = LoopEndpoint(
            connection, lambda transport: ClientEngine(transport, self._config, self._data, ends_at, now)
        )
        endpoint.callbacks = self._callbacks
        endpoint.dialer = self._make_dialer()
        session = Session(endpoint)
        try:
            await session.wait_established()
        except BaseException:
            session.abort(text="the client has given up")
            raise
        return session
