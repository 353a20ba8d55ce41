"""The process-wide life cycle of GNS, and the mailboxes that events come out of.

GNS runs once in a process, under one identity; it starts by itself at the first use, and stops when the interpreter
exits or by stop(). A native thread, the pump, serves the network however long Python is busy; no Python code ever runs
on it.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import traceback
import weakref
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from .. import _native
from .._generated.enums import ConfigScope, ConfigValue, ConnectionState, EndReason, Result
from .._uncopyable import Uncopyable
from ..config import Config, OptionValue
from ..errors import ConcurrencyError, ForkedError, GNSError, NotRunningError
from ..events import StatusChanged
from ..identity import Identity
from ..message import Message, MessageView
from ..stats import ConnectionInfo
from . import greenlets
from .log import dispatch_logs as dispatch_logs
from .process_exit import at_process_exit

if TYPE_CHECKING:
    from .endpoint import Endpoint, Sink
    from .listener import Listener

T = TypeVar("T")

_log = logging.getLogger("gns_py")
# What a waiting main thread may take to notice Ctrl-C: the native wait does not hear of signals.
_SIGNAL_SLICE = 0.1
_EXIT_LINGER = 5.0
_LONGEST_LINGER = 1e9
_LINGER_SLICE = 0.005
# How long a reader sleeps, again and again, while another thread hands out what has come.
_TURN_SLICE = 0.002
# What a mailbox's turn is while nobody has it.
_FREE = (None,)
_NEVER: Any = object()
# Whose code runs while an event is dealt with, but for callbacks.
_OWN_MODULES = frozenset({__package__, "enum", "ipaddress"})


def start(identity: Identity | str | None = None) -> None:
    """Starts GNS. Not needed, except to say who this process is: the first use starts it under no identity.

    identity: what peers see, in GNS's text form if it is a str ("str:alice"). They cannot verify it.
    Errors: ValueError (no identity), InvalidStateError (already started under another one), InitializationError,
    ForkedError. Any thread; takes some milliseconds. Native: GameNetworkingSockets_Init.
    """
    if identity is None:
        text = ""
    elif isinstance(identity, Identity | str):
        text = str(identity if isinstance(identity, Identity) else Identity.parse(identity))
    else:
        raise TypeError(f"identity must be an Identity or a str, not {type(identity).__name__}")
    if _native.start(text):
        at_process_exit(_at_exit)


def stop(linger: float = _EXIT_LINGER) -> None:
    """Ends everything: open connections end with SHUTDOWN (2999), which their peers are told at once.

    linger: seconds to wait at most for what already closed connections still have to deliver.
    Calls that wait elsewhere end with an exception; a new start() may follow. Does nothing if nothing runs. Ctrl-C ends
    the wait, and then nothing is stopped.
    Errors: TypeError, ValueError, ForkedError. Any thread. Native: GameNetworkingSockets_Kill.
    """
    if not isinstance(linger, int | float) or isinstance(linger, bool):
        raise TypeError(f"linger must be seconds, not {type(linger).__name__}")
    if not linger >= 0:  # not a number is not, either
        raise ValueError(f"linger is {linger}: it must not be negative")
    end = time.monotonic() + min(linger, _LONGEST_LINGER)
    while time.monotonic() < end and _native.is_lingering():
        time.sleep(_LINGER_SLICE)  # here, where it hears of Ctrl-C, and not in the native call
    _native.stop(int(max(0.0, end - time.monotonic()) * 1e6))
    dispatch_logs()


def is_running() -> bool:
    """Whether GNS runs in this process. Raises ForkedError in a forked child of a process where it ran."""
    return _native.is_running()


def ensure_started() -> None:
    """Starts GNS if nobody has."""
    if not _native.is_running():
        start()


def local_identity() -> Identity:
    """Who this process is for its peers. Native: GetIdentity."""
    ensure_started()
    return Identity.parse(_native.identity())


def time_us() -> int:
    """GNS's clock, microseconds, monotonic from an arbitrary point: the base of all ..._us times."""
    return _native.time_us()


