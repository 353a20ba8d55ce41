"""The handshakes and sessions of a listen socket."""

from __future__ import annotations

import threading
import time
import weakref
from collections import OrderedDict, deque
from typing import Any, Generic, cast

from ..._core.connection import BaseConnection
from ..._core.request import ConnectionRequest
from ..._generated.enums import EndReason
from ...address import Address
from ..protocol.departure import Departure
from ..protocol.reasons import CloseReason, connection_end_text
from ..protocol.server import ServerEngine, ServerStep
from ..protocol.state import Phase
from . import identities
from .admission import Admission, AdmissionCounters, AdmissionRules, Refusal, host_of
from .dropped import DroppedSessions
from .request import S
from .resumable import ResumableEndpoint

# Reasons of ended sessions that are remembered, for their clients to learn.
_MAX_ENDED = 1_024


class SessionRegistry(Generic[S]):
    """Knows which handshakes are under way and which sessions exist, and lets clients in by the rules."""

    def __init__(self, rules: AdmissionRules) -> None:
        self._admission = Admission(rules)
        self._lock = threading.Lock()
        self._handshakes: dict[ResumableEndpoint, S] = {}
        # Established ones. If an application drops a session, that is noticed, and ends it.
        self._sessions: dict[weakref.ref[S], ResumableEndpoint] = {}
        self._released: deque[weakref.ref[S]] = deque()
        self._dropped = DroppedSessions(rules)
        self._crowded_out: deque[ResumableEndpoint] = deque()
        self._by_id: dict[bytes, ResumableEndpoint] = {}
        self._by_key: dict[str, ResumableEndpoint] = {}
        self._resumable = 0
        self._ended: OrderedDict[bytes, CloseReason] = OrderedDict()
        self.departure: Departure | None = None
        """The server's plan to shut down, once it has one."""

    @property
    def counters(self) -> AdmissionCounters:
        """The results of all requests."""
        return self._admission.counters

    @property
    def is_draining(self) -> bool:
        """True once no one is let in any longer."""
        return self._admission.is_draining

    def drain(self, departure: Departure | None = None) -> None:
        """Let no one in from now on, and tell those who ask of the plan, if there is one."""
        with self._lock:
            self._admission.is_draining = True
            self.departure = departure or self.departure

    def admits(self, request: ConnectionRequest[Any]) -> bool:
        """Return whether the rules let a client in; if they do not, reject its connection."""
        if self._admission.is_full:
            self._make_place()
        address = BaseConnection.endpoint_of(request.connection).origin
        with self._lock:
            self._forget_released()
            refusal = self._admission.request(address, time.monotonic(), may_return=self._must_hear)
        if refusal is None:
            return True
        BaseConnection.endpoint_of(request.connection).close(
            refusal.reason.native_code, connection_end_text(0, refusal.text), linger=False
        )
        return False

    @property
    def _must_hear(self) -> bool:
        """True if a client that cannot have a session is let in all the same, for what it may say or has to be told."""
        return self._resumable > 0 or (self.departure is not None and len(self.departure.addresses) > 0)

    def _make_place(self) -> None:
        """Drop the oldest handshake that waits for its client, so that idle clients cannot lock out others."""
        with self._lock:
            oldest = next((each for each in self._handshakes if engine_of(each).waits_for_client), None)
        if oldest is not None:
            oldest.run(oldest.act, engine_of(oldest).give_way)

    def give_up(self, address: Address | None) -> None:
        """Record that a client was let in, but that its handshake did not begin."""
        with self._lock:
            self._admission.finish_handshake(address, established=False)

    def refuse_new(self, endpoint: ResumableEndpoint) -> Refusal | None:
        """Return why a client that wants a new session cannot have one, or None."""
        with self._lock:
            self._forget_released()
            return self._admission.refuse_new(endpoint.admitted_address)

    def take_place(self, address: Address | None) -> str | None:
        """See Admission.take_place()."""
        with self._lock:
            self._forget_released()
            return self._admission.take_place(address)

    def _forget_released(self) -> None:
        while self._released:
            session = self._released.popleft()
            if session in self._sessions:
                self._forget(self._sessions.pop(session), CloseReason.ABORTED)

    def _forget(self, endpoint: ResumableEndpoint, reason: CloseReason) -> None:
        engine = engine_of(endpoint)
        self._admission.leave(endpoint.admitted_address)
        self._dropped.forget(endpoint)
        self._by_id.pop(engine.session_id, None)
        if engine.key is not None and self._by_key.get(engine.key) is endpoint:
            del self._by_key[engine.key]
        if engine.resume_window > 0:
            self._resumable -= 1
            if not engine.is_durable:  # the store knows of those
                self._ended[engine.session_id] = reason
            if len(self._ended) > _MAX_ENDED:
                self._ended.popitem(last=False)

    def find(self, session_id: bytes) -> ResumableEndpoint | None:
        """Return the session with this id, if there is one that is established and has not ended."""
        with self._lock:
            self._forget_released()
            endpoint = self._by_id.get(session_id)
            if endpoint is None or not endpoint.has_ended:
                return endpoint
            self._leave_if_ended(endpoint)  # that has not been reported yet
            return None

    def reason_of(self, session_id: bytes) -> CloseReason | None:
        """Return why a session with this id, which was not durable, has ended; None if that is not known."""
        with self._lock:
            return self._ended.get(session_id)

    def refuse_key(self, endpoint: ResumableEndpoint, key: str) -> str:
        """Return why a session cannot have this key, or ""."""
        with self._lock:
            self._forget_released()
            return self._refuse_key(endpoint, key)

    def _refuse_key(self, endpoint: ResumableEndpoint, key: str) -> str:
        older = self._by_key.get(key)
        return "" if older is None else identities.refusal(older.began_with, endpoint.began_with)

    def take_key(self, endpoint: ResumableEndpoint) -> tuple[ResumableEndpoint | None, str]:
        """Note the session under its key.

        Returns:
            The older one that had this key; and why it keeps it, or "".
        """
        key = engine_of(endpoint).key
        if key is None:
            return None, ""
        with self._lock:
            older = self._by_key.get(key)
            refusal = self._refuse_key(endpoint, key)
            if not refusal:
                self._by_key[key] = endpoint
            return older, refusal

    def add(self, endpoint: ResumableEndpoint, session: S) -> None:
        """Add a handshake that has begun."""
        with self._lock:
            self._handshakes[endpoint] = session

    def advance(self, endpoint: ResumableEndpoint) -> ServerStep | None:
        """Record a change of a handshake or session.

        Returns:
            DECISION once the application has to decide, RESUME if another session is wanted, NOTHING once the session
            is established, None otherwise.
        """
        with self._lock:
            return self._advance(endpoint)

    def take_crowded_out(self) -> ResumableEndpoint | None:
        """Return a session that has to end, because too many wait for another connection; None if there is none."""
        with self._lock:
            return self._crowded_out.popleft() if self._crowded_out else None

    def _advance(self, endpoint: ResumableEndpoint) -> ServerStep | None:
        session = self._handshakes.get(endpoint)
        if session is None:
            excess = self._dropped.note(endpoint, host_of(endpoint.admitted_address))
            if excess is not None:
                self.counters.crowded_out += 1
                self._crowded_out.append(excess)
            self._leave_if_ended(endpoint)
            return None
        engine = engine_of(endpoint)
        if engine.phase is Phase.SETTING_UP:
            if engine.is_asked or engine.step not in (ServerStep.DECISION, ServerStep.RESUME):
                return None
            engine.is_asked = True
            return engine.step
        del self._handshakes[endpoint]
        is_established = engine.step is ServerStep.NOTHING
        self._admission.finish_handshake(endpoint.admitted_address, established=is_established)
        if is_established:
            self._sessions[weakref.ref(session, self._released.append)] = endpoint
            self._by_id[engine.session_id] = endpoint
            self._resumable += engine.resume_window > 0
            self._leave_if_ended(endpoint)
            return ServerStep.NOTHING
        if engine.step is ServerStep.REJECTED:
            self.counters.rejected += 1
        elif engine.step is ServerStep.GAVE_WAY:
            self.counters.gave_way += 1
        elif engine.step is ServerStep.HANDED_OVER:
            self.counters.resumed += 1
        elif engine.step is not ServerStep.REFUSED:  # that was counted when it was refused
            self.counters.failed += 1
        return None

    def _leave_if_ended(self, endpoint: ResumableEndpoint) -> None:
        session = endpoint.session
        end = endpoint.engine.end
        if session is None or end is None:
            return
        if self._sessions.pop(weakref.ref(cast("S", session)), None) is not None:
            self._forget(endpoint, end.reason)

    @property
    def handshakes(self) -> list[ResumableEndpoint]:
        """The handshakes that are not over, or that are over without that having been noticed yet."""
        with self._lock:
            return list(self._handshakes)

    @property
    def sessions(self) -> list[S]:
        """The sessions that are established and have not ended, each from before its client knows."""
        with self._lock:
            self._forget_released()
            known = [*self._handshakes.items(), *((endpoint, get()) for get, endpoint in self._sessions.items())]
        dead = (Phase.SETTING_UP, Phase.ENDED)
        return [session for endpoint, session in known if session is not None and endpoint.engine.phase not in dead]

    @property
    def dropped(self) -> list[ResumableEndpoint]:
        """The sessions that have no connection, and may get another one."""
        with self._lock:
            return [endpoint for endpoint in self._sessions.values() if endpoint.engine.is_behind]

    @property
    def is_deciding(self) -> bool:
        """True while a handshake is under way that the application has to decide, or has accepted."""
        engines = map(engine_of, self.handshakes)
        steps = (ServerStep.DECISION, ServerStep.STORING, ServerStep.CONFIRM)
        return any(engine.phase is Phase.SETTING_UP and engine.step in steps for engine in engines)

    def abort_handshakes(self) -> None:
        """End all handshakes."""
        for endpoint in self.handshakes:  # one may be established by now: the server says goodbye to that one
            engine = engine_of(endpoint)
            if self.departure is not None:
                endpoint.run(endpoint.act, engine.turn_away, self.departure)
            else:
                endpoint.run(endpoint.act, engine.abort_handshake, EndReason.APP_GENERIC, "the server is closing")


def engine_of(endpoint: ResumableEndpoint) -> ServerEngine:
    """Return the engine of a server's end."""
    return cast("ServerEngine", endpoint.engine)
