"""The internal end of a session that goes from one connection to the next. Nothing in here waits."""

from __future__ import annotations

import contextlib
import itertools
import logging
import time
from abc import abstractmethod
from typing import Protocol, cast

from ..._core.connection import BaseConnection
from ..._core.sending import SendingConnection
from ..._generated.enums import EndReason
from ...config import Config
from ...end import ClosedBy, ConnectionEnd
from ...errors import ConnectionClosed, GNSError, InvalidStateError
from ..protocol.client import ClientEngine
from ..protocol.durable import VerifiedPeer
from ..protocol.frames import Resume
from ..protocol.reasons import CloseReason, SessionEnd, connection_end_text, end_of_connection, reason_for_peer
from ..protocol.server import ServerEngine
from ..protocol.state import Phase
from .dialer import Dialer
from .endpoint import EngineMaker, SessionEndpoint
from .newcomer import Newcomer
from .outages import OutageCallbacks

_serials = itertools.count()
_log = logging.getLogger("gns_py")


class Keeper(Protocol):
    """Keeps the durable sessions of a listener in a store."""

    def accept(self, endpoint: ResumableEndpoint, data: bytes, key: str | None) -> None:
        """Accept a session once it is stored."""

    def is_owed(self, endpoint: ResumableEndpoint) -> bool:
        """Return whether a session that was closed can confirm its client's goodbye only after another commit."""

    def finish(self, endpoint: ResumableEndpoint) -> None:
        """Commit what is left of a session that says goodbye."""


