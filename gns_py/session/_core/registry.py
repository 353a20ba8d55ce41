"""The handshakes and sessions of a listen socket."""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from typing import Any, Generic, cast

from ..._core.connection import BaseConnection
from ..._core.request import ConnectionRequest
from ..._generated.enums import EndReason
from ...address import Address
from ..protocol.engine import Phase
from ..protocol.reasons import connection_end_text
from ..protocol.server import ServerEngine, ServerStep
from .admission import Admission, AdmissionCounters, AdmissionRules
from .endpoint import SessionEndpoint
from .request import S


class SessionRegistry(Generic[S]):
    """Knows which handshakes are under way and which sessions exist, and lets clients in by the rules."""

    def __init__(self, rules: AdmissionRules) -> None:
        self._admission = Admission(rules)
        self._lock = threading.Lock()
        self._handshakes: dict[SessionEndpoint, S] = {}
        # Established ones. If an application drops a session, that is noticed, and ends it.
        self._sessions: dict[weakref.ref[S], SessionEndpoint] = {}
        self._dropped: deque[weakref.ref[S]] = deque()

    @property
    def counters(self) -> AdmissionCounters:
        """The results of all requests."""
        return self._admission.counters

    def drain(self) -> None:
        """Let no one in from now on."""
        self._admission.is_draining = True

    def admits(self, request: ConnectionRequest[Any]) -> bool:
        """Return whether the rules let a client in; if they do not, reject its connection."""
        if self._admission.is_full:
            self._make_place()
        address = request.connection.remote_address
        with self._lock:
            self._forget_dropped()
            refusal = self._admission.request(address, time.monotonic())
        if refusal is None:
            return True
        BaseConnection.endpoint_of(request.connection).close(
            refusal.reason.native_code, connection_end_text(0, refusal.text), linger=False
        )
        return False

    def _make_place(self) -> None:
        """Drop the oldest handshake that waits for its client, so that idle clients cannot lock out others."""
        with self._lock:
            oldest = next((each for each in self._handshakes if _engine_of(each).waits_for_client), None)
        if oldest is not None:
            oldest.run(oldest.act, _engine_of(oldest).give_way)

    def give_up(self, address: Address | None) -> None:
        """Record that a client was let in, but that its handshake did not begin."""
        with self._lock:
            self._admission.finish_handshake(address, established=False)

    def take_place(self, address: Address | None) -> str | None:
        """See Admission.take_place()."""
        with self._lock:
            self._forget_dropped()
            return self._admission.take_place(address)

    def _forget_dropped(self) -> None:
        while self._dropped:
            session = self._dropped.popleft()
            if session in self._sessions:
                self._admission.leave(self._sessions.pop(session).remote_address)

    def add(self, endpoint: SessionEndpoint, session: S) -> None:
        """Add a handshake that has begun."""
        with self._lock:
            self._handshakes[endpoint] = session

    def advance(self, endpoint: SessionEndpoint) -> ServerStep | None:
        """Record a change of a handshake or session.

        Returns:
            DECISION once the application has to decide, NOTHING once the session is established, None otherwise.
        """
        with self._lock:
            return self._advance(endpoint)

    def _advance(self, endpoint: SessionEndpoint) -> ServerStep | None:
        session = self._handshakes.get(endpoint)
        if session is None:
            self._leave_if_ended(endpoint)
            return None
        engine = _engine_of(endpoint)
        if engine.phase is Phase.SETTING_UP:
            if engine.is_undecided and not engine.is_asked:
                engine.is_asked = True
                return ServerStep.DECISION
            return None
        del self._handshakes[endpoint]
        is_established = engine.step is ServerStep.NOTHING
        self._admission.finish_handshake(endpoint.remote_address, established=is_established)
        if is_established:
            self._sessions[weakref.ref(session, self._dropped.append)] = endpoint
            self._leave_if_ended(endpoint)
            return ServerStep.NOTHING
        if engine.step is ServerStep.REJECTED:
            self.counters.rejected += 1
        elif engine.step is ServerStep.GAVE_WAY:
            self.counters.gave_way += 1
        elif engine.step is not ServerStep.REFUSED:  # that was counted when it was refused
            self.counters.failed += 1
        return None

    def _leave_if_ended(self, endpoint: SessionEndpoint) -> None:
        session = endpoint.session
        if session is None or endpoint.engine.phase is not Phase.ENDED:
            return
        if self._sessions.pop(weakref.ref(cast("S", session)), None) is not None:
            self._admission.leave(endpoint.remote_address)

    @property
    def handshakes(self) -> list[SessionEndpoint]:
        """The handshakes that are not over, or that are over without that having been noticed yet."""
        with self._lock:
            return list(self._handshakes)

    @property
    def sessions(self) -> list[S]:
        """The sessions that are established and have not ended, each from before its client knows."""
        with self._lock:
            self._forget_dropped()
            known = [*self._handshakes.items(), *((endpoint, get()) for get, endpoint in self._sessions.items())]
        alive = (Phase.ESTABLISHED, Phase.CLOSING)
        return [session for endpoint, session in known if session is not None and endpoint.engine.phase in alive]

    def abort_handshakes(self) -> None:
        """End all handshakes."""
        for endpoint in self.handshakes:  # one may be established by now: the server says goodbye to that one
            engine = _engine_of(endpoint)
            endpoint.run(endpoint.act, engine.abort_handshake, EndReason.APP_GENERIC, "the server is closing")


def _engine_of(endpoint: SessionEndpoint) -> ServerEngine:
    return cast("ServerEngine", endpoint.engine)
