"""connect()."""

from __future__ import annotations

import time

from ..._core.deadline import Deadline
from ..._core.endpoint import StatusCallback
from ...asyncio import connect as connect_natively
from ...asyncio.awaitable import Opening
from ...config import Config
from ...errors import ConnectFailed
from .._core.session import check_data, check_session_config
from ..errors import session_failed_error
from ..protocol.client import ClientEngine
from ..protocol.config import SessionConfig
from ..protocol.reasons import end_of_connection
from .session import Session


class connect(Opening[Session]):  # noqa: N801 - it is used like a function
    """Asks a server for a session: ``await connect(...)``, or ``async with connect(...) as session``.

    Returns when the server's application has accepted, and the server knows that this end knows. data: up to 64 KiB for
    that application to decide by. timeout: seconds for all of it, None for no limit. config: options of the native
    connection. session_config: of the session. on_status_changed: as in gns_py.asyncio.connect().
    Errors: SessionRejected (with the server's code, text, data), SessionTimeout (a TimeoutError), SessionFailed,
    ConnectionLimitError, OSError (the name cannot be resolved), TypeError, ValueError.
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
        self._connect = connect_natively(
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
        session = Session(connection, lambda transport: ClientEngine(transport, self._config, self._data, ends_at, now))
        try:
            await session.wait_established()
        except BaseException:
            session.abort(text="the client has given up")
            raise
        return session
