"""connect()."""

from __future__ import annotations

import time

from ..._core.checks import StatusCallback
from ..._core.deadline import Deadline
from ...asyncio import connect as connect_transport
from ...asyncio.awaitable import AwaitableContext
from ...config import Config
from ...errors import ConnectFailed
from .._core.checks import check_data, check_session_config
from ..errors import session_failed_error
from ..protocol.client import ClientEngine
from ..protocol.config import SessionConfig
from ..protocol.reasons import end_of_connection
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
    ) -> None:
        check_data(data)
        self._data = data
        self._config = check_session_config(session_config)
        self._timeout = timeout
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
        session = Session(
            LoopEndpoint(connection, lambda transport: ClientEngine(transport, self._config, self._data, ends_at, now))
        )
        try:
            await session.wait_established()
        except BaseException:
            session.abort(text="the client has given up")
            raise
        return session
