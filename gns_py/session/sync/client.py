"""connect()."""

from __future__ import annotations

import time

from ..._core.checks import StatusCallback
from ..._core.deadline import Deadline
from ...config import Config
from ...errors import ConnectFailed
from ...sync import connect as connect_transport
from .._core.checks import check_data, check_session_config
from .._core.outages import OnDropped, OnResumed, OutageCallbacks
from ..errors import session_failed_error
from ..protocol.client import ClientEngine
from ..protocol.config import SessionConfig
from ..protocol.reasons import end_of_connection
from .dialer import ThreadDialer
from .endpoint import ThreadEndpoint
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
    on_dropped: OnDropped | None = None,
    on_resumed: OnResumed | None = None,
) -> Session:
    """Ask a server for a session and return it, which is also a context manager.

    Returns when the server's application has accepted, and the server knows that this end knows.

    Args:
        host: See gns_py.sync.connect().
        port: See gns_py.sync.connect().
        data: Up to 64 KiB, by which the server's application can decide.
        timeout: Seconds for all of it; None for no limit.
        config: Options of the connection.
        session_config: Settings of the session.
        on_status_changed: See gns_py.sync.connect().
        on_dropped: Called with the session, and why, when it has lost its connection and tries to get another one. It
            runs in the thread that reads the session, or in one of gns_py's own.
        on_resumed: Called with the session, and the number of messages that are sent again, when it has one. See
            on_dropped.

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
    check_data(data)
    settings = check_session_config(session_config)
    callbacks = OutageCallbacks(on_dropped, on_resumed)
    deadline = Deadline(timeout)
    try:
        connection = connect_transport(host, port, timeout=timeout, config=config, on_status_changed=on_status_changed)
    except ConnectFailed as error:
        raise session_failed_error(end_of_connection(error.end, is_client=True)) from error
    left = deadline.remaining()
    now = time.monotonic()
    ends_at = None if left is None else now + left
    endpoint = ThreadEndpoint(connection, lambda transport: ClientEngine(transport, settings, data, ends_at, now))
    endpoint.callbacks = callbacks
    endpoint.dialer = ThreadDialer(host, port, config, on_status_changed)
    session = Session(endpoint)
    try:
        session.wait_established()
    except BaseException:
        session.abort(text="the client has given up")
        raise
    return session