class ResumableEndpoint(SessionEndpoint):
    """The internal end of a session, on one connection after another."""

    def __init__(self, connection: SendingConnection, make_engine: EngineMaker) -> None:
        super().__init__(connection, make_engine)
        self.dialer: Dialer | None = None
        """Makes new connections, at a client."""
        self.lanes: tuple[list[int], list[int]] | None = None
        """The priorities and weights of the lanes, for the next connection."""
        self.options = Config()
        """The options that were set on the session, for the next connection."""
        self.admitted_address = BaseConnection.endpoint_of(connection).origin
        """The address from which the session was let in: it counts for that one."""
        self.serial = next(_serials)
        """Grows from one connection of a process to the next."""
        self.keeper: Keeper | None = None
        """Keeps the session in a store, at a server that has one."""
        self.began_with: VerifiedPeer | None = None
        """The client that began the session, at a server, if GNS has verified it."""
        self.saved_state: bytes | None = None
        """The last state that the application of another server has committed, if the session comes from a store."""
        self.previous: SessionEnd | None = None
        """How the session before this one ended, at a client that begins a new one after each."""
        self._newcomer: Newcomer | None = None

    @property
    def has_newcomer(self) -> bool:
        """True while a new connection is there, and the session waits for the mark in its mailbox."""
        return self._newcomer is not None

    @property
    def has_connection(self) -> bool:
        """True unless the connection is lost, whether or not the session has heard of that."""
        return self.engine.is_connected and self.endpoint.current_end() is None

    # ---- what the APIs add ----

    @abstractmethod
    def bring(self, newcomer: Newcomer) -> None:
        """Move a new connection to the session's mailbox, and ask there for its mark.

        Called on the thread that reads the connection's mailbox.
        """

    def stay_reachable(self, is_waiting: bool) -> None:
        """Keep what new connections need while the session waits for one (``is_waiting``), and let it go afterwards."""

    # ---- without a connection ----

    def on_change(self) -> None:
        """See SessionEndpoint. A client that has no connection gets another one."""
        phase = self.engine.phase
        if self.keeper is not None and self.keeper.is_owed(self):
            self.keeper.finish(self)
        self.stay_reachable(phase is Phase.DROPPED)
        if self.dialer is not None:
            if phase is Phase.DROPPED and self._newcomer is None:
                self._dial(self.dialer)
            elif self.engine.is_connected:
                self.dialer.rest()
        if phase is Phase.ENDED:
            self._give_up_newcomer()
            if self.engine.drops and self.endpoint.current_end() is None:
                # reconnect() leaves the old connection open; and a new one may have been adopted in the middle of the
                # end: closing a connection dispatches what waits in its mailbox.
                _close(self.connection, CloseReason.ABORTED, "the session has ended")
            if self.dialer is not None:
                self.dialer.cancel()
        super().on_change()

    def abandon(self) -> None:
        """See SessionEndpoint."""
        super().abandon()
        if self.dialer is not None:
            self.dialer.cancel()

    def follow(self, dialer: Dialer, callbacks: OutageCallbacks) -> None:
        """Make this the internal end of a client, before it begins to receive."""
        self.dialer, self.callbacks = dialer, callbacks
        engine = cast("ClientEngine", self.engine)
        engine.moves_at_once = callbacks.moves_at_once
        engine.is_last_word = dialer.route.is_last_word

    def _dial(self, dialer: Dialer) -> None:
        going_away = self.engine.going_away
        if going_away is not None and self.engine.is_durable:
            dialer.route.redirect(going_away.addresses)
        try:
            dialer.dial(self)
        except Exception as error:
            self.fail_with(error, "another connection cannot be made")

    def _say_goodbye(self, reason: CloseReason, code: int, text: str, data: bytes) -> None:
        super()._say_goodbye(reason, code, text, data)
        self._finish()

    def tick(self) -> None:
        """See SessionEndpoint."""
        could_send = self.engine.may_send
        super().tick()
        if could_send and not self.engine.may_send:  # it has said goodbye for an application that has not
            self._finish()

    def _finish(self) -> None:
        if self.keeper is not None and self.engine.is_durable:
            self.keeper.finish(self)

    def reconnect(self) -> None:
        """Give up the connection for another one. See Session.reconnect()."""
        if self.dialer is None:
            raise InvalidStateError("only the client of a session connects again")
        if self.has_ended:
            raise self.closed_error()
        if not self.run(self._reconnect):
            raise InvalidStateError("the session cannot be resumed: it has no resume_window")
        self.dialer.hurry()

    def _reconnect(self) -> bool:
        with self.lock:
            goes_on = cast("ClientEngine", self.engine).reconnect(time.monotonic())
        self.on_change()
        return goes_on

    def move(self) -> None:
        """Leave a server that is going away. See Session.move()."""
        if self.dialer is None:
            raise InvalidStateError("only the client of a session moves to another server")
        if self.has_ended:
            raise self.closed_error()
        self.run(self.act, cast("ClientEngine", self.engine).move)
        if self.engine.phase is Phase.DROPPED:
            self.dialer.hurry()

    def attempt_failed(self, end: SessionEnd) -> None:
        """Note that no connection could be made."""
        self.run(self.act, cast("ClientEngine", self.engine).attempt_failed, end)

    def make_way(self, reason: CloseReason, text: str) -> None:
        """End the session for another one with the same key; with a goodbye, if it has a connection. Raises nothing."""
        if self.engine.is_connected:
            try:
                self.begin_close(EndReason.APP_GENERIC, text, b"", reason=reason)
            except Exception:
                _log.exception("%r ended without a goodbye", self)
        else:
            self.run(self.act, cast("ServerEngine", self.engine).make_way, reason, text)

    def on_stopped(self) -> None:
        """End the session, which waits for another connection: GNS was stopped."""
        end = ConnectionEnd(ClosedBy.LOCAL, EndReason.SHUTDOWN, "the runtime was stopped")
        self.run(self.act, self.engine.connection_ended, end)

    # ---- a new connection ----

    def claim(self, resume: Resume, handshake: ResumableEndpoint) -> tuple[CloseReason, str] | None:
        """Let a client have the session on another connection, or return why not. See ServerEngine.claim()."""
        with self.lock:
            if handshake.serial < self.serial:  # an attempt that the client has given up since, and that was late
                return CloseReason.SESSION_TAKEN_OVER, "the session has a newer connection"
            refusal = cast("ServerEngine", self.engine).claim(resume, time.monotonic())
            if refusal is None:
                self.serial = handshake.serial
                self._give_up_newcomer()
                self._newcomer = Newcomer(self, handshake.connection)
        self.on_change()
        return refusal

    def welcome(self, connection: SendingConnection) -> None:
        """Go on with a connection that a dialer has made. Called on the thread that reads its mailbox."""
        with self.lock:
            if self.engine.phase is Phase.DROPPED and self.session is not None:
                self._give_up_newcomer()
                self._newcomer = Newcomer(self, connection)
        self.bring_newcomer(connection)

    def bring_newcomer(self, connection: SendingConnection) -> None:
        """Begin to go on with this connection, unless there is another one by now. Raises nothing."""
        newcomer = self._newcomer
        if newcomer is None or newcomer.connection is not connection:
            self._turn_away(connection)
            return
        try:
            newcomer.endpoint.attach(newcomer)
            self.bring(newcomer)
        except GNSError:  # it has ended, or GNS was stopped: its end is in the mailbox
            return
        except Exception as error:
            self.fail_with(error, "the session cannot go on with another connection")

    def adopt(self, newcomer: Newcomer) -> None:
        """See Adopter. On the thread that reads the mailbox."""
        self.work()  # everything that the old connection has brought
        self.run(self._adopt, newcomer)

    def _adopt(self, newcomer: Newcomer) -> None:
        with self.lock:
            if newcomer is not self._newcomer or self.engine.phase is not Phase.DROPPED:
                self._turn_away(newcomer.connection)
                return
            self._newcomer = None
            try:
                self._switch(newcomer)
                self.engine.connected(time.monotonic())
                newcomer.endpoint.attach(self)  # not earlier: it brings what has arrived, perhaps the end
            except ConnectionClosed:
                pass  # it has ended meanwhile: the session still waits for one
            except Exception as error:
                self._fail(error)
        self.on_change()

    def _switch(self, newcomer: Newcomer) -> None:
        connection = newcomer.connection
        if self.lanes is not None:
            connection.configure_lanes(*self.lanes)  # first: other threads may send as soon as they see it
        connection.set_config(self.options)
        self.endpoint.sink = None
        self.transport.say_farewell()
        if self.engine.is_client:
            _close(self.connection, CloseReason.CONNECTION_LOST, "given up for another connection")
        else:
            _close(self.connection, CloseReason.SESSION_TAKEN_OVER, "the client has another connection")
        self.connection, self.endpoint = connection, newcomer.endpoint
        self.transport.switch(connection)
        session = self.session
        if session is not None:
            cast("BaseConnection", session).go_on_with(self.endpoint)

    def have_lanes(self, count: int) -> None:
        """Have at least as many lanes as another server has used, until the application configures them."""
        if count <= self.endpoint.lanes:
            return
        self.lanes = [0] * count, [1] * count
        with contextlib.suppress(ConnectionClosed):  # the next one gets them
            self.connection.configure_lanes(*self.lanes)
        self.endpoint.lanes = count

    def lose(self, newcomer: Newcomer, end: ConnectionEnd) -> None:
        """See Adopter."""
        with self.lock:
            if newcomer is not self._newcomer:
                return
            self._newcomer = None
        if self.engine.is_client:
            self.attempt_failed(end_of_connection(end, is_client=True))
        self.on_change()

    def _give_up_newcomer(self) -> None:
        newcomer, self._newcomer = self._newcomer, None
        if newcomer is not None:
            newcomer.endpoint.sink = None
            self._turn_away(newcomer.connection)

    def _turn_away(self, connection: SendingConnection) -> None:
        """Close a connection on which the session does not go on, and say why: its peer may go on elsewhere."""
        end = self.engine.end
        if end is None:
            _close(connection, CloseReason.SESSION_TAKEN_OVER, "the session has another connection")
        else:
            _close(connection, reason_for_peer(end.reason), end.text)


def _close(connection: SendingConnection, reason: CloseReason, text: str) -> None:
    BaseConnection.endpoint_of(connection).close(reason.native_code, connection_end_text(0, text), linger=False)
