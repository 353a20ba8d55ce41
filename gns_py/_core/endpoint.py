"""The internal end of a connection: its inbox, its closing, its events. Nothing in here waits."""

from __future__ import annotations

import logging
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from .. import _native
from .._generated.enums import ConnectionState, EndReason, Result
from .._printable import printable
from ..address import Address
from ..errors import InvalidStateError
from ..events import MessageReceived, RouteChanged, SendFailed, StatusChanged
from ..identity import Identity
from ..message import Message, MessageView, with_bytes
from ..route import Route
from ..stats import ConnectionInfo
from .callbacks import NeverRunError
from .checks import StatusCallback, check_goodbye
from .diversion import Diversion, check_free
from .handle import ConnectionHandle
from .mailbox import Mailbox
from .peers import PeerAddress, Rendezvous
from .receiver import Backlog, FramedCallback
from .sink import Sink
from .waiting import take, take_matching

_log = logging.getLogger("gns_py")
# With as much waiting to be taken, read_if_idle() reads no more.
_MOST_WAITING, _MOST_WAITING_BYTES = 1024, 1 << 20


class Wakeable(Protocol):
    """Tasks that wait for something."""

    def __len__(self) -> int: ...

    def wake(self) -> None: ...


class Group(Protocol):
    """A poll group."""

    def discard(self, endpoint: Endpoint) -> None:
        """Forget a connection that is no longer a member."""


