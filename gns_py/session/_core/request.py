"""Requests of clients that want a session."""

from __future__ import annotations

import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from ..._generated.enums import EndReason
from ..._uncopyable import Uncopyable
from ...address import Address
from ...errors import InvalidStateError
from ...identity import Identity
from ..protocol.reasons import CloseReason
from ..protocol.server import ServerEngine
from .checks import check_data, check_goodbye, check_session_key
from .resumable import ResumableEndpoint
from .session import BaseSession

_log = logging.getLogger("gns_py")
S = TypeVar("S", bound=BaseSession[Any, Any])


class SessionRequest(Uncopyable, Generic[S]):
    """A client that waits for accept() or reject(): at once or later, from any thread, within ``decision_timeout``."""

    def __init__(
        self,
        session: S,
        engine: ServerEngine,
        refuse_key: Callable[[ResumableEndpoint, str], str] = lambda _endpoint, _key: "",
        *,
        is_durable: bool = False,
    ) -> None:
        self._session = session
        self._refuse_key = refuse_key
        self._is_durable = is_durable
        self._session_endpoint = BaseSession.session_endpoint_of(session)
        self._engine = engine
        self._since = time.monotonic()

    def __repr__(self) -> str:
        peer = self._session_endpoint.endpoint.peer
        return f"<{type(self).__module__}.{type(self).__name__} of {peer}, {len(self.data)} bytes of data>"

    @property
    def address(self) -> Address | None:
        """The client's address; None for a pair in memory."""
        return self._session.remote_address

    @property
    def identity(self) -> Identity:
        """The identity that the client claims, proved if ``authenticated``."""
        return self._session.remote_identity

    @property
    def authenticated(self) -> bool:
        """True if a certificate proved the identity in the handshake."""
        return self._session.authenticated

    @property
    def data(self) -> bytes:
        """The data that the client gave to connect()."""
        return self._engine.peer_data

    @property
    def waited(self) -> float:
        """Seconds since the client's HELLO arrived."""
        return time.monotonic() - self._since

    @property
    def is_open(self) -> bool:
        """True while it waits for the decision."""
        return self._engine.is_undecided

    def accept(self, data: bytes = b"", *, key: str | None = None, durable: bool | None = None) -> S:
        """Accept the session.

        Args:
            data: Up to 64 KiB, the ``peer_data`` of the client's session.
            key: Ends an older session with this key, with SESSION_TAKEN_OVER, as soon as this one is established: the
                name of a player who has one session at a time, for example. Up to 255 bytes. If the older one's client
                is authenticated, it makes way only for one with the same identity and the same ``remote_key``; another
                one is rejected with AUTHENTICATION_FAILED.
            durable: Whether the session is kept in the server's store: what is taken from it and sent on it counts once
                it was committed. None: as the server's ``durable`` says.

        Returns:
            This end's session, which is established when the client has confirmed. Until then messages that are sent
            on it wait, and recv() waits, or raises SessionFailed.

        Raises:
            InvalidStateError: It was decided before, or the client has given up, or it is too late; or it cannot be
                durable: the server has no store, or there is no ``resume_window``.
            TypeError: ``data`` is not bytes, or ``key`` not a str.
            ValueError: ``data`` or ``key`` is too long.
        """
        check_data(data)
        check_session_key(key)
        endpoint = self._session_endpoint
        is_durable = self._is_durable if durable is None else durable
        self._engine.key = key
        if key is not None and self.is_open and (text := self._refuse_key(endpoint, key)):
            self.reject(text=text, reason=CloseReason.AUTHENTICATION_FAILED)
        elif not is_durable:
            endpoint.run(self._decide, self._engine.accept, data)
        elif endpoint.keeper is None:
            raise InvalidStateError("durable sessions need a server with a store")
        else:
            endpoint.keeper.accept(endpoint, data, key)
        return self._session

    def reject(
        self,
        code: int = EndReason.APP_GENERIC,
        text: str = "",
        data: bytes = b"",
        *,
        reason: CloseReason = CloseReason.REJECTED,
    ) -> None:
        """Reject the session: the client's connect() raises SessionRejected with code, text, data and reason.

        Does nothing if the client has given up.

        Args:
            code: See Session.close().
            text: See Session.close().
            data: See Session.close().
            reason: REJECTED, AUTHENTICATION_FAILED, RATE_LIMITED, ...

        Raises:
            InvalidStateError: It was accepted before.
            TypeError: See Session.close().
            ValueError: See Session.close().
        """
        check_goodbye(code, text, data)
        self._session_endpoint.run(self._decide, self._engine.reject, reason, code, text, data)

    def _decide(self, function: Callable[..., None], *arguments: object) -> None:
        """Call a method of the engine with the arguments and the time; what it raises does not end the session."""
        with self._session_endpoint.lock:
            function(*arguments, time.monotonic())
        self._session_endpoint.on_change()


def decide(request: SessionRequest[S], on_request: Callable[[SessionRequest[S]], object] | None) -> object:
    """Ask the application, and return its answer, for the API to deal with. Without a callback, accept."""
    if not request.is_open:
        return None
    try:
        return request.accept() if on_request is None else on_request(request)
    except Exception as error:
        reject_failed(request, error)
        return None


def reject_failed(request: SessionRequest[S], error: BaseException) -> None:
    """Reject a request that the application has failed to decide, and log why."""
    _log.error("on_request failed for %r", request, exc_info=error)
    if request.is_open:
        with contextlib.suppress(InvalidStateError):  # decided meanwhile
            request.reject(EndReason.APP_EXCEPTION_GENERIC, "the server failed", reason=CloseReason.INTERNAL_ERROR)


def take_open(requests: deque[SessionRequest[S]]) -> SessionRequest[S] | None:
    """Remove and return the first request that still waits for a decision, or return None."""
    while requests:
        request = requests[0]  # one step: see waiting.py
        del requests[0]
        if request.is_open:
            return request
    return None
