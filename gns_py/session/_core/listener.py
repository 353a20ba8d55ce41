"""Open ports for sessions: the internal listener, and what all listen sockets offer. Nothing in here waits."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import weakref
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Generic, cast

from ..._core.connection import BaseConnection
from ..._core.listener import Listener
from ..._core.request import ConnectionRequest
from ..._generated.enums import EndReason
from ...errors import InvalidStateError, NotRunningError
from ..protocol.config import SessionConfig
from ..protocol.durable import DurableServerEngine
from ..protocol.frames import Resume
from ..protocol.reasons import CloseReason
from ..protocol.server import ServerEngine, ServerStep
from ..protocol.transport import Transport
from ..protocol.violation import Violation
from ..store.errors import StoreUnavailable
from . import identities
from .admission import AdmissionRules
from .endpoint import EngineMaker
from .keeper import SessionKeeper
from .keeper import engine_of as durable_engine_of
from .outages import OutageCallbacks
from .registry import SessionRegistry, engine_of
from .request import S, SessionRequest, take_open
from .resumable import ResumableEndpoint
from .session import BaseSession

_log = logging.getLogger("gns_py")
# Sessions that are being restored at a time. More would not be restored sooner, but all of them later, and each of them
# has to be within the store's time limit, which does not stop while this process does other things.
_MAX_RESTORING = 64


class SessionListener(ABC, Generic[S]):
    """An open port for sessions; listen sockets and servers are the application's views of it."""

    def __init__(
        self, listener: Listener[Any], config: SessionConfig, rules: AdmissionRules, callbacks: OutageCallbacks
    ) -> None:
        self.listener = listener
        self.registry: SessionRegistry[S] = SessionRegistry(rules)
        self.on_established: Callable[[S], None] | None = None
        """Called with each session that accept_all() has not accepted."""
        self._config = config
        self._callbacks = callbacks
        self.keeper: SessionKeeper | None = None
        """Keeps durable sessions in a store, if the listener has one."""
        self._restoring: set[bytes] = set()  # the ids of sessions that come from the store just now
        self._restore_slots = asyncio.Semaphore(_MAX_RESTORING)
        self.is_durable = False
        """True if sessions are durable unless the application says otherwise."""
        self.new_session_id: Callable[[], bytes] | None = None
        """Makes ids that the store knows, if the listener has one."""
        self._requests: deque[SessionRequest[S]] = deque()
        # Sessions that accept_all() has accepted: not established yet; established, and not taken yet.
        self._accepted: weakref.WeakSet[S] = weakref.WeakSet()
        self._ready: deque[S] = deque()

    # ---- what the APIs add ----

    @abstractmethod
    def make_session(self, connection: Any, make_engine: EngineMaker) -> S:  # noqa: ANN401 - the API's own class
        """Make a session, in whose handshake the client speaks first."""

    @abstractmethod
    def notify_reader(self) -> None:
        """Wake the thread or task that waits for requests or sessions."""

    def on_handshake_done(self, session: S) -> None:
        """Hand out a session that is established."""
        self.hand_out(session)

    def on_handshake_changed(self, endpoint: ResumableEndpoint) -> None:
        """Note that a handshake goes on, perhaps with another time limit."""

    # ---- letting clients in ----

    def admit(self, request: ConnectionRequest[Any]) -> None:
        """Begin a handshake, or reject the client. A failure here affects only that client.

        Raises:
            NotRunningError: GNS was stopped.
        """
        try:
            if self.registry.admits(request):
                self._begin(request)
        except NotRunningError:
            raise
        except Exception:
            _log.exception("the handshake with %r failed", request.connection)
            BaseConnection.endpoint_of(request.connection).close(
                EndReason.INTERNAL_ERROR, "the server failed", linger=False
            )

    def _begin(self, request: ConnectionRequest[Any]) -> None:
        address = BaseConnection.endpoint_of(request.connection).origin
        connection = self.listener.accept_or_drop(request, None)
        if connection is None:
            self.registry.give_up(address)
            return

        def make_engine(transport: Transport) -> ServerEngine:
            kind = ServerEngine if self.keeper is None else DurableServerEngine
            engine = kind(transport, self._config, time.monotonic(), lambda: self.registry.take_place(address))
            if self.new_session_id is not None:
                engine.session_id = self.new_session_id()
            return engine

        try:
            session = self.make_session(connection, make_engine)
        except BaseException:
            self.registry.give_up(address)
            raise
        endpoint = BaseSession.session_endpoint_of(session)
        self.registry.add(endpoint, session)
        endpoint.callbacks = self._callbacks
        endpoint.keeper = self.keeper
        endpoint.watcher = self._on_change
        self._on_change(endpoint)

    def _on_change(self, endpoint: ResumableEndpoint) -> None:
        session = cast("S", endpoint.session)  # first: the registry may hold the only other reference
        step = self.registry.advance(endpoint)
        if step is ServerStep.DECISION:
            self._on_hello(endpoint, session)
        elif step is ServerStep.RESUME:
            self._on_resume(endpoint)
        elif step is ServerStep.NOTHING:
            self._on_established(endpoint, session)
        else:
            self.on_handshake_changed(endpoint)
            if endpoint.has_ended and self.keeper is not None and endpoint.engine.is_durable:
                self.keeper.ended(endpoint)
        while (crowded_out := self.registry.take_crowded_out()) is not None:
            reason, text = CloseReason.SESSION_EXPIRED, "too many sessions wait for another connection"
            crowded_out.run(crowded_out.act, engine_of(crowded_out).give_up_waiting, reason, text)

    def _on_established(self, endpoint: ResumableEndpoint, session: S) -> None:
        older, refusal = self.registry.take_key(endpoint)
        if refusal:  # the key was free when this one was accepted: it ends at once, so that no handler hears of it
            endpoint.run(endpoint.act, engine_of(endpoint).make_way, CloseReason.AUTHENTICATION_FAILED, refusal)
            return
        if older is not None:
            older.make_way(CloseReason.SESSION_TAKEN_OVER, "to make way for a new session")
        if (departure := self.registry.departure) is not None:
            endpoint.run(endpoint.act, engine_of(endpoint).go_away, departure)
        self.on_handshake_done(session)

    def _on_hello(self, endpoint: ResumableEndpoint, session: S) -> None:
        engine = engine_of(endpoint)
        refusal = self.registry.refuse_new(endpoint)
        departure = self.registry.departure
        if refusal is not None and refusal.reason is CloseReason.SERVER_SHUTTING_DOWN and departure is not None:
            endpoint.run(endpoint.act, engine.turn_away, departure)
            return
        if refusal is not None:
            endpoint.run(endpoint.act, engine.refuse, refusal.reason, refusal.text)
            return
        endpoint.began_with = identities.verified_peer(endpoint)
        request = SessionRequest(session, engine, self.registry.refuse_key, is_durable=self.is_durable)
        self._requests.append(request)
        self.notify_reader()

    # ---- sessions that go on ----

    def _on_resume(self, handshake: ResumableEndpoint) -> None:
        """Let a session go on, on the connection of this handshake, or refuse that."""
        engine = engine_of(handshake)
        resume = engine.resume
        assert resume is not None  # see the step
        endpoint = self.registry.find(resume.session_id)
        keeper = self.keeper
        if keeper is not None and endpoint is not None and keeper.is_stale(endpoint, resume):
            endpoint = None
        ended = None if endpoint is not None else self.registry.reason_of(resume.session_id)
        refusal: tuple[CloseReason, str] | None
        if endpoint is None and ended is None and keeper is not None:
            self._begin_to_restore(keeper, handshake, resume)
            return
        if endpoint is None:
            reason = CloseReason.SESSION_EXPIRED if ended is None else ended
            refusal = reason, "there is no such session any longer"
        elif text := identities.refusal(endpoint.began_with, identities.verified_peer(handshake)):
            refusal = CloseReason.AUTHENTICATION_FAILED, text
        else:
            refusal = endpoint.claim(resume, handshake)
            if refusal is not None and refusal[0] is CloseReason.SESSION_EXPIRED and endpoint.has_ended:
                self._on_resume(handshake)  # it has ended since it was found
                return
        if endpoint is None or refusal is not None:
            assert refusal is not None
            self.registry.counters.not_resumed += 1
            handshake.run(handshake.act, engine.refuse_resume, *refusal)
            return
        handshake.run(handshake.act, engine.hand_over)
        self.on_connection_claimed(endpoint, handshake.connection)

    def _begin_to_restore(self, keeper: SessionKeeper, handshake: ResumableEndpoint, resume: Resume) -> None:
        """Ask the store for a session; a client that is refused here may find it at another server, or later."""
        engine = engine_of(handshake)
        if (full := self.registry.refuse_new(handshake)) is not None:
            handshake.run(handshake.act, engine.refuse, full.reason, full.text)
            return
        if resume.session_id in self._restoring:
            text = "the session is being restored for another connection"
            handshake.run(handshake.act, engine.refuse, CloseReason.RATE_LIMITED, text)
            return
        self._restoring.add(resume.session_id)
        self.spawn(self._restore(keeper, handshake, resume))

    async def _restore(self, keeper: SessionKeeper, handshake: ResumableEndpoint, resume: Resume) -> None:
        engine = engine_of(handshake)
        try:
            async with self._restore_slots:
                if handshake.has_ended:  # the client has waited for too long
                    return
                await keeper.restore(handshake, resume)
        except Violation as violation:
            self.registry.counters.not_resumed += 1
            is_final = violation.reason is not CloseReason.RATE_LIMITED
            handshake.run(
                handshake.act, engine.refuse_resume if is_final else engine.refuse, violation.reason, violation.text
            )
        except StoreUnavailable:
            text = "the session store does not answer"
            handshake.run(handshake.act, engine.refuse, CloseReason.INTERNAL_ERROR, text)
        except Exception as error:
            handshake.fail_with(error, "a session could not be restored")
        else:
            handshake.on_change()
        finally:
            self._restoring.discard(resume.session_id)

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine of the keeper. Any thread."""
        raise NotImplementedError  # only a listener with a keeper is asked

    def on_connection_claimed(self, endpoint: ResumableEndpoint, connection: Any) -> None:  # noqa: ANN401
        """Hand a connection to the session that has claimed it."""
        endpoint.bring_newcomer(connection)

    # ---- handing out ----

    def take_request(self) -> SessionRequest[S] | None:
        """Remove and return the first request that still waits for a decision, or return None."""
        return take_open(self._requests)

    def accept_all(self, data: bytes) -> None:
        """Accept everything that waits for a decision; the sessions go to take_ready()."""
        while (request := self.take_request()) is not None:
            with contextlib.suppress(InvalidStateError):  # it has just given up
                self._accepted.add(request.accept(data))

    def take_ready(self) -> S | None:
        """Remove and return the first session that accept_all() has accepted and that is established, or None."""
        if not self._ready:
            return None
        session = self._ready[0]  # one step: see waiting.py
        del self._ready[0]
        return session

    def hand_out(self, session: S) -> None:
        """Hand out a session that is established. Raises nothing."""
        if session in self._accepted:
            self._accepted.discard(session)
            self._ready.append(session)
            self.notify_reader()
        elif self.on_established is not None:
            try:
                self.on_established(session)
            except Exception as error:
                BaseSession.session_endpoint_of(session).fail_with(error)

    # ---- the end ----

    def close(self, code: int = EndReason.GOING_AWAY, text: str = "") -> None:
        """Close the port and everything that is open there, without goodbyes."""
        self.registry.abort_handshakes()
        for endpoint in self.registry.dropped:
            if endpoint.engine.is_durable:
                endpoint.run(
                    endpoint.act, durable_engine_of(endpoint).lose, CloseReason.FAILED_OVER, "it can go on elsewhere"
                )
                continue
            reason, why = CloseReason.SERVER_SHUTTING_DOWN, "the server was closed"
            endpoint.run(endpoint.act, engine_of(endpoint).give_up_waiting, reason, why)
        self.listener.close(code, text)
