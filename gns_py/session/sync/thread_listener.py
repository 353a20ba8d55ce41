"""The internal listener of sessions of threads: one thread at a time looks for arrivals."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from typing import Any, TypeAlias, cast

from ..._core.connection import BaseConnection
from ..._core.deadline import Deadline
from ..._core.listener import Listener
from ..._core.mailbox import Mailbox
from ..._core.request import ConnectionRequest
from ..._generated.enums import EndReason
from ...errors import ConcurrencyError, ConnectionClosed, GNSError, NotRunningError
from ...sync import Connection
from .._core.admission import AdmissionRules
from .._core.endpoint import EngineMaker
from .._core.listener import SessionListener
from .._core.outages import OutageCallbacks
from .._core.request import SessionRequest
from .._core.resumable import ResumableEndpoint
from .._core.session import BaseSession
from ..protocol.config import SessionConfig
from ..store import SessionStore
from .committing import ThreadKeeper
from .endpoint import ThreadEndpoint
from .session import Session
from .shield import shield
from .store_thread import StoreThread
from .ticker import ticker

Request: TypeAlias = SessionRequest[Session]

# How often a thread that waits while another one looks checks its condition again.
_LOOK = 0.1
# How long to pause while a thread in close() dispatches.
_PAUSE = 0.05


class ThreadListener(SessionListener[Session]):
    """An open port for sessions. One thread at a time looks for arrivals; others can wait meanwhile."""

    def __init__(
        self,
        listener: Listener[Connection],
        config: SessionConfig,
        rules: AdmissionRules,
        callbacks: OutageCallbacks,
    ) -> None:
        super().__init__(listener, config, rules, callbacks)
        self.mailbox = listener.mailbox
        self._claimed: deque[tuple[ThreadEndpoint, Connection]] = deque()
        self._established: deque[Session] = deque()
        # Turns, as a mailbox has them: of the thread that wants requests, and of the one that looks.
        self._reading: list[None] = [None]
        self._looking: list[None] = [None]
        self._condition = threading.Condition()
        self._due = math.inf  # no handshake has anything to do before
        self.store_thread: StoreThread | None = None
        self._watching: Future[None] | None = None

    def keep_in(self, store: SessionStore, *, durable: bool) -> None:
        """Open a store, and keep durable sessions there.

        Args:
            store: Where.
            durable: Whether sessions are durable unless the application says otherwise.
        """
        self.store_thread = StoreThread(store)
        self.keeper = ThreadKeeper(store, self.store_thread)
        self.is_durable = durable
        self.new_session_id = store.new_session_id
        self._watching = self.store_thread.begin(self.keeper.watch())

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """See SessionListener."""
        assert self.store_thread is not None  # there is a keeper
        self.store_thread.spawn(coroutine)

    def close(self, code: int = EndReason.GOING_AWAY, text: str = "") -> None:
        """See SessionListener. Waits a moment for what is still to be stored."""
        super().close(code, text)
        if self.store_thread is not None and self._watching is not None:
            self.store_thread.close(self._watching)

    def make_session(self, connection: Connection, make_engine: EngineMaker) -> Session:
        """See SessionListener."""
        endpoint = ThreadEndpoint(connection, make_engine)
        endpoint.look_at_listener = self.look
        return Session(endpoint)

    def notify_reader(self) -> None:
        """See SessionListener: the thread that looks returns by itself."""

    def on_handshake_done(self, session: Session) -> None:
        """See SessionListener."""
        self._established.append(session)
        if self.keeper is not None:  # the thread that looks may not know
            with contextlib.suppress(GNSError):  # stopped
                self.mailbox.wake()

    def on_connection_claimed(self, endpoint: ResumableEndpoint, connection: Connection) -> None:
        """See SessionListener: it cannot leave the mailbox while its events are dispatched."""
        self._claimed.append((cast("ThreadEndpoint", endpoint), connection))

    def on_handshake_changed(self, endpoint: ResumableEndpoint) -> None:
        """See SessionListener."""
        self._due = min(self._due, endpoint.engine.next_tick)

    @contextlib.contextmanager
    def as_reader(self) -> Iterator[None]:
        """Make this thread the one that wants requests, within the block. Raises ConcurrencyError if another is."""
        try:
            del self._reading[0]
        except IndexError:
            raise ConcurrencyError("two threads read the same listen socket at once") from None
        try:
            yield
        finally:
            self._reading[:] = (None,)

    def next_request(self) -> Request | None:
        """Wait for a request, and return it, or None once the port is closed."""
        while True:
            request = self.take_request()
            if request is not None or self.listener.is_closed:
                return request
            self.look(Deadline(None))

    def look(self, deadline: Deadline, is_enough: Callable[[], object] = lambda: False) -> None:
        """Wait for something to arrive, and deal with it; while another thread looks, wait until it has done that.

        Args:
            deadline: When to return at the latest.
            is_enough: Returns whether there is nothing to wait for, while another thread looks.

        Raises:
            NotRunningError: GNS was stopped.
        """
        try:
            del self._looking[0]
        except IndexError:
            remaining = deadline.remaining()
            with self._condition:
                if not is_enough():
                    self._condition.wait(_LOOK if remaining is None else min(remaining, _LOOK))
            return
        try:
            self._process_events(deadline)
        finally:
            self._looking[:] = (None,)
            with self._condition:
                self._condition.notify_all()

    def _process_events(self, deadline: Deadline) -> None:
        mailbox = self.mailbox
        remaining = deadline.remaining()
        if self._due < math.inf:
            left = max(0.0, self._due - time.monotonic())
            remaining = left if remaining is None else min(left, remaining)
        is_stopped = False
        try:
            mailbox.receive(0.0 if mailbox.events else remaining)
        except NotRunningError:  # the events before that are there
            is_stopped = not mailbox.events
        except ConcurrencyError:  # a thread in close() dispatches
            time.sleep(_PAUSE)
        while mailbox.events:
            event = mailbox.events[0]  # one step: see waiting.py
            del mailbox.events[0]
            if isinstance(event, ConnectionRequest):
                shield.run(self._admit_quietly, event)
        if time.monotonic() >= self._due:
            self._due = math.inf
            for endpoint in self.registry.handshakes:
                cast("ThreadEndpoint", endpoint).tick_if_due()
                self.on_handshake_changed(endpoint)
        while self._claimed:
            endpoint, connection = self._claimed[0]  # one step
            del self._claimed[0]
            shield.run(endpoint.bring_newcomer, connection)
        while self._established:
            session = self._established[0]  # one step
            del self._established[0]
            shield.run(self._release, session)
        if is_stopped:
            raise NotRunningError("the runtime was stopped")

    def _admit_quietly(self, request: ConnectionRequest[Connection]) -> None:
        with contextlib.suppress(NotRunningError):  # the next look sees it, too
            self.admit(request)

    def _release(self, session: Session) -> None:
        """Hand out a session that is established, to be read on its own. Raises nothing."""
        endpoint = BaseSession.session_endpoint_of(session)
        try:
            mailbox = Mailbox()
            with contextlib.suppress(ConnectionClosed, NotRunningError):  # it has ended
                BaseConnection.endpoint_of(session).move_to(mailbox, None)
            endpoint.read_alone(mailbox)
        except Exception as error:
            endpoint.fail_with(error)
        else:
            if endpoint.engine.resume_window > 0:
                ticker.add(self)
            self.hand_out(session)

    # ---- on the ticker's thread ----

    @property
    def has_ended(self) -> bool:
        """See Ticking."""
        return self.listener.is_closed

    def keep_going(self) -> bool:
        """See Ticking: let clients resume their sessions, if no thread looks for new ones at present."""
        try:
            self.look(Deadline(0.0), lambda: True)
        except NotRunningError:
            return False
        return not self.has_ended
