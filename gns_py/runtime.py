"""The process-wide life cycle of GNS, and the mailboxes that events come out of.

GNS runs once in a process, under one identity; it starts by itself at the first use, and stops when the interpreter
exits or by stop(). A native thread, the pump, serves the network however long Python is busy; no Python code ever runs
on it.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from . import _native
from ._log import dispatch_logs as dispatch_logs
from .config import Config, OptionValue
from .enums import ConfigScope, ConfigValue, ConnectionState, Result
from .errors import ConcurrencyError, ForkedError, GNSError, NotRunningError
from .identity import Identity
from .message import Message, MessageView

if TYPE_CHECKING:
    from .endpoint import Endpoint
    from .listener import Listener

T = TypeVar("T")

_log = logging.getLogger("gns_py")
# What a waiting main thread may take to notice Ctrl-C: the native wait does not hear of signals.
_SIGNAL_SLICE = 0.1
_EXIT_LINGER = 5.0
_LONGEST_LINGER = 1e9
_LINGER_SLICE = 0.005


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
        # Once per process, however often it is started: registering again would only run it twice.
        atexit.unregister(_at_exit)
        atexit.register(_at_exit)


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


def identity() -> Identity:
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


def take(waiting: deque[T], limit: int | None = None) -> list[T]:
    """What waits, at most limit. Other threads may add to it, or clear it, at the same time."""
    taken: list[T] = []
    with contextlib.suppress(IndexError):
        for _ in range(min(len(waiting), limit or len(waiting))):
            taken.append(waiting.popleft())  # noqa: PERF401 - what was taken must not be lost with the exception
    return taken


def take_wanted(waiting: deque[T], wanted: Callable[[T], bool], limit: int | None = None) -> list[T]:
    """Moves out what is wanted, at most limit; the rest stays, in its order. Other threads may add to it meanwhile."""
    taken: list[T] = []
    passed: list[T] = []
    with contextlib.suppress(IndexError):  # two readers: one of them gets a ConcurrencyError soon
        for _ in range(len(waiting)):
            if limit is not None and len(taken) == limit:
                break
            each = waiting.popleft()
            (taken if wanted(each) else passed).append(each)
    waiting.extendleft(reversed(passed))
    return taken


class Mailbox:
    """Where the events of one reader wait: those of its connections and listen sockets.

    The only place where events leave the native core. One thread reads at a time; a second one gets ConcurrencyError.
    """

    def __init__(self) -> None:
        ensure_started()
        self._reader = _native.MailboxReader()
        self._reading = threading.Lock()  # whoever waits for events
        self._dispatching = threading.Lock()  # whoever hands them out, the reader or for a moment another thread
        self._dispatcher = 0  # that other thread
        self._endpoints: dict[int, weakref.ref[Endpoint]] = {}
        self._listeners: dict[int, weakref.ref[Listener[Any]]] = {}
        self._backlog: deque[_native.Record] = deque()
        self._woken = False
        self.events: deque[Any] = deque()
        """What poll() has not handed out yet."""

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
        return self._reading.locked()

    def add(self, endpoint: Endpoint) -> None:
        """From now on the endpoint gets its events, as long as somebody else keeps it alive."""
        self._endpoints[endpoint.handle] = weakref.ref(endpoint)

    def remove(self, handle: int) -> None:
        """The endpoint gets no more events."""
        self._endpoints.pop(handle, None)

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
        if not self._reading.acquire(blocking=False):
            self._refuse_reader()
        try:
            self._begin_dispatching()
            try:
                return self._receive(timeout)
            finally:
                self._dispatching.release()
        finally:
            self._reading.release()

    def _begin_dispatching(self) -> None:
        """As the reader."""
        if not self._dispatching.acquire(blocking=False):
            if self._dispatcher == threading.get_ident():  # a callback of this thread's own close()
                self._refuse_reader()
            _native.is_running()
            self._dispatching.acquire()  # receive_if_idle() elsewhere: it does not wait

    def receive_if_idle(self, until: Callable[[], object] | None = None) -> None:
        """Hands out what waits, unless a thread is reading: then that one does. Nothing, if GNS does not run here.

        until: goes on, batch after batch, until that is true or nothing waits any more.
        """
        if self._dispatching.acquire(blocking=False):
            self._dispatcher = threading.get_ident()
            try:
                with contextlib.suppress(NotRunningError, ForkedError):
                    while self._receive(0.0) and until is not None and not until():
                        pass
                    self._on_taken_over()
            finally:
                self._dispatcher = 0
                self._dispatching.release()

    def _on_taken_over(self) -> None:
        """Somebody has handed out what a reader that is about to wait may be waiting for."""
        self.wake()

    def move_here(self, endpoint: Endpoint, events: deque[Any] | None) -> None:
        """Takes an endpoint over from its mailbox, with what waits there; its events go to ``events`` from now on.

        ConcurrencyError if that mailbox is being read.
        """
        source = endpoint._mailbox
        if not source._reading.acquire(blocking=False):
            self._refuse_reader()
        try:
            source._begin_dispatching()
            try:
                source._dispatch()  # what an interrupted reader has left
                endpoint._collect(events)
                self.add(endpoint)  # first: a reader here may get its events at once
                endpoint._check(_native.move(endpoint.handle, self.handle))
                source.remove(endpoint.handle)
                endpoint._mailbox = self
            finally:
                source._dispatching.release()
        finally:
            source._reading.release()

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
        backlog = self._backlog
        known = self._endpoints
        reader = self._reader
        payloads = reader.payloads
        new = tuple.__new__  # what Message() ends in, without a call on the way
        event_message, event_data = _native.EVENT_MESSAGE, _native.EVENT_DATA
        handle = 0
        endpoint: Endpoint | None = None
        while backlog:
            connection, number, when, offset, size, kind, old_state, new_state, code, lane, flags = backlog[0]
            if connection != handle:
                handle = connection
                get = known.get(connection)
                endpoint = get() if get else None
            if kind == event_message:
                if endpoint is not None:
                    if endpoint._views:
                        view = reader.lend(offset, size)
                        endpoint._on_message(MessageView(view, number, lane, flags != 0, when))
                    else:
                        data = payloads[offset : offset + size]
                        endpoint._on_message(new(Message, (data, number, lane, flags != 0, when)))
            elif kind == event_data:
                if endpoint is not None and (sink := endpoint._sink) is not None:
                    data = payloads[offset : offset + size]
                    sink._on_data(new(Message, (data, number, lane, flags != 0, when)))
            elif kind == _native.EVENT_DUE_DATA:
                if endpoint is not None and (sink := endpoint._sink) is not None:
                    data = payloads[offset : offset + size]
                    sink._on_due_data(Message(data, number, lane, True, when))
            elif kind == _native.EVENT_STATUS:
                info, listen_socket = _native.read_info(payloads[offset : offset + size])
                if endpoint is not None:
                    endpoint._on_status(ConnectionState(old_state), ConnectionState(new_state), info, when)
                elif old_state == ConnectionState.NONE:
                    get_listener = self._listeners.get(listen_socket)
                    listener = get_listener() if get_listener else None
                    endpoint = listener._add_inbound(connection, info, when) if listener else None
                else:
                    known.pop(connection, None)  # its owner has forgotten it
            elif kind == _native.EVENT_PONG:
                if endpoint is not None:
                    endpoint._on_pong(number / 1e6)
            elif kind == _native.EVENT_DRAINED:
                if endpoint is not None:
                    endpoint._on_drained()
            elif kind == _native.EVENT_SEND_FAILED and endpoint is not None:
                endpoint._on_send_failed(number, Result(-code))
            backlog.popleft()
