"""The core's end of a signalling: it connects to peers, and listens to them. Nothing in here waits."""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from typing import NamedTuple

from .. import _native
from .._uncopyable import Uncopyable
from ..config import Config
from ..errors import GNSError, InvalidStateError
from ..identity import Identity
from .checks import check_int
from .mailbox import Mailbox
from .peers import MAX_VIRTUAL_PORT, PeerAddress, Policy, Rendezvous

_log = logging.getLogger("gns_py.p2p")
_MOST_WAITING = 64
"""How many signals wait to be sent: GNS repeats those that are dropped."""


class Outgoing(NamedTuple):
    """A signal that is to be sent."""

    to: Identity
    data: bytes


class SignallingEnd(Rendezvous, Uncopyable):
    """The core's end of a signalling. Its owner sends what is in ``outgoing``, and hands over what arrives."""

    def __init__(self) -> None:
        self.outgoing: deque[Outgoing] = deque(maxlen=_MOST_WAITING)
        self.servers = Config()
        """The options for the servers that help to find routes."""
        self._opened: tuple[Mailbox, int, Identity] | None = None
        self._is_closed = False
        self._has_refused = False

    def open(self, mailbox: Mailbox, identity: Identity) -> None:
        """Begin to take signals from the core.

        Args:
            mailbox: Where they leave it.
            identity: The identity by which others reach this end: that of the process.
        """
        handle = _native.create_signalling(mailbox.handle)
        self._opened = mailbox, handle, identity
        mailbox.add_sender(handle, self)

    @property
    def identity(self) -> Identity:
        """The identity by which others reach this end."""
        return self._handle_and_identity()[1]

    @property
    def is_open(self) -> bool:
        """True from open() to close(), or until GNS is stopped."""
        return self._opened is not None and not self._is_closed

    def check_entered(self) -> None:
        """See Rendezvous."""
        self._handle_and_identity()

    def _handle_and_identity(self) -> tuple[int, Identity]:
        if self._opened is None:
            raise InvalidStateError("the peer is not open: use it in its async with block")
        return self._opened[1:]

    def check_open(self) -> int:
        """Return the signalling's handle.

        Raises:
            InvalidStateError: It is not open.
        """
        handle, _ = self._handle_and_identity()
        if self._is_closed:
            raise InvalidStateError("the peer is closed")
        return handle

    # ---- signals ----

    def on_signal(self, record: bytes) -> None:
        """See Sender."""
        to, data = _native.read_signal(record)
        self.outgoing.append(Outgoing(Identity.parse(to), data))
        self.on_outgoing()

    def on_outgoing(self) -> None:
        """Note that there is something to send."""

    def on_stopped(self) -> None:
        """See Sender."""
        self._is_closed = True
        self.on_outgoing()

    def receive(self, sender: Identity, data: bytes) -> None:
        """Hand over a signal that has arrived. One that is refused is dropped; only the first such is a warning.

        Raises:
            InvalidStateError: It is not open.
            NotRunningError: GNS was stopped.
            ForkedError: This process is a fork.
        """
        refusal = _native.deliver_signal(self.check_open(), str(sender), data)
        if refusal:
            level = logging.DEBUG if self._has_refused else logging.WARNING
            self._has_refused = True
            _log.log(level, "a signal of %s is dropped: %s", sender, refusal)

    def close(self) -> None:
        """Forget the signalling in the core. Closing it again does nothing."""
        self._is_closed = True
        if self._opened is None:
            return
        mailbox, handle, _ = self._opened
        mailbox.remove_sender(handle)
        with contextlib.suppress(GNSError):  # stopped, or a fork
            _native.destroy_signalling(handle)

    # ---- connections ----

    def begin_connect(self, mailbox: int, address: PeerAddress, options: Config, policy: Policy) -> int:
        """See Rendezvous."""
        signalling = self.check_open()
        return _native.connect_p2p(mailbox, signalling, address.host, address.port, self.servers | options, policy)

    def open_port(self, mailbox: int, port: int, options: Config, policy: Policy) -> int:
        """See Rendezvous."""
        check_int("port", port, 0, MAX_VIRTUAL_PORT)
        return _native.listen_p2p(mailbox, self.check_open(), port, self.servers | options, policy)
