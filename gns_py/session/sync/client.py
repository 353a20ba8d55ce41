"""connect(), and connect_again()."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..._core.checks import StatusCallback
from ..._core.deadline import Deadline
from ..._core.peers import PeerAddress
from ...config import Config
from ...errors import ConnectFailed
from ...sync import connect as connect_transport
from .._core.addresses import MAX_REDIRECTS, Addresses, Discovery, Source, Where, destination
from .._core.opening import Opening
from .._core.outages import OnDropped, OnGoAway, OnResumed, OutageCallbacks
from .._core.succession import Succession
from ..errors import session_failed_error
from ..protocol.config import SessionConfig
from ..protocol.reasons import end_of_connection
from .dialer import ThreadDialer
from .discovery import ThreadInquiry
from .endpoint import ThreadEndpoint
from .session import Session

if TYPE_CHECKING:
    from ...certs import Expect


def connect(
    host: str | PeerAddress | Addresses | Discovery,
    port: int | None = None,
    *,
    data: bytes = b"",
    timeout: float | None = 10.0,
    config: Config | None = None,
    expect: Expect | None = None,
    session_config: SessionConfig | None = None,
    on_status_changed: StatusCallback | None = None,
    on_dropped: OnDropped | None = None,
    on_resumed: OnResumed | None = None,
    on_goaway: OnGoAway | None = None,
    max_redirects: int = MAX_REDIRECTS,
) -> Session:
    """Ask a server for a session and return it, which is also a context manager.

    Returns when the server's application has accepted, and the server knows that this end knows.

    Args:
        host: See gns_py.sync.connect(). Or, with no port, several addresses: a sequence of texts
            (``"a.example:27015"``, ``"[::1]:27015"``), pairs of host and port, and addresses of peers; they are tried
            in turn. Or a function that returns one: it is asked before each round of attempts, in a thread of its own.
        port: See gns_py.sync.connect().
        data: Up to 64 KiB, by which the server's application can decide.
        timeout: Seconds for all of it; None for no limit. Each of several addresses has its share of what is left.
        config: Options of the connection.
        expect: See gns_py.sync.connect(); also for each connection with which the session goes on, wherever it is.
        session_config: Settings of the session.
        on_status_changed: See gns_py.sync.connect().
        on_dropped: Called with the session, and why, when it has lost its connection and tries to get another one. It
            runs in the thread that reads the session, or in one of gns_py's own.
        on_resumed: Called with the session, and the number of messages that are sent again, when it has one. See
            on_dropped.
        on_goaway: Called with the session, and a GoingAway, when its server will shut down. The application calls
            move() when it can; the session leaves at the deadline at the latest. Without this it leaves at once. See
            on_dropped.
        max_redirects: How often a server that shuts down may send this client to addresses of its own choice; 0: never,
            neither from connect() nor from a session.

    Raises:
        SessionRejected: The server rejected it, with code, text and data. Of several servers, no other one is tried
            then, unless it is for a while only: RATE_LIMITED, INTERNAL_ERROR, SERVER_SHUTTING_DOWN.
        SessionTimeout: The session was not established in time. A TimeoutError.
        SessionFailed: The session was not established for another reason.
        ConnectionLimitError: GNS has as many connections as it can have.
        OSError: The name cannot be resolved, there is no way to its addresses, or the function gave none in time. Of
            several addresses, the last one's failure.
        TypeError: An argument has the wrong type.
        ValueError: An argument is out of range.

    Note:
        Native functions: ``ConnectByIPAddress``, ``ConnectP2PCustomSignaling``.
    """
    source, callbacks = Source(host, port, may_await=False), OutageCallbacks(on_dropped, on_resumed, on_goaway)
    opening = Opening(
        source, data, timeout, config, session_config, on_status_changed, callbacks, max_redirects, expect
    )
    return _find(opening, ThreadInquiry(source), Succession())


def connect_again(
    host: str | PeerAddress | Addresses | Discovery,
    port: int | None = None,
    *,
    data: bytes = b"",
    timeout: float | None = 10.0,
    config: Config | None = None,
    expect: Expect | None = None,
    session_config: SessionConfig | None = None,
    on_status_changed: StatusCallback | None = None,
    on_dropped: OnDropped | None = None,
    on_resumed: OnResumed | None = None,
    on_goaway: OnGoAway | None = None,
    max_redirects: int = MAX_REDIRECTS,
) -> Iterator[Session]:
    """Begin a session, and a new one whenever one has ended: to iterate over.

    ``session.previous`` is how the one before has ended. Where the last server has sent its clients, the next session
    begins at once; else this pauses longer after each attempt, half a second at first and thirty at most. The iteration
    closes each session at the end of its round, and continues after every OSError. It ends at a break; when the session
    has made way for a newer one with its key; at a failure after which trying again cannot help, and at any other
    exception.

    Args:
        host: See connect(), as for all arguments.
        port: See connect().
        data: See connect().
        timeout: Seconds for each session to be established.
        config: See connect().
        expect: See connect().
        session_config: See connect().
        on_status_changed: See connect().
        on_dropped: See connect().
        on_resumed: See connect().
        on_goaway: See connect().
        max_redirects: See connect().

    Raises:
        TypeError: See connect().
        ValueError: See connect().
    """
    source, callbacks = Source(host, port, may_await=False), OutageCallbacks(on_dropped, on_resumed, on_goaway)
    opening = Opening(
        source, data, timeout, config, session_config, on_status_changed, callbacks, max_redirects, expect
    )
    return _iterate(opening)


def _iterate(opening: Opening) -> Iterator[Session]:
    inquiry, succession = ThreadInquiry(opening.source), Succession()
    while succession.goes_on:
        started = time.monotonic()
        try:
            session = _find(opening, inquiry, succession)
        except OSError as error:
            pause = succession.failed(error, time.monotonic() - started)
        else:
            started = time.monotonic()
            with session:
                yield session
            end = session.wait_closed()
            pause = succession.ended(end, session.going_away, time.monotonic() - started)
        if succession.goes_on:
            time.sleep(pause)


def _find(opening: Opening, inquiry: ThreadInquiry, succession: Succession) -> Session:
    deadline = Deadline(opening.timeout)
    if succession.previous is None:
        inquiry.addresses(deadline.remaining())
    else:
        inquiry.refresh()
    search = opening.search(deadline, succession)
    while True:
        timeout, where = search.timeout, search.next()
        try:
            session = _open_at(opening, where, timeout, inquiry)
        except OSError as error:
            search.failed(where, error)
        else:
            Session.session_endpoint_of(session).previous = succession.previous
            return session


def _open_at(opening: Opening, where: Where, timeout: float | None, inquiry: ThreadInquiry) -> Session:
    deadline = Deadline(timeout)
    config, on_status_changed = opening.config, opening.on_status_changed
    try:
        connection = connect_transport(
            *destination(where),
            timeout=timeout,
            config=config,
            expect=opening.expect,
            on_status_changed=on_status_changed,
        )
    except ConnectFailed as error:
        raise session_failed_error(end_of_connection(error.end, is_client=True)) from error
    endpoint = ThreadEndpoint(connection, opening.make_engine(deadline))
    endpoint.follow(
        ThreadDialer(opening.route(where), inquiry, config, on_status_changed, opening.expect), opening.callbacks
    )
    session = Session(endpoint)
    try:
        session.wait_established()
    except BaseException:
        session.abort(text="the client has given up")
        raise
    return session
