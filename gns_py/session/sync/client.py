"""connect()."""

from __future__ import annotations

import time

from ..._core.deadline import Deadline
from ..._core.endpoint import StatusCallback
from ...config import Config
from ...errors import ConnectFailed
from ...sync import connect as connect_natively
from .._core.session import check_data, check_session_config
from ..errors import session_failed_error
from ..protocol.client import ClientEngine
from ..protocol.config import SessionConfig
from ..protocol.reasons import end_of_connection
from .session import Session


def connect(
    host: str,
    port: int,
    *,
    data: bytes = b"",
    timeout: float | None = 10.0,
    config: Config | None = None,
    session_config: SessionConfig | None = None,
    on_status_changed: StatusCallback | None = None,
) -> Session:
    """Asks a server for a session, and returns it, which is also a context manager.

    Returns when the server's application has accepted, and the server knows that this end knows. data: up to 64 KiB for
    that application to decide by. timeout: seconds for all of it, None for no limit. config: options of the native
    connection. session_config: of the session. on_status_changed: as in gns_py.sync.connect().
    Errors: SessionRejected (with the server's code, text, data), SessionTimeout (a TimeoutError), SessionFailed,
    ConnectionLimitError, OSError (the name cannot be resolved), TypeError, ValueError.
    """
    check_data(data)
    settings = check_session_config(session_config)
    deadline = Deadline(timeout)
    try:
        connection = connect_natively(host, port, timeout=timeout, config=config, on_status_changed=on_status_changed)
    except ConnectFailed as error:
        raise session_failed_error(end_of_connection(error.end, is_client=True)) from error
    left = deadline.remaining()
    now = time.monotonic()
    session = Session(
        connection, lambda transport: ClientEngine(transport, settings, data, None if left is None else now + left, now)
    )
    try:
        session.wait_established()
    except BaseException:
        session.abort(text="the client has given up")
        raise
    return session
