"""connect(): once, or repeatedly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from ..._core.checks import StatusCallback
from ..._core.deadline import Deadline
from ..._core.peers import PeerAddress
from ...asyncio import connect as connect_transport
from ...asyncio.awaitable import AwaitableContext
from ...config import Config
from ...errors import ConnectFailed
from .._core.addresses import MAX_REDIRECTS, Addresses, AsyncDiscovery, Source, Where, destination
from .._core.opening import Opening
from .._core.outages import OnDropped, OnGoAway, OnResumed, OutageCallbacks
from .._core.succession import Succession
from ..errors import session_failed_error
from ..protocol.config import SessionConfig
from ..protocol.reasons import end_of_connection
from .dialer import LoopDialer
from .discovery import LoopInquiry
from .endpoint import LoopEndpoint
from .session import Session

if TYPE_CHECKING:
    from ...certs import Expect


class connect(AwaitableContext[Session]):  # noqa: N801 - it is used like a function
    """Ask a server for a session: ``await connect(...)``, or ``async with connect(...) as session``.

    Returns when the server's application has accepted, and the server knows that this end knows.

    ``async for session in connect(...)`` begins a new session whenever one has ended; ``session.previous`` is how.
    Where the last server has sent its clients, the next session begins at once; else it pauses longer after each
    attempt, half a second at first and thirty at most. The iteration closes each session at the end of its round, and
    continues after every OSError. It ends at a break; when the session has made way for a newer one with its key; at a
    failure after which trying again cannot help, and at any other exception.

    Args:
        host: See gns_py.asyncio.connect(). Or, with no port, several addresses: a sequence of texts
            (``"a.example:27015"``, ``"[::1]:27015"``), pairs of host and port, and addresses of peers; they are tried
            in turn. Or a function or coroutine function that returns one: it is asked before each round of attempts, a
            plain one in a thread.
        port: See gns_py.asyncio.connect().
        data: Up to 64 KiB, by which the server's application can decide.
        timeout: Seconds for all of it; None for no limit. Each of several addresses has its share of what is left.
        config: Options of the connection.
        expect: See gns_py.asyncio.connect(); also for each connection with which the session goes on, wherever it is.
        session_config: Settings of the session.
        on_status_changed: See gns_py.asyncio.connect().
        on_dropped: Called with the session, and why, when it has lost its connection and tries to get another one.
        on_resumed: Called with the session, and the number of messages that are sent again, when it has one.
        on_goaway: Called with the session, and a GoingAway, when its server will shut down. The application calls
            move() when it can; the session leaves at the deadline at the latest. Without this it leaves at once.
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

    def __init__(
        self,
        host: str | PeerAddress | Addresses | AsyncDiscovery,
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
    ) -> None:
        source = Source(host, port, may_await=True)
        callbacks = OutageCallbacks(on_dropped, on_resumed, on_goaway)
        self._opening = Opening(
            source, data, timeout, config, session_config, on_status_changed, callbacks, max_redirects, expect
        )

    async def __aiter__(self) -> AsyncIterator[Session]:
        loop = asyncio.get_running_loop()
        inquiry, succession = LoopInquiry(self._opening.source), Succession()
        while succession.goes_on:
            started = loop.time()
            try:
                session = await self._find(inquiry, succession)
            except OSError as error:
                pause = succession.failed(error, loop.time() - started)
            else:
                started = loop.time()
                async with session:
                    yield session
                end = await session.wait_closed()
                pause = succession.ended(end, session.going_away, loop.time() - started)
            if succession.goes_on:
                await asyncio.sleep(pause)

    async def _open(self) -> Session:
        return await self._find(LoopInquiry(self._opening.source), Succession())

    async def _find(self, inquiry: LoopInquiry, succession: Succession) -> Session:
        deadline = Deadline(self._opening.timeout)
        if succession.previous is None:
            await inquiry.addresses(deadline.remaining())
        else:
            await inquiry.refresh()
        search = self._opening.search(deadline, succession)
        while True:
            timeout, where = search.timeout, search.next()
            try:
                session = await self._open_at(where, timeout, inquiry)
            except OSError as error:
                search.failed(where, error)
            else:
                Session.session_endpoint_of(session).previous = succession.previous
                return session

    async def _open_at(self, where: Where, timeout: float | None, inquiry: LoopInquiry) -> Session:
        opening, deadline = self._opening, Deadline(timeout)
        config, on_status_changed = opening.config, opening.on_status_changed
        try:
            connection = await connect_transport(
                *destination(where),
                timeout=timeout,
                config=config,
                expect=opening.expect,
                on_status_changed=on_status_changed,
            )
        except ConnectFailed as error:
            raise session_failed_error(end_of_connection(error.end, is_client=True)) from error
        endpoint = LoopEndpoint(connection, opening.make_engine(deadline))
        endpoint.follow(
            LoopDialer(opening.route(where), inquiry, config, on_status_changed, opening.expect), opening.callbacks
        )
        session = Session(endpoint)
        try:
            await session.wait_established()
        except BaseException:
            session.abort(text="the client has given up")
            raise
        return session