def set_config(config: Config) -> None:
    """Sets options for the whole process: the defaults of all connections, and the process-wide ones (fake_...).

    They stay set over stop() and start(). Errors: ConfigError. Native: SetConfigValue at the global scope.
    """
    ensure_started()
    _native.check(_native.set_options(ConfigScope.GLOBAL, 0, config))


def get_config(option: ConfigValue) -> OptionValue:
    """The process-wide value of an option. Errors: ConfigError. Native: GetConfigValue."""
    ensure_started()
    result, value = _native.get_option(ConfigScope.GLOBAL, 0, option)
    _native.check(result)
    return value


def list_config() -> dict[ConfigValue, OptionValue]:
    """Every option that this build has, with its process-wide value. Native: GetConfigValueInfo, GetConfigValue."""
    ensure_started()
    return {option: get_config(option) for option in ConfigValue if _native.has_option(option)}


def reset_config(*options: ConfigValue) -> None:
    """Back to GNS's default: these options, or without any every option that can be set process-wide.

    Errors: ConfigError. Native: SetConfigValue.
    """
    ensure_started()
    settable = Config.__dataclass_fields__
    for option in options or [each for each in list_config() if each.option_name in settable]:
        _native.check(_native.reset_option(ConfigScope.GLOBAL, 0, option))


def _at_exit() -> None:
    try:
        try:
            stop()
        except KeyboardInterrupt:
            stop(linger=0)
    except Exception:  # the interpreter goes away: nobody is left to handle it
        _log.debug("stopping at exit failed", exc_info=True)


def wait(native: Callable[[int], int], timeout: float | None) -> int:
    """Has a native function wait: calls native(microseconds) until its result is not 0, or for timeout seconds.

    None: no limit. Returns the result. In the main thread it looks for signals ten times a second.
    """
    if timeout != 0.0 and (sleep := greenlets.cooperative_sleep()) is not None:
        result = greenlets.wait(native, timeout, sleep)
        dispatch_logs()
        return result
    if timeout is None or timeout > _SIGNAL_SLICE:
        if threading.get_ident() != threading.main_thread().ident:
            return native(-1 if timeout is None else int(timeout * 1e6))
        deadline = None if timeout is None else time.monotonic() + timeout
        while timeout is None or timeout > _SIGNAL_SLICE:
            result = native(int(_SIGNAL_SLICE * 1e6))
            if result:
                return result
            dispatch_logs()
            timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
    return native(int(timeout * 1e6))


# A signal's handler, and another thread, get their turn at calls, at the start of functions and at the end of a loop's
# round, and only there. So statements in a row that have none of these are one step: whatever a handler raises, either
# all of them have been carried out or none. Several places below, and the inboxes, rest on it: "one step" marks them.


def take(waiting: deque[T], limit: int | None = None) -> list[T]:
    """Take what waits, at most limit, oldest first. Other threads may add to it, or clear it, at the same time.

    An exception out of a signal's handler leaves everything where it was.
    """
    taken: list[T] = []
    try:
        with contextlib.suppress(IndexError):  # cleared meanwhile
            taken.extend(islice(iter(waiting.popleft, _NEVER), min(len(waiting), limit or len(waiting))))  # one step
        return taken
    except BaseException:
        waiting.extendleft(reversed(taken))
        raise


def take_wanted(waiting: deque[T], wanted: Callable[[T], bool], limit: int | None = None) -> list[T]:
    """Take what is wanted, at most limit; the rest stays, in its order. Otherwise as take()."""
    taken: list[T] = []
    index = 0
    try:
        while index < len(waiting) and len(taken) != limit:
            if wanted(waiting[index]):
                taken += (waiting[index],)  # one step with the next
                del waiting[index]
            else:
                index += 1
        return taken
    except IndexError:  # cleared meanwhile
        return taken
    except BaseException:
        waiting.extendleft(reversed(taken))
        raise


