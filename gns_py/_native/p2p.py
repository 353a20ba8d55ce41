"""Connections from peer to peer: signalling, listening and connecting."""

from __future__ import annotations

from typing import Any, NamedTuple

from .._generated.enums import ConfigScope
from ..config import Config
from .certificates import PeerPolicy, policy_struct
from .codes import LIMIT_EXCEEDED
from .failures import check
from .library import ffi, lib
from .options import option_array
from .sockets import limit_error
from .text import text_of

# Errors of the signal, which anyone may have sent.
_REFUSED = (lib.GNS_ERROR_BAD_SIGNAL, lib.GNS_ERROR_BAD_IDENTITY, lib.GNS_ERROR_TOO_LARGE, LIMIT_EXCEEDED)


class SignallingCounters(NamedTuple):
    """How many signals a signalling has carried and dropped."""

    sent: int
    sent_dropped: int
    """Too many were waiting in the mailbox."""
    received: int
    """GNS was given them."""
    bad: int
    """Not signals of their senders, or too large."""
    flooded: int
    """Too many were waiting for GNS."""
    ends_dropped: int
    """They would have ended an established connection."""
    stray: int
    """They were for no connection of this signalling's."""
    not_listening: int
    """Requests for a port that no listen socket has."""
    repeated: int
    """Requests of a connection that was refused or has ended."""
    rate: int
    """Requests of an identity that sends too many."""
    pending: int
    """Requests while too many others waited to be accepted."""


def create_signalling(mailbox: int) -> int:
    """Make signals go out as events of this mailbox, and return the signalling's handle."""
    handle = ffi.new("uint64_t *")
    check(lib.gns_signalling_create(mailbox, handle))
    return int(handle[0])


def destroy_signalling(signalling: int) -> None:
    """Destroy a signalling. Raise nothing: one that is gone needs no destroying."""
    lib.gns_signalling_destroy(signalling)


def signalling_counters(signalling: int) -> SignallingCounters:
    """Return what a signalling has carried and dropped."""
    out = ffi.new("gns_signalling_counters *")
    check(lib.gns_signalling_counters_get(signalling, out))
    return SignallingCounters(*(getattr(out, field) for field in SignallingCounters._fields))


def read_signal(payload: bytes) -> tuple[str, bytes]:
    """Return the receiver's identity, as canonical text, and the signal, from the payload of an EVENT_SIGNAL."""
    end = 1 + payload[0]
    return payload[1:end].decode(), payload[end:]


def deliver_signal(signalling: int, sender: str, signal: bytes) -> str:
    """Give GNS a signal that has arrived from `sender`, as the signalling service has proved it.

    Return why the signal was refused; empty if it was not.
    """
    name = sender.encode()
    result: int = lib.gns_signal(signalling, name, len(name), signal, len(signal))
    if result in _REFUSED:
        return text_of(lib.gns_last_error_text())
    check(result)
    return ""


def listen_p2p(mailbox: int, signalling: int, port: int, config: Config, policy: PeerPolicy | None = None) -> int:
    """Open a listen socket for a virtual port and return its handle."""
    return _make(lib.gns_p2p_listen, mailbox, signalling, (port,), config, ConfigScope.LISTEN_SOCKET, policy)


def connect_p2p(
    mailbox: int, signalling: int, identity: str, port: int, config: Config, policy: PeerPolicy | None = None
) -> int:
    """Begin to connect to a virtual port of a peer and return the connection's handle."""
    name = identity.encode()
    arguments = (name, len(name), port)
    return _make(lib.gns_p2p_connect, mailbox, signalling, arguments, config, ConfigScope.CONNECTION, policy)


def _make(
    function: Any,
    mailbox: int,
    signalling: int,
    arguments: tuple[Any, ...],
    config: Config,
    scope: ConfigScope,
    policy: PeerPolicy | None,
) -> int:
    handle = ffi.new("uint64_t *")
    options = config.options_for(scope)
    native, keep = option_array(options)
    demanded, keep_too = policy_struct(policy)
    result = function(mailbox, signalling, *arguments, native, len(options), demanded, handle)
    del keep, keep_too
    if result == LIMIT_EXCEEDED:
        raise limit_error()
    check(result)
    return int(handle[0])
