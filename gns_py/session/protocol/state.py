"""The state of a session, at either end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum

from .going_away import GoingAway
from .goodbye import GoodbyeExchange
from .inbox import Inbox
from .reasons import SessionEnd


class Phase(Enum):
    """Where a session stands."""

    SETTING_UP = "being set up"
    """The server, or its application, has not accepted yet."""
    ESTABLISHED = "established"
    """Both ends have it."""
    DROPPED = "dropped"
    """Its connection is lost. It may go on, on another one."""
    RESUMING = "resuming"
    """It has another connection, and the ends agree about what is to be sent again."""
    CLOSING = "closing"
    """An end has said goodbye."""
    ENDED = "ended"
    """It has ended."""


class SessionState(ABC):
    """The state of a session; an engine changes it."""

    is_client: bool

    def __init__(self, inbox: Inbox) -> None:
        self.phase = Phase.SETTING_UP
        self.end: SessionEnd | None = None
        """Why the session ended; None while it lives."""
        self.rejected = False
        """True if the server has said that it does not want the session."""
        self.was_established = False
        """True if both ends had the session, however it has ended since."""
        self.is_durable = False
        """True if the server keeps it in a store, so that another server can go on with it."""
        self.going_away: GoingAway | None = None
        """The server's announcement, on the present connection, that it will shut down."""
        self.inbox = inbox
        self.goodbyes = GoodbyeExchange(is_client=self.is_client)

    @property
    @abstractmethod
    def session_id(self) -> bytes:
        """16 bytes, chosen by the server."""

    @property
    @abstractmethod
    def peer_data(self) -> bytes:
        """The data that the other application gave in the handshake."""

    @property
    def is_connected(self) -> bool:
        """True while both ends have the session on the present connection."""
        return self.phase in (Phase.ESTABLISHED, Phase.CLOSING)

    @property
    def is_going_away(self) -> bool:
        """True once the server has told the client that it will shut down."""
        return self.going_away is not None

    @property
    def is_established(self) -> bool:
        """True while both ends know that they have the session, and neither has said goodbye."""
        return self.was_established and self.may_send and self.goodbyes.theirs is None

    @property
    def may_send(self) -> bool:
        """True while messages may be sent, or wait until they may."""
        return self.goodbyes.ours is None and self.phase is not Phase.ENDED

    @property
    def delivered_end(self) -> SessionEnd | None:
        """The end, once the application has taken all messages before it."""
        if self.end is not None:
            return self.end
        goodbye = self.goodbyes.theirs
        if goodbye is None or len(self.inbox) or self.inbox.handled != goodbye.last:
            return None
        return self.goodbyes.agreed_end

    @property
    def expected_end(self) -> SessionEnd | None:
        """The end as far as it is known, whatever the application still has to take before it."""
        return self.goodbyes.expected_end if self.end is None else self.end

    def has_delivered(self, end: SessionEnd) -> bool:
        """Return whether the application has seen this end, which may since have turned out to be another."""
        return end in (self.expected_end, self.goodbyes.agreed_end)