class Endpoint(ConnectionHandle):
    """The internal end of a connection; a Connection, or a Session, is the application's view of it.

    Sending and closing: any thread. Everything that reads: one thread at a time. The application's object owns the
    endpoint; the endpoint refers to it weakly, so that dropping it is noticed at once.
    """

    def __init__(
        self,
        mailbox: Mailbox,
        handle: int,
        info: ConnectionInfo | None,
        on_status_changed: StatusCallback | None,
        rendezvous: Rendezvous | None = None,
    ) -> None:
        super().__init__(mailbox, handle, info)
        self.inbox: deque[Message | MessageView] = deque()
        self.events: deque[Any] | None = None  # where messages and changes go instead, for a poll()
        self.group: Group | None = None  # the poll group that reads it
        self.sink: Sink | None = None
        self.own_readers: Wakeable | tuple[()] = ()  # tasks that receive from it, if they are tasks
        self.readers: Wakeable | tuple[()] = ()  # these, or those of a poll group
        self.watchers: Wakeable | tuple[()] = ()  # tasks that wait for a change of state, a pong, or room
        self.takes_views = False
        self.diversion: Diversion | None = None
        self.on_data: FramedCallback = _drop
        self.on_ack_due_data: FramedCallback = _drop
        self.on_untracked: FramedCallback = _drop
        self.pongs = 0
        self.round_trip = 0.0  # of the last pong, in seconds
        self._connection: weakref.ref[Any] | None = None
        self._on_status_changed = on_status_changed
        self._rendezvous = rendezvous  # of a connection between peers

    def __repr__(self) -> str:
        return repr(self.connection) if self.connection is not None else f"<connection {self.handle:#x}>"

    @property
    def connection(self) -> object | None:
        """The application's object: a Connection or a Session; None once it has been dropped."""
        return None if self._connection is None else self._connection()

    def belong_to(self, connection: object) -> None:
        """Set the application's object, which events will carry."""
        self._connection = weakref.ref(connection)

    def check_own_reader(self) -> None:
        """Raise InvalidStateError if a poll group reads the connection."""
        if self.group is not None:
            raise InvalidStateError("a poll group reads the connection: remove() it there first")

    @property
    def route(self) -> Route:
        """How packets go to a peer; UNKNOWN for any other connection."""
        return self.info().route

    @property
    def origin(self) -> Address | None:
        """The key for limits: the address or, between peers, the identity, which the signalling has proved."""
        info = self.info()
        if self._rendezvous is None:
            return info.remote_address
        return PeerAddress(Identity.parse(info.identity), 0, self._rendezvous)

    @property
    def peer(self) -> str:
        """The other end, for people: its address or, between peers, its identity, whichever route there is."""
        info = self.last_info
        if self._rendezvous is not None:
            return printable(info.identity) if info else "a peer"
        return str((info and info.remote_address) or "in memory")

    # ---- the end ----

    def close(self, code: int = EndReason.APP_GENERIC, text: str = "", *, linger: bool = True) -> None:
        """Close the connection. Closing it again does nothing. See Connection.close()."""
        goodbye = check_goodbye(code, text)
        if _native.is_forked():  # it is the parent's, and a thread that does not exist here may hold a lock
            return
        with self._closing:
            if self.is_closed_here:
                return
            self.announce_end(code, text)
            self.is_closed_here = True
        _native.close(self.handle, code, goodbye, linger)
        self.inbox.clear()
        self.mailbox.receive_if_idle()
        # If several ends close at once, the first is the end: the event says so, and another thread may have to
        # read it.
        with self._closing:
            self.end = self.end or self._announced_end

    # ---- reading ----

    def accept(self, mailbox: Mailbox | None) -> None:
        """Accept an inbound connection, into another mailbox if one is given."""
        if mailbox is not None:
            mailbox.add(self)
        self.ask(_native.accept, self.handle, mailbox.handle if mailbox else 0)
        if mailbox is not None:
            self.mailbox.remove(self.handle)
            self.mailbox = mailbox
        self.is_established = self.state is ConnectionState.CONNECTED  # before anyone has read the event

    def move_to(self, mailbox: Mailbox, events: deque[Any] | None) -> None:
        """Move to another mailbox, with everything pending; redirect events as redirect_events() does.

        Raises:
            ConcurrencyError: A thread is reading the present mailbox.
            ConnectionClosed: The connection has ended.
        """
        self.mailbox.as_reader(self._move_to, mailbox, events)

    def _move_to(self, mailbox: Mailbox, events: deque[Any] | None) -> None:
        source = self.mailbox
        source.dispatch()  # what an interrupted reader has left
        self.redirect_events(events)
        mailbox.add(self)  # first: a reader there may get its events at once
        self.ask(_native.move, self.handle, mailbox.handle)
        source.remove(self.handle)
        self.mailbox = mailbox

    def redirect_events(self, events: deque[Any] | None) -> None:
        """Choose where messages and changes go: to the events of a poll(), or (None) messages to the inbox here.

        No message is lost; status changes are dropped, since an inbox holds messages only.
        """
        before = self.events
        if before is events:
            return
        self.events = events
        waiting: list[Any]
        if before is None:
            waiting = take(self.inbox)
            try:
                arrivals = [MessageReceived(self.connection, with_bytes(message)) for message in waiting]
                events += arrivals  # type: ignore[operator] # one step
            except BaseException:  # a signal handler's
                self.events = before
                self.inbox.extendleft(reversed(waiting))
                raise
            return
        connection = self.connection
        waiting = take_matching(before, lambda event: event.connection is connection)
        try:
            if events is None:
                self.inbox.extend([event.message for event in waiting if isinstance(event, MessageReceived)])
            else:
                events += waiting  # one step
        except BaseException:
            self.events = before
            before.extendleft(reversed(waiting))
            raise

    def attach(self, sink: Sink) -> None:
        """Hand everything that arrives to a higher layer, beginning with everything that has arrived.

        Called on the thread that reads the mailbox.
        """
        self.redirect_events(None)
        self.sink = sink
        self.on_data, self.on_ack_due_data = sink.on_data, sink.on_ack_due_data
        self.on_untracked = sink.on_untracked
        for message in take(self.inbox):
            sink.inputs.append((sink.take_message, (with_bytes(message),)))
        if self.end is not None:
            self.sink = None
            sink.inputs.append((sink.take_end, (self.end,)))
        sink.work()

    # ---- a part of the program that shares the connection: see Divertible ----

    @property
    def is_over(self) -> bool:
        """See Divertible."""
        return self.mailbox.is_stopped or not self.is_alive

    @property
    def drops(self) -> int:
        """See Divertible: it has one connection, which is this one."""
        return 0

    def divert(self, diversion: Diversion) -> None:
        """See Divertible."""
        if self.sink is not None:
            raise InvalidStateError("a session has the connection, and is to be given in its place")
        check_free(self)
        self.diversion = diversion

    def divert_waiting(self) -> None:
        """See Divertible."""
        diversion, connection = self.diversion, self.connection
        if diversion is None:
            return
        waiting = take_matching(self.inbox, diversion.concerns)
        if self.events is not None:
            events = take_matching(
                self.events,
                lambda event: (
                    isinstance(event, MessageReceived)
                    and event.connection is connection
                    and diversion.concerns(event.message)
                ),
            )
            waiting += [event.message for event in events]
        for message in waiting:
            self._take_aside(diversion, message)

    def _take_aside(self, diversion: Diversion, message: Message | MessageView) -> None:
        if self.mailbox.counts_until_handled:
            self.count_handled(1, len(message.data))
        diversion.take(with_bytes(message).data)

    def send_aside(self, data: bytes) -> bool:
        """See Divertible."""
        return bool(_native.send(self.handle, data, len(data), _native.SEND_NO_NAGLE, 0) > 0)

    def read_if_idle(self) -> None:
        """See Divertible. An event loop always reads."""
        if self.mailbox.counts_until_handled or self.mailbox.is_read:
            return
        if self.events is None:
            sizes = [len(message.data) for message in list(self.inbox)]
        else:
            sizes = [len(each.message.data) if isinstance(each, MessageReceived) else 0 for each in list(self.events)]
        if len(sizes) < _MOST_WAITING and sum(sizes) < _MOST_WAITING_BYTES:
            self.mailbox.receive_if_idle()

    # ---- the mailbox's receiver ----

    def on_message(self, message: Message | MessageView, backlog: Backlog) -> None:
        """See Receiver."""
        sink, events = self.sink, self.events
        if self.is_closed_here:
            del backlog[0]
        elif self.diversion is not None and self.diversion.concerns(message):
            del backlog[0]
            self._take_aside(self.diversion, message)
            return
        elif sink is not None:
            if message.reliable:
                sink.inputs += ((sink.take_message, (with_bytes(message),)),)  # one step
                del backlog[0]
                sink.work()
            else:
                del backlog[0]
                sink.take_unreliable(with_bytes(message))
        elif events is not None:
            connection = self._connection() if self._connection is not None else None
            message = message if type(message) is Message else with_bytes(message)
            events += (MessageReceived(connection, message),)  # one step
            del backlog[0]
        else:
            self.inbox += (message,)  # one step
            del backlog[0]
        if self.readers:
            self.readers.wake()

    def on_route(self, old: Route, new: Route, info: ConnectionInfo, time_us: int) -> None:
        """See Receiver."""
        self.last_info = info
        connection, rendezvous = self.connection, self._rendezvous
        if connection is None or rendezvous is None:
            return
        change = RouteChanged(connection, old, new, info, time_us)
        if self.events is not None:
            self.events.append(change)
        if rendezvous.on_route_changed is not None:
            self.mailbox.changes.append((self, change))

    def on_pong(self, round_trip: float) -> None:
        """See Receiver."""
        self.pongs += 1
        self.round_trip = round_trip
        if self.watchers:
            self.watchers.wake()

    def on_room(self) -> None:
        """See Receiver."""
        if (sink := self.sink) is not None:
            sink.inputs += ((sink.take_room, ()),)
            sink.work()
        if self.watchers:
            self.watchers.wake()

    def on_status(
        self, old: ConnectionState, new: ConnectionState, info: ConnectionInfo, time_us: int, backlog: Backlog
    ) -> None:
        """See Receiver."""
        connection = self.connection
        change = StatusChanged(connection, old, new, info, time_us)
        end = change.end
        is_established = self.is_established or (new == ConnectionState.CONNECTED and not self.is_closed_here)
        # Stopped, or the listen socket was closed: the handle is dead.
        is_closed_here = self.is_closed_here or (end is not None and new == ConnectionState.NONE)
        events, sink = self.events, self.sink
        if end is not None:
            with self._closing:
                self.end = end
        self.last_info = info  # one step
        self.is_established = is_established
        self.is_closed_here = is_closed_here
        if events is not None and connection is not None:
            events += (change,)
        if sink is not None and end is not None:
            sink.inputs += ((sink.take_end, (end,)),)
            self.sink = None
        if self._on_status_changed is not None and connection is not None:
            self.mailbox.changes += ((self, change),)
        del backlog[0]
        if end is not None:
            self.mailbox.remove(self.handle)
            if sink is not None:
                sink.work()
        for tasks in (self.watchers, self.readers):
            if tasks:
                tasks.wake()

    def on_send_failed(self, number: int, result: Result) -> None:
        """See Receiver."""
        if self.events is not None:
            self.events.append(SendFailed(self.connection, number, result))
        else:
            _log.warning("%r: GNS refused message %d: %s", self, number, result)

    def notify(self, change: StatusChanged[Any] | RouteChanged[Any]) -> None:
        """See Receiver."""
        callback: Callable[[Any], object] | None = self._on_status_changed
        name = "on_status_changed"
        if isinstance(change, RouteChanged):
            callback = None if self._rendezvous is None else self._rendezvous.on_route_changed
            name = "on_route_changed"
        if callback is None:
            return
        try:
            callback(change)
        except NeverRunError:
            if not self.is_closed_here:
                _log.exception("%s failed for %r", name, self)
                self.close(EndReason.INTERNAL_ERROR, "an exception was raised")
        except Exception:
            _log.exception("%s failed for %r", name, self)


def _drop(message: Message, lane: int, number: int, backlog: Backlog) -> None:  # noqa: ARG001 - there is no session
    del backlog[0]
