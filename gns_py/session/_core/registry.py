"""What the listen sockets of all APIs share: who is let in, and where it stands."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from ..._generated.enums import EndReason
from ...address import Address
from ...errors import InvalidStateError
from ...events import ConnectionRequest
from ..protocol.engine import Phase
from ..protocol.reasons import CloseReason, connection_end_text
from ..protocol.server import ServerEngine, ServerStep
from .admission import Admission, AdmissionCounters, AdmissionRules
from .request import SessionRequest
from .session import BaseSession, check_goodbye

_log = logging.getLogger("gns_py")
S = TypeVar("S", bound=BaseSession[Any])


class Lobby(Generic[S]):
    """The set-ups and sessions of a listen socket."""

    def __init__(self, rules: AdmissionRules) -> None:
        self._admission = Admission(rules)
        self._lock = threading.Lock()
        self._settingup: dict[S, ServerEngine] = {}
        # Established, and where from. An application may drop a session: that is noticed, and is its end.
        self._sessions: dict[weakref.ref[S], Address | None] = {}
        self._dropped: deque[weakref.ref[S]] = deque()

    @property
    def counters(self) -> AdmissionCounters:
        """What came of those that wanted a session."""
        return self._admission.counters

    def drain(self) -> None:
        """Lets nobody in any more."""
        self._admission.is_draining = True

    def admits(self, request: ConnectionRequest[Any]) -> bool:
        """Whether the rules let it in; else it is refused, natively."""
        if self._admission.is_full:
            self._make_place()
        address = request.connection.remote_address
        with self._lock:
            self._forget_dropped()
            refusal = self._admission.request(address, time.monotonic())
        if refusal is None:
            return True
        request.connection._close(refusal.reason.native_code, connection_end_text(0, refusal.text), linger=False)
        return False

    def _make_place(self) -> None:
        """The oldest set-up that waits for its client gives way: a crowd of them keeps nobody out who is quick."""
        with self._lock:
            oldest = next((each for each in self._settingup.items() if each[1].waits_for_client), None)
        if oldest is not None:
            session, engine = oldest
            session._run(session._act, engine.give_way)

    def give_up(self, request: ConnectionRequest[Any]) -> None:
        """It was let in, but is gone already."""
        address = request.connection.remote_address
        with self._lock:
            self._admission.settle(address, established=False)

    def take_place(self, address: Address | None) -> str | None:
        """As Admission.take_place()."""
        with self._lock:
            self._forget_dropped()
            return self._admission.take_place(address)

    def _forget_dropped(self) -> None:
        while self._dropped:
            session = self._dropped.popleft()
            if session in self._sessions:
                self._admission.leave(self._sessions.pop(session))

    def add(self, session: S, engine: ServerEngine) -> None:
        """A set-up has begun."""
        with self._lock:
            self._settingup[session] = engine

    def look(self, session: S) -> ServerStep | None:
        """After a change: DECISION once it is to be decided, NOTHING once it is established, None otherwise."""
        with self._lock:
            return self._look(session)

    def _look(self, session: S) -> ServerStep | None:
        engine = self._settingup.get(session)
        if engine is None:
            self._leave_if_ended(session)
            return None
        if engine.phase is Phase.SETTING_UP:
            if engine.is_undecided and not engine.is_asked:
                engine.is_asked = True
                return ServerStep.DECISION
            return None
        del self._settingup[session]
        address = session.remote_address
        established = engine.step is ServerStep.NOTHING
        self._admission.settle(address, established=established)
        if established:
            self._sessions[weakref.ref(session, self._dropped.append)] = address
            self._leave_if_ended(session)
            return ServerStep.NOTHING
        if engine.step is ServerStep.REJECTED:
            self.counters.rejected += 1
        elif engine.step is ServerStep.GAVE_WAY:
            self.counters.gave_way += 1
        elif engine.step is not ServerStep.REFUSED:  # that was counted when it was refused
            self.counters.failed += 1
        return None

    def _leave_if_ended(self, session: S) -> None:
        if session._engine.phase is Phase.ENDED and weakref.ref(session) in self._sessions:
            self._admission.leave(self._sessions.pop(weakref.ref(session)))

    @property
    def settingup(self) -> list[S]:
        """Those whose set-up is not over, or is over and not looked at yet."""
        with self._lock:
            return list(self._settingup)

    @property
    def sessions(self) -> list[S]:
        """Those that are established, and not ended: each from before its client knows."""
        with self._lock:
            self._forget_dropped()
            known = [*self._settingup, *(each() for each in self._sessions)]
        alive = (Phase.ESTABLISHED, Phase.CLOSING)
        return [each for each in known if each is not None and each._engine.phase in alive]

    def close_settingup(self) -> None:
        """Ends all set-ups."""
        for session in self.settingup:
            session.abort(EndReason.APP_GENERIC, "the server is closing")


def check_rules(rules: AdmissionRules | None) -> AdmissionRules:
    """The rules, or the usual ones. Errors: TypeError."""
    if rules is not None and not isinstance(rules, AdmissionRules):
        raise TypeError(f"rules must be AdmissionRules, not {type(rules).__name__}")
    return AdmissionRules() if rules is None else rules


def decide(request: SessionRequest[S], on_request: Callable[[SessionRequest[S]], object] | None) -> object:
    """Asks the application; what it returns is for the API. Without anybody to ask, all are accepted."""
    if not request.is_open:
        return None
    try:
        return request.accept() if on_request is None else on_request(request)
    except Exception as error:
        reject_failed(request, error)
        return None


def take_open(requests: deque[SessionRequest[S]]) -> SessionRequest[S] | None:
    """Take the first request that still waits for a decision; None: there is none."""
    while requests:
        request = requests[0]  # one step: see runtime.py
        del requests[0]
        if request.is_open:
            return request
    return None


def say_goodbye_to_all(sessions: Iterable[S], code: int, text: str) -> None:
    """Close them, as a server does that is closed. One that fails is ended all the same.

    Errors: TypeError, ValueError.
    """
    check_goodbye(code, text, b"")
    for session in sessions:
        _say_goodbye_to(session, code, text)


def _say_goodbye_to(session: S, code: int, text: str) -> None:
    try:
        session._begin_close(code, text, b"", reason=CloseReason.SERVER_SHUTTING_DOWN)
    except Exception:
        _log.exception("%r ended without a goodbye", session)


def reject_failed(request: SessionRequest[S], error: BaseException) -> None:
    """What happens to a request that the application has failed to decide."""
    _log.error("on_request failed for %r", request, exc_info=error)
    if request.is_open:
        with contextlib.suppress(InvalidStateError):  # decided meanwhile
            request.reject(EndReason.APP_EXCEPTION_GENERIC, "the server failed", reason=CloseReason.INTERNAL_ERROR)
