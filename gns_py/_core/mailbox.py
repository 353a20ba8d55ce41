"""Mailboxes: where the events of one reader wait, and the only place where events leave the native core."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from .. import _native
from .._generated.enums import ConnectionState, EndReason, Result
from .._uncopyable import Uncopyable
from ..errors import ConcurrencyError, ForkedError, GNSError, NotRunningError
from ..message import Message, MessageView
from ..route import Route
from ..stats import ConnectionInfo
from . import greenlets
from .log import dispatch_logs
from .own_faults import is_own_fault
from .receiver import Acceptor, Backlog, Notified, Receiver, Sender
from .runtime import ensure_started
from .waiting import wait

R = TypeVar("R")

_log = logging.getLogger("gns_py")
# How long a reader sleeps, again and again, while another thread dispatches.
_TURN_SLICE = 0.002
# Close at hand, for each message.
_MESSAGE, _ACK_DUE_DATA = _native.EVENT_MESSAGE, _native.EVENT_ACK_DUE_DATA
_MESSAGES = frozenset({_MESSAGE, _ACK_DUE_DATA, _native.EVENT_DATA})
_new: Callable[..., Any] = tuple.__new__  # what Message() ends in, without a call on the way
# The value of a mailbox's turn that no thread has.
_FREE = (None,)


class Mailbox(Uncopyable):
    """Where the events of one reader wait: those of its connections and listen sockets.

    One thread reads at a time; a second one gets ConcurrencyError.
    """

    def __init__(self) -> None:
        ensure_started()
        self._reader = _native.MailboxReader()
        # Two turns, each a list that is empty while a thread has it. They are taken and given back in one step, unlike
        # a lock, so that no signal handler's exception can leave one taken.
        self._reading: list[None] = [None]  # of the thread that waits for events
        self._dispatching: list[None] = [None]  # of the thread that dispatches: the reader, or for a moment another
        self._dispatcher = 0  # that other thread
        self._is_asked = False  # to dispatch, by a thread that found the turn taken and does not wait
        self._receivers: dict[int, weakref.ref[Receiver]] = {}
        self._acceptors: dict[int, weakref.ref[Acceptor]] = {}
        self._senders: weakref.WeakValueDictionary[int, Sender] = weakref.WeakValueDictionary()
        self._backlog: Backlog = deque()
        self._woken = False
        self.is_stopped = False
        """True once a thread that does not wait has found that GNS was stopped."""
        self._is_cooperative = greenlets.may_be()
        self.counts_until_handled = False  # see _native.handled()
        self.events: deque[Any] = deque()
        """Events that poll() has not returned yet."""
        self.changes: deque[tuple[Notified, Any]] = deque()
        """Changes whose callbacks have not been called yet."""

    def __del__(self) -> None:
        reader = getattr(self, "_reader", None)  # missing if the constructor failed
        if reader is not None:
            reader.destroy()

    @property
    def handle(self) -> int:
        """The core's handle of this mailbox."""
        return self._reader.handle

    @property
    def is_read(self) -> bool:
        """True while a thread waits for events or dispatches some."""
        return not self._reading

    def add(self, receiver: Receiver) -> None:
        """Dispatch a connection's events to its receiver from now on, for as long as something else keeps it alive."""
        self._receivers[receiver.handle] = weakref.ref(receiver)

    def remove(self, handle: int) -> None:
        """Stop dispatching a connection's events."""
        self._receivers.pop(handle, None)

    def forget(self, handle: int) -> None:
        """Note that a receiver is gone without having been closed: its last event is still to arrive.

        Called at any moment, on any thread.
        """

    def add_acceptor(self, handle: int, acceptor: Acceptor) -> None:
        """Dispatch a listen socket's inbound connections, for as long as something else keeps the acceptor alive."""
        self._acceptors[handle] = weakref.ref(acceptor)

    def remove_acceptor(self, handle: int) -> None:
        """Stop dispatching inbound connections: the core closes those that are still on their way."""
        self._acceptors.pop(handle, None)

    def forget_acceptor(self, handle: int) -> None:
        """Remove an acceptor that is gone without having been closed. Called at any moment, on any thread."""
        self._acceptors.pop(handle, None)
        with contextlib.suppress(GNSError):
            self.wake()

    def add_sender(self, handle: int, sender: Sender) -> None:
        """Dispatch the signals of a signalling, for as long as something else keeps the sender alive."""
        self._senders[handle] = sender

    def remove_sender(self, handle: int) -> None:
        """Stop dispatching signals."""
        self._senders.pop(handle, None)

    def announce(self, notified: Notified, change: object) -> None:
        """Make the thread that reads call a callback. Any thread."""
        self.changes += ((notified, change),)
        self.wake()

    def wake(self) -> None:
        """Make a waiting receive() return. Any thread."""
        self._woken = True  # first: the native wait may be over, and its caller about to look
        self._reader.wake()

    def receive(self, timeout: float | None) -> bool:
        """Wait for events and dispatch them.

        Args:
            timeout: Seconds, or None for no limit.

        Returns:
            True if any arrived.

        Raises:
            ConcurrencyError: Another thread is reading.
            NotRunningError: GNS was stopped.
            ForkedError: This process is a fork.
        """
        return self.as_reader(self._receive, timeout)

    def receive_data(self, receiver: Receiver) -> bytes | None:
        """Wait for one message of a connection and return its data: what receive() does in most cases, in a few steps.

        It shares lines, not a function, with receive_event(): each call costs microseconds after a sleep.

        Returns None in all other cases, after SIGNAL_SLICE at the latest: receive() is to do it.

        Args:
            receiver: The connection. It is read here, its messages are not framed, and none is waiting.
        """
        reader, reading, dispatching = self._reader, self._reading, self._dispatching
        if (
            reader.fresh
            or self._is_cooperative
            or self._backlog
            or self.changes
            or reader.is_lent
            or not (reading and dispatching)
        ):
            return None
        del reading[0]
        del dispatching[0]  # one step with the check
        try:
            reader.fresh = True
            count = reader.receive_one()
            if count != 1:
                reader.fresh = count != 0
                return None
            record = reader.record()
            if record[5] != _MESSAGE or record[0] != receiver.handle or receiver.is_closed_here or receiver.diversion:
                return None
            offset = record[3]
            data: bytes = reader.payloads[offset : offset + record[4]]
            if self._is_asked:  # that comes before the return, so the two are not one step
                return None
            reader.fresh = False  # one step, as far as the caller's return
            return data
        finally:
            dispatching[:] = _FREE
            reading[:] = _FREE
            if self._is_asked:
                self.receive_if_idle()

    def receive_event(self, wait: bool) -> bool:
        """Receive one event and dispatch it: what receive() does in most cases, in a few steps.

        Args:
            wait: Whether to wait for it, for as long as SIGNAL_SLICE.

        Returns:
            False if receive() is to do it, for whatever reason.
        """
        reader, reading, dispatching = self._reader, self._reading, self._dispatching
        if (
            reader.fresh
            or self._is_cooperative
            or self._backlog
            or self.changes
            or reader.is_lent
            or not (reading and dispatching)
        ):
            return False
        del reading[0]
        del dispatching[0]  # one step with the check
        try:
            reader.fresh = True
            count = reader.receive_one() if wait else reader.receive_one_now()
            if count != 1:
                reader.fresh = count != 0
                return count == 0 and not wait
            connection, number, when, offset, size, kind, _, _, _, lane, flags = record = reader.record()
            get = self._receivers.get(connection)
            receiver = get() if get else None
            if receiver is None or kind not in _MESSAGES or receiver.takes_views:
                return False
            data = reader.payloads[offset : offset + size]
            backlog = self._backlog
            backlog += (record,)
            reader.fresh = False  # one step with the line before
            try:
                if kind == _MESSAGE:
                    receiver.on_message(_new(Message, (data, number, lane, flags != 0, when)), backlog)
                elif kind == _ACK_DUE_DATA:
                    receiver.on_ack_due_data(_new(Message, (data, number, lane, True, when)), lane, number, backlog)
                elif flags:
                    receiver.on_data(_new(Message, (data, number, lane, True, when)), lane, number, backlog)
                else:
                    receiver.on_untracked(_new(Message, (data, number, lane, False, when)), lane, number, backlog)
            except BaseException as error:
                self._give_up_or_raise(error)
            return True
        finally:
            dispatching[:] = _FREE
            reading[:] = _FREE
            if self._is_asked:
                self.receive_if_idle()

    def as_reader(self, function: Callable[..., R], *arguments: object) -> R:
        """Call a function as the one thread that reads and dispatches, and return its result.

        Raises:
            ConcurrencyError: Another thread is reading.
        """
        try:
            del self._reading[0]
        except IndexError:
            self._refuse_reader()
        try:
            while True:
                try:
                    del self._dispatching[0]
                    break
                except IndexError:
                    self._wait_for_dispatcher()
            try:
                return function(*arguments)
            finally:
                self._dispatching[:] = _FREE
        finally:
            self._reading[:] = _FREE
            if self._is_asked:
                self.receive_if_idle()

    def _wait_for_dispatcher(self) -> None:
        """Wait, as the reader, while another thread dispatches."""
        if self._dispatcher == threading.get_ident():  # in a callback of this thread's own close()
            self._refuse_reader()
        _native.is_running()  # raises in a forked child, where that thread does not exist
        time.sleep(_TURN_SLICE)

    def receive_if_idle(self, until: Callable[[], object] | None = None) -> None:
        """Dispatch pending events, unless a thread is reading: then that thread does it, before it leaves.

        Does nothing if GNS is not running in this process.

        Args:
            until: If given, dispatch batch after batch until it returns true or nothing is pending.
        """
        while True:
            try:
                del self._dispatching[0]
                break
            except IndexError:
                self._is_asked = True  # first: the thread that has the turn looks when it gives the turn back
                if not self._dispatching:
                    return
        self._is_asked = False
        try:
            self._dispatcher = threading.get_ident()
            while self._receive(0.0) and until is not None and not until():
                pass
            self._on_taken_over()
        except NotRunningError:
            self.is_stopped = True
        except ForkedError:
            pass
        finally:
            self._dispatcher = 0
            self._dispatching[:] = _FREE
            if self._is_asked:
                self.receive_if_idle()

    def _on_taken_over(self) -> None:
        """Wake a reader that is about to wait for what this thread has just dispatched."""
        self.wake()

    @staticmethod
    def _refuse_reader() -> NoReturn:
        _native.is_running()  # raises in a forked child, where the thread that has the turn does not exist
        raise ConcurrencyError("two threads read the same connection or listen socket at once")

    def _receive(self, timeout: float | None) -> bool:
        reader = self._reader
        if not self._backlog:
            if not (reader.fresh and reader.events):  # else a signal handler raised between the native call and here
                wait(lambda limit: reader.receive(limit) or self._woken, timeout)
                self._woken = False
                if not reader.events:
                    reader.fresh = False
                    if reader.logs:
                        dispatch_logs()
                    self._notify_all()  # what no event comes with
                    return False
            backlog = reader.records()
            self._backlog = backlog  # one step with the next
            reader.fresh = False
        self.dispatch()
        if reader.logs:
            dispatch_logs()
        reader.expect_more()
        return True

    def dispatch(self) -> None:
        """Dispatch the backlog, including records that an interrupted reader has left."""
        while self._backlog:
            self._dispatch_or_give_up()

    def _dispatch_or_give_up(self) -> None:
        try:
            self._dispatch_all()
        except BaseException as error:
            self._give_up_or_raise(error)

    def _give_up_or_raise(self, error: BaseException) -> None:
        if not self._backlog or not is_own_fault(error):
            raise error  # a signal handler's: the next reader goes on where this one was
        handle = self._backlog[0][0]
        del self._backlog[0]
        self._give_up(handle, error)

    def _dispatch_all(self) -> None:
        backlog = self._backlog
        known = self._receivers
        reader = self._reader
        payloads = reader.payloads
        new = _new
        event_message, event_data = _MESSAGE, _native.EVENT_DATA
        handle = 0
        receiver: Receiver | None = None
        if self.changes:
            self._notify_all()
        while backlog:
            connection, number, when, offset, size, kind, old_state, new_state, code, lane, flags = backlog[0]
            if connection != handle:
                handle = connection
                get = known.get(connection)
                receiver = get() if get else None
            if receiver is None:
                if kind == _native.EVENT_STATUS:
                    info, listen_socket = _native.read_info(payloads[offset : offset + size])
                    del backlog[0]
                    if old_state == ConnectionState.NONE:
                        receiver = self._add_inbound(connection, listen_socket, info, when)
                        self._notify_all()
                    else:
                        known.pop(connection, None)  # its owner has forgotten it
                elif kind == _native.EVENT_SIGNAL:
                    signal = payloads[offset : offset + size]
                    del backlog[0]
                    if (send := self._senders.get(connection)) is not None:
                        send.on_signal(signal)
                else:
                    del backlog[0]
            elif kind == event_message:
                if receiver.takes_views:
                    view = MessageView(reader.lend(offset, size), number, lane, flags != 0, when)
                    receiver.on_message(view, backlog)
                else:
                    data = payloads[offset : offset + size]
                    receiver.on_message(new(Message, (data, number, lane, flags != 0, when)), backlog)
            elif kind == event_data:
                data = payloads[offset : offset + size]
                if flags:
                    receiver.on_data(new(Message, (data, number, lane, True, when)), lane, number, backlog)
                else:
                    receiver.on_untracked(new(Message, (data, number, lane, False, when)), lane, number, backlog)
            elif kind == _native.EVENT_ACK_DUE_DATA:
                data = payloads[offset : offset + size]
                receiver.on_ack_due_data(new(Message, (data, number, lane, True, when)), lane, number, backlog)
            elif kind == _native.EVENT_STATUS:
                info, _ = _native.read_info(payloads[offset : offset + size])
                receiver.on_status(ConnectionState(old_state), ConnectionState(new_state), info, when, backlog)
                if self.changes:
                    self._notify_all()
            else:
                del backlog[0]
                if kind == _native.EVENT_ROUTE:
                    info, _ = _native.read_info(payloads[offset : offset + size])
                    receiver.on_route(Route(old_state), Route(new_state), info, when)
                elif kind == _native.EVENT_PONG:
                    receiver.on_pong(number / 1e6)
                elif kind == _native.EVENT_DRAINED:
                    receiver.on_room()
                elif kind == _native.EVENT_SEND_FAILED:
                    receiver.on_send_failed(number, Result(-code))

    def _notify_all(self) -> None:
        """Call the callbacks of everything that has changed."""
        while self.changes:
            receiver, change = self.changes[0]  # one step
            del self.changes[0]
            receiver.notify(change)

    def _add_inbound(self, handle: int, listen_socket: int, info: ConnectionInfo, time_us: int) -> Receiver | None:
        get = self._acceptors.get(listen_socket)
        acceptor = get() if get else None
        if acceptor is None:
            return None
        try:
            return acceptor.on_inbound(handle, info, time_us)
        except Exception as error:
            self._give_up(handle, error)
            return None

    def _give_up(self, handle: int, error: BaseException) -> None:
        """Close a connection whose event cannot be dispatched."""
        get = self._receivers.get(handle)
        receiver = get() if get else None
        about = "an inbound connection" if receiver is None else repr(receiver)
        _log.error("closing %s: one of its events could not be handled", about, exc_info=error)
        if receiver is not None:
            receiver.close(EndReason.INTERNAL_ERROR, "an event could not be handled", linger=False)
        else:
            _native.close(handle, EndReason.INTERNAL_ERROR, b"", False)
