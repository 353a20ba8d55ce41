"""Sessions of no API: the shared part alone, in the test's own thread, which reads when the test says so."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import gns_py.sync as gns
from gns_py._core.request import ConnectionRequest
from gns_py.message import Message
from gns_py.session._core.addresses import Route, Source
from gns_py.session._core.admission import AdmissionRules
from gns_py.session._core.dialer import Caller, Dialer
from gns_py.session._core.endpoint import EngineMaker
from gns_py.session._core.listener import SessionListener
from gns_py.session._core.newcomer import Newcomer
from gns_py.session._core.outages import NO_CALLBACKS
from gns_py.session._core.request import SessionRequest
from gns_py.session._core.resumable import ResumableEndpoint
from gns_py.session._core.session import BaseSession
from gns_py.session.protocol.client import ClientEngine
from gns_py.session.protocol.config import SessionConfig
from gns_py.session.protocol.server import ServerEngine
from gns_py.sync.listener import open_listener

from .deadline import eventually


class PlainEndpoint(ResumableEndpoint):
    """Records what it is asked for."""

    readers: bool = False

    def __init__(self, connection: gns.Connection, make_engine: EngineMaker) -> None:
        super().__init__(connection, make_engine)
        self.changes = 0
        self.keeps: list[bool] = []
        """The value of ``is_kept`` at each keep_alive()."""

    def wake_readers(self) -> None:
        """See SessionEndpoint."""

    def announce_change(self) -> None:
        """See SessionEndpoint."""
        self.changes += 1
        self.notify_watcher()

    def keep_alive(self) -> None:
        """See SessionEndpoint."""
        self.keeps.append(self.is_kept)

    def bring(self, newcomer: Newcomer) -> None:
        """See ResumableEndpoint."""
        newcomer.endpoint.move_to(self.mailbox, None)
        newcomer.ask_for_mark()

    def count_handled(self, message: Message) -> None:
        """See SessionEndpoint."""


class PlainDialer(Dialer):
    """Records what it is asked for; the test ends its attempts."""

    def __init__(self, *more: tuple[str, int]) -> None:
        home = ("127.0.0.1", 1)
        super().__init__(Route(Source([home, *more], None, may_await=False), home))
        self.pauses: list[float] = []
        """The pause before each attempt."""
        self.calls: list[str] = []
        """The calls of hurry() and cancel()."""

    def begin(self, caller: Caller, pause: float) -> None:  # noqa: ARG002
        """See Dialer."""
        self.pauses.append(pause)

    def cancel(self) -> None:
        """See Dialer."""
        self.calls.append("cancel")

    def hurry(self) -> None:
        """See Dialer."""
        self.calls.append("hurry")


PlainSession: TypeAlias = BaseSession[gns.Connection, PlainEndpoint]


class PlainListener(SessionListener[PlainSession]):
    """Lets clients in when the test calls pump()."""

    def __init__(self, rules: AdmissionRules | None = None, config: SessionConfig | None = None) -> None:
        listener = open_listener("127.0.0.1", 0, None, None, None, owns_connections=False)
        super().__init__(listener, config or SessionConfig(), rules or AdmissionRules(), NO_CALLBACKS)
        self.wakes = 0

    def make_session(self, connection: Any, make_engine: EngineMaker) -> PlainSession:
        """See SessionListener."""
        return BaseSession(PlainEndpoint(connection, make_engine))

    def notify_reader(self) -> None:
        """See SessionListener."""
        self.wakes += 1

    def pump(self) -> None:
        """Handle what has arrived."""
        mailbox = self.listener.mailbox
        mailbox.receive(0.0)
        while mailbox.events:
            event = mailbox.events.popleft()
            if isinstance(event, ConnectionRequest):
                self.admit(event)

    def __enter__(self) -> PlainListener:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def endpoint_of(session: PlainSession) -> PlainEndpoint:
    """Return the internal end of a session."""
    return BaseSession.session_endpoint_of(session)


class Ends(NamedTuple):
    """Both ends of a session in memory."""

    client: PlainSession
    server: PlainSession

    @property
    def engine(self) -> ServerEngine:
        """The server's engine."""
        engine = endpoint_of(self.server).engine
        assert isinstance(engine, ServerEngine)
        return engine

    def pump(self) -> None:
        """Handle what has arrived at both ends."""
        for end in self:
            endpoint_of(end).mailbox.receive(0.0)

    def until(self, condition: Callable[[], object]) -> None:
        """Handle what arrives until the condition is true."""

        def is_true() -> object:
            self.pump()
            return condition()

        eventually(is_true)

    def request(self) -> SessionRequest[PlainSession]:
        """Return the server's request, which waits for a decision."""
        self.until(lambda: self.engine.is_undecided)
        return SessionRequest(self.server, self.engine)

    def abort(self) -> None:
        """End both ends."""
        for end in self:
            end.abort()


def begin(
    *,
    data: bytes = b"",
    config: SessionConfig | None = None,
    take_place: Callable[[], str | None] = lambda: None,
    network: bool = False,
) -> Ends:
    """Return both ends of a session whose handshake has just begun."""
    settings = config or SessionConfig()
    now = time.monotonic()
    first, second = gns.socket_pair(network=network)
    client = PlainEndpoint(first, lambda transport: ClientEngine(transport, settings, data, None, now))
    server = PlainEndpoint(second, lambda transport: ServerEngine(transport, settings, now, take_place))
    return Ends(BaseSession(client), BaseSession(server))


def establish(ends: Ends) -> Ends:
    """Accept the session and return its ends, once both know that they have it."""
    ends.request().accept()
    ends.until(lambda: all(end.is_established for end in ends))
    return ends
