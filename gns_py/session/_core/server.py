"""The part that the servers of all APIs share. Nothing in here waits."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from ..._generated.enums import EndReason
from ..protocol.reasons import CloseReason
from .checks import check_goodbye
from .endpoint import SessionEndpoint
from .listen_socket import ListenerView
from .request import S
from .session import BaseSession

_log = logging.getLogger("gns_py")


class BaseServer(ListenerView[S]):
    """A port whose sessions each have a handler."""

    def kick(self, session: S, code: int = EndReason.APP_GENERIC, text: str = "", data: bytes = b"") -> None:
        """Close a session from outside its handler: both ends see CLOSED_BY_CONTROLLER. Any thread.

        Args:
            session: The session.
            code: See Session.close().
            text: See Session.close().
            data: See Session.close().

        Raises:
            TypeError: See Session.close().
            ValueError: See Session.close().
        """
        endpoint = BaseSession.session_endpoint_of(session)
        endpoint.begin_close(code, text, data, reason=CloseReason.CLOSED_BY_CONTROLLER)


def say_goodbye_to_all(sessions: Iterable[Any], code: int, text: str) -> None:
    """Close sessions because their server is closing. One whose goodbye fails is ended all the same.

    Raises:
        TypeError: ``code`` or ``text`` has the wrong type.
        ValueError: ``code`` is out of range, or ``text`` is too long.
    """
    check_goodbye(code, text, b"")
    for session in sessions:
        _say_goodbye_to(BaseSession.session_endpoint_of(session), code, text)


def _say_goodbye_to(endpoint: SessionEndpoint, code: int, text: str) -> None:
    try:
        endpoint.begin_close(code, text, b"", reason=CloseReason.SERVER_SHUTTING_DOWN)
    except Exception:
        _log.exception("%r ended without a goodbye", endpoint)
