"""Who wants a session, for the server's application to decide."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from ..._generated.enums import EndReason, InfoFlags
from ..._uncopyable import Uncopyable
from ...address import Address
from ...identity import Identity
from ..protocol.reasons import CloseReason
from ..protocol.server import ServerEngine
from .session import BaseSession, check_data, check_goodbye

S = TypeVar("S", bound=BaseSession[Any])


class SessionRequest(Uncopyable, Generic[S]):
    """A client that waits for accept() or reject(): at once, or later, from any thread, within decision_timeout."""

    def __init__(self, session: S, engine: ServerEngine) -> None:
        self._session = session
        self._engine = engine
        self._since = time.monotonic()

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__name__} of {self.address}, {len(self.data)} bytes of data>"

    @property
    def address(self) -> Address | None:
        """Where it comes from; None for a pair in memory."""
        return self._session.remote_address

    @property
    def identity(self) -> Identity:
        """Who it claims to be."""
        return self._session.remote_identity

    @property
    def is_authenticated(self) -> bool:
        """Whether GNS has verified the identity."""
        return not self._session.info().flags & InfoFlags.UNAUTHENTICATED

    @property
    def data(self) -> bytes:
        """What it has given its connect()."""
        return self._engine.peer_data

    @property
    def waited(self) -> float:
        """Seconds since its HELLO came."""
        return time.monotonic() - self._since

    @property
    def is_open(self) -> bool:
        """Whether it still waits for the decision."""
        return self._engine.is_undecided

    def accept(self, data: bytes = b"") -> S:
        """Accepts; the client's connect() returns with a session whose ``peer_data`` this data is.

        Returns this end's session, which is established when the client has confirmed: what is sent on it waits until
        then, and recv() waits, or raises SessionFailed. Errors: InvalidStateError (decided, given up or too late),
        TypeError, ValueError (over 64 KiB).
        """
        check_data(data)
        self._session._run(self._decide, self._engine.accept, data)
        return self._session

    def reject(
        self,
        code: int = EndReason.APP_GENERIC,
        text: str = "",
        data: bytes = b"",
        *,
        reason: CloseReason = CloseReason.REJECTED,
    ) -> None:
        """Refuses; the client's connect() raises SessionRejected with code, text, data and reason.

        reason: REJECTED, AUTHENTICATION_FAILED, RATE_LIMITED, ... Does nothing if the client has given up.
        Errors: InvalidStateError (accepted before), TypeError, ValueError.
        """
        check_goodbye(code, text, data)
        self._session._run(self._decide, self._engine.reject, reason, code, text, data)

    def _decide(self, function: Callable[..., None], *arguments: object) -> None:
        """Errors: the function's; none of them ends the session by itself."""
        with self._session._lock:
            function(*arguments, time.monotonic())
        self._session._tell_change()