def _is_own_fault(error: BaseException) -> bool:
    """Whether an exception comes from the package's own code, and not from a signal's handler that ran within it."""
    if not isinstance(error, Exception):
        return False
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return isinstance(error, MemoryError) or frames[-1].f_globals.get("__name__", "").split(".")[0] in _OWN_MODULES


class Mailbox(Uncopyable):
    """Where the events of one reader wait: those of its connections and listen sockets.

    The only place where events leave the native core. One thread reads at a time; a second one gets ConcurrencyError.
    """

    def __init__(self) -> None:
        ensure_started()
        self._reader = _native.MailboxReader()
        # Two turns, each a list that is empty while a thread has it. Taken and given back in one step, unlike a lock,
        # so that no signal's exception can leave one taken.
        self._reading: list[None] = [None]  # of the thread that waits for events
        self._dispatching: list[None] = [None]  # of the thread that hands them out, the reader or for a moment another
        self._dispatcher = 0  # that other thread
        self._is_asked = False  # to hand out, by a thread that found the turn taken and does not wait
        self._endpoints: dict[int, weakref.ref[Endpoint]] = {}
        self._listeners: dict[int, weakref.ref[Listener[Any]]] = {}
        self._backlog: deque[_native.Record] = deque()
        self._woken = False
        self.events: deque[Any] = deque()
        """What poll() has not handed out yet."""
        self.changes: deque[tuple[Endpoint, StatusChanged[Any]]] = deque()
        """What callbacks are to be told."""

    def __del__(self) -> None:
        reader = getattr(self, "_reader", None)  # missing if the constructor failed
        if reader is not None:
            reader.destroy()

    @property
    def handle(self) -> int:
        """The core's."""
        return self._reader.handle

    @property
    def is_read(self) -> bool:
        """Whether a thread waits for events, or hands some out."""
        return not self._reading

    def add(self, endpoint: Endpoint) -> None:
        """From now on the endpoint gets its events, as long as somebody else keeps it alive."""
        self._endpoints[endpoint.handle] = weakref.ref(endpoint)

    def remove(self, handle: int) -> None:
        """The endpoint gets no more events."""
        self._endpoints.pop(handle, None)

    def forget(self, handle: int) -> None:
        """The endpoint is gone, and nobody has closed it: at any moment, in any thread. Its last event is to come."""

    def add_listener(self, handle: int, listener: Listener[Any]) -> None:
        """From now on the listener gets the connections that come in there, as long as somebody else keeps it alive."""
        self._listeners[handle] = weakref.ref(listener)

    def remove_listener(self, handle: int) -> None:
        """The listener gets no more connections: those that are on their way are the core's to close."""
        self._listeners.pop(handle, None)

    def forget_listener(self, handle: int) -> None:
        """remove_listener() for a listener that nobody has closed: at any moment, in any thread."""
        self._listeners.pop(handle, None)
        with contextlib.suppress(GNSError):
            self.wake()

    def wake(self) -> None:
        """Makes a waiting receive() return."""
        self._woken = True  # first: the native wait may be over, and its caller about to look
        self._reader.wake()

    def receive(self, timeout: float | None) -> bool:
        """Waits up to timeout seconds (None: no limit) for events and hands them to their endpoints.

        False if none came.
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
                return self._receive(timeout)
            finally:
                self._dispatching[:] = _FREE
        finally:
            self._reading[:] = _FREE
            if self._is_asked:
                self.receive_if_idle()

    def _wait_for_dispatcher(self) -> None:
        """Wait, as the reader, while another thread hands out what has come."""
        if self._dispatcher == threading.get_ident():  # a callback of this thread's own close()
            self._refuse_reader()
        _native.is_running()  # in a forked child that thread does not exist
        time.sleep(_TURN_SLICE)

    def receive_if_idle(self, until: Callable[[], object] | None = None) -> None:
        """Hands out what waits, unless a thread is reading: then that one does, before it leaves.

        Nothing, if GNS does not run here.
        until: goes on, batch after batch, until that is true or nothing waits any more.
        """
        while True:
            try:
                del self._dispatching[0]
                break
            except IndexError:
                self._is_asked = True  # first: whoever has the turn looks when giving it back
                if not self._dispatching:
                    return
        self._is_asked = False
        try:
            self._dispatcher = threading.get_ident()
            with contextlib.suppress(NotRunningError, ForkedError):
                while self._receive(0.0) and until is not None and not until():
                    pass
                self._on_taken_over()
        finally:
            self._dispatcher = 0
            self._dispatching[:] = _FREE
            if self._is_asked:
                self.receive_if_idle()

    def _on_taken_over(self) -> None:
        """Somebody has handed out what a reader that is about to wait may be waiting for."""
        self.wake()

    def move_here(self, endpoint: Endpoint, events: deque[Any] | None) -> None:
        """Takes an endpoint over from its mailbox, with what waits there; its events go to ``events`` from now on.

        ConcurrencyError if that mailbox is being read.
        """
        source = endpoint._mailbox
        try:
            del source._reading[0]
        except IndexError:
            self._refuse_reader()
        try:
            while True:
                try:
                    del source._dispatching[0]
                    break
                except IndexError:
                    source._wait_for_dispatcher()
            try:
                source._dispatch()  # what an interrupted reader has left
                endpoint._collect(events)
                self.add(endpoint)  # first: a reader here may get its events at once
                endpoint._check(_native.move(endpoint.handle, self.handle))
                source.remove(endpoint.handle)
                endpoint._mailbox = self
            finally:
                source._dispatching[:] = _FREE
        finally:
            source._reading[:] = _FREE

    @staticmethod
    def _refuse_reader() -> NoReturn:
        _native.is_running()  # in a forked child the lock's holder does not exist: that is the error then
        raise ConcurrencyError("two threads read the same connection or listen socket at once")

    def _receive(self, timeout: float | None) -> bool:
        reader = self._reader
        if not self._backlog:
            if not (reader.fresh and reader.events):  # else a signal's exception came between the native call and us
                wait(lambda limit: reader.receive(limit) or self._woken, timeout)
                self._woken = False
                if not reader.events:
                    return False
            backlog = reader.records()
            self._backlog = backlog  # these two in one go: no signal is looked at between assignments
            reader.fresh = False
        self._dispatch()
        if reader.logs:
            dispatch_logs()
        return True

    def _dispatch(self) -> None:
        """Hand out the backlog. A record leaves it in one step with its arrival, or before it is dealt with."""
        while self._backlog:
            self._dispatch_or_give_up()

    def _dispatch_or_give_up(self) -> None:
        try:
            self._dispatch_all()
        except BaseException as error:
            if not self._backlog or not _is_own_fault(error):
                raise  # a signal's: the next reader goes on where this one was
            handle = self._backlog[0][0]
            del self._backlog[0]
            self._give_up(handle, error)

    def _dispatch_all(self) -> None:
        backlog = self._backlog
        known = self._endpoints
        reader = self._reader
        payloads = reader.payloads
        new = tuple.__new__  # what Message() ends in, without a call on the way
        event_message, event_data = _native.EVENT_MESSAGE, _native.EVENT_DATA
        handle = 0
        endpoint: Endpoint | None = None
        if self.changes:
            self._tell_changes()
        while backlog:
            connection, number, when, offset, size, kind, old_state, new_state, code, lane, flags = backlog[0]
            if connection != handle:
                handle = connection
                get = known.get(connection)
                endpoint = get() if get else None
            if endpoint is None:
                if kind == _native.EVENT_STATUS:
                    info, listen_socket = _native.read_info(payloads[offset : offset + size])
                    del backlog[0]
                    if old_state == ConnectionState.NONE:
                        endpoint = self._add_inbound(connection, listen_socket, info, when)
                        self._tell_changes()
                    else:
                        known.pop(connection, None)  # its owner has forgotten it
                else:
                    del backlog[0]
            elif kind == event_message:
                if endpoint._views:
                    view = MessageView(reader.lend(offset, size), number, lane, flags != 0, when)
                    endpoint._on_message(view, backlog)
                else:
                    data = payloads[offset : offset + size]
                    endpoint._on_message(new(Message, (data, number, lane, flags != 0, when)), backlog)
                if endpoint._readers:
                    endpoint._readers.wake()
            elif kind == event_data:
                sink = endpoint._sink
                if sink is not None and flags and not sink.inputs and not sink.engine.watches_data:
                    message = new(Message, (payloads[offset : offset + size], number, lane, True, when))
                    data = sink.data
                    data += (message,)  # one step
                    sink.received[lane] = number
                    del backlog[0]
                    if sink.readers:
                        sink.wake()
                else:
                    message = new(Message, (payloads[offset : offset + size], number, lane, flags != 0, when))
                    self._dispatch_data(sink, message, is_due=False)
            elif kind == _native.EVENT_DUE_DATA:
                message = new(Message, (payloads[offset : offset + size], number, lane, True, when))
                self._dispatch_data(endpoint._sink, message, is_due=True)
            elif kind == _native.EVENT_STATUS:
                info, _ = _native.read_info(payloads[offset : offset + size])
                change = StatusChanged(endpoint, ConnectionState(old_state), ConnectionState(new_state), info, when)
                endpoint._on_status(change, backlog)
                if self.changes:
                    self._tell_changes()
            else:
                del backlog[0]
                if kind == _native.EVENT_PONG:
                    endpoint._on_pong(number / 1e6)
                elif kind == _native.EVENT_DRAINED:
                    endpoint._on_drained()
                elif kind == _native.EVENT_SEND_FAILED:
                    endpoint._on_send_failed(number, Result(-code))

    def _dispatch_data(self, sink: Sink | None, message: Message, *, is_due: bool) -> None:
        """Hand out the first of the backlog, which is DATA or UNTRACKED."""
        if sink is None:
            del self._backlog[0]
        elif sink.engine.watches_data or sink.inputs:
            sink.inputs += ((sink.take_data, (message, is_due)),)  # one step
            del self._backlog[0]
            sink.work()
        elif message.reliable:
            arrival = sink.mark_due(message) if is_due else message
            lane, number = message.lane, message.number
            sink.data += (arrival,)  # one step
            sink.received[lane] = number
            del self._backlog[0]
            if sink.readers:
                sink.wake()
        else:
            del self._backlog[0]
            sink.put_unreliable(message)
            if sink.readers:
                sink.wake()

    def _tell_changes(self) -> None:
        """Call the callbacks of what has changed."""
        while self.changes:
            endpoint, change = self.changes[0]  # one step
            del self.changes[0]
            endpoint._notify(change)

    def _add_inbound(self, handle: int, listen_socket: int, info: ConnectionInfo, time_us: int) -> Endpoint | None:
        get = self._listeners.get(listen_socket)
        listener = get() if get else None
        if listener is None:
            return None
        inbound: Endpoint | None = None
        try:
            inbound = listener._add_inbound(handle, info, time_us)
        except Exception as error:
            self._give_up(handle, error)
        return inbound

    def _give_up(self, handle: int, error: BaseException) -> None:
        """End a connection of which an event cannot be dealt with."""
        get = self._endpoints.get(handle)
        endpoint = get() if get else None
        about = "a connection that came in" if endpoint is None else repr(endpoint)
        _log.error("%s is closed: what has happened to it cannot be dealt with", about, exc_info=error)
        if endpoint is not None:
            endpoint._close(EndReason.INTERNAL_ERROR, "an event could not be dealt with", linger=False)
        else:
            _native.close(handle, EndReason.INTERNAL_ERROR, b"", False)
