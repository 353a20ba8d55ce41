"""Opening ports: finding a free one, and the system's own reason when there is none."""

from __future__ import annotations

import errno
import socket

from .. import _native
from ..address import Address
from ..config import Config
from ..errors import GNSError, ListenError
from ..limits import ConnectionLimits
from .demands import demand_on_clients
from .mailbox import Mailbox
from .peers import PeerPort

# Another process may take a port between asking the system for a free one and opening it.
_PORT_TRIES = 20
# IPv6 is missing from the kernel; it is there, but switched off; it is missing on Windows.
_NO_FAMILY = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, getattr(errno, "WSAEAFNOSUPPORT", errno.EAFNOSUPPORT))


def host_to_listen(host: str) -> str:
    """Return the host to open; for an empty one, all addresses: of both families, or of IPv4 where IPv6 is missing."""
    if host != "":
        return host
    try:
        _free_address(Address("::", 0))
    except ListenError as error:
        if error.errno in _NO_FAMILY:
            return "0.0.0.0"
    return "::"


def open_port(
    mailbox: Mailbox,
    where: Address | PeerPort,
    options: Config,
    limits: ConnectionLimits | None,
    require_authentication: bool | None = None,
) -> tuple[int, Address]:
    """Open a port, and return the core's handle and the address, with the port that was found if 0 was requested.

    Raises:
        ListenError: The system or GNS refused.
        CertificateRefused: This process's certificate has expired.
    """
    policy = demand_on_clients(require_authentication)
    if isinstance(where, PeerPort):
        return where.open(mailbox.handle, options, policy)
    for attempt in range(_PORT_TRIES):
        address = _free_address(where)
        try:
            return _native.listen(mailbox.handle, address, options, limits, policy), address
        except GNSError as error:
            if isinstance(error, ValueError | RuntimeError):  # not about the port
                raise
            if attempt == _PORT_TRIES - 1 or not _is_taken(address):
                raise _listen_error(address, error) from None
    raise AssertionError("unreachable")


def _free_address(where: Address) -> Address:
    """Return the address, with a free port if it has port 0; raise ListenError with the system's reason if taken.

    GNS cannot let the system choose a port, and reports a failure only as a number in its log.
    """
    family = socket.AF_INET6 if where.ip.version == 6 else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            if family == socket.AF_INET6:
                # As GNS does: "::" is for both families.
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            probe.bind(where)
            return Address(where.host, probe.getsockname()[1])
    except OSError as error:
        raise _listen_error(where, error) from None


def _listen_error(where: Address, error: Exception) -> ListenError:
    if isinstance(error, OSError) and error.errno is not None:
        return ListenError(error.errno, f"cannot listen on {where}: {error.strerror}")
    return ListenError(f"cannot listen on {where}: {error}")


def _is_taken(address: Address) -> bool:
    try:
        _free_address(address)
    except ListenError:
        return True
    return False
