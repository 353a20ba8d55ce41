"""Peers: what stands in the place of a host where a connection goes from peer to peer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn, TypeAlias

from .. import _native
from .._generated.enums import IdentityType
from ..address import Address
from ..config import Config
from ..events import RouteChanged
from ..identity import Identity
from .checks import check_int

MAX_VIRTUAL_PORT = 65_535
Policy: TypeAlias = _native.PeerPolicy | None
"""A demand on the peer in the handshake; None for that of the whole process."""


class Rendezvous(ABC):
    """Connects to peers, and listens to them: a Peer of gns_py.p2p. Any thread."""

    on_route_changed: Callable[[RouteChanged[Any]], object] | None = None
    """Called with each RouteChanged of its connections, on the thread that reads them."""

    @property
    @abstractmethod
    def identity(self) -> Identity:
        """The identity by which others reach this end."""

    def at(self, identity: Identity | str, port: int = 0) -> PeerAddress:
        """Return the address of a peer: ``connect(peer.at("str:bob"))``. Any thread.

        Args:
            identity: The peer's identity. A str is parsed as GNS's text form.
            port: The virtual port at which it listens, 0 to 65535: a number that both programs know, which has nothing
                to do with the system's ports.

        Raises:
            TypeError: An argument has the wrong type.
            ValueError: The text is not an identity, or it is the invalid one, or the port is out of range.
            InvalidStateError: This is not in its block yet.
        """
        self.check_entered()
        if isinstance(identity, str):
            identity = Identity.parse(identity)
        elif not isinstance(identity, Identity):
            raise TypeError(f"identity must be an Identity or a str, not {type(identity).__name__}")
        if identity.type is IdentityType.INVALID:
            raise ValueError("the invalid identity has no peer")
        return PeerAddress(identity, port, self)

    def virtual_port(self, port: int) -> PeerPort:
        """Return a virtual port of this process, to be opened. Not part of the API.

        Raises:
            InvalidStateError: This is not in its block yet.
        """
        self.check_entered()
        return PeerPort(self, port)

    @abstractmethod
    def check_entered(self) -> None:
        """Raise InvalidStateError before the block: too early for anything that starts GNS."""

    @abstractmethod
    def begin_connect(self, mailbox: int, address: PeerAddress, options: Config, policy: Policy) -> int:
        """Begin to connect to a peer, and return the connection's handle."""

    @abstractmethod
    def open_port(self, mailbox: int, port: int, options: Config, policy: Policy) -> int:
        """Open a virtual port, and return the listen socket's handle."""


class PeerAddress(Address):
    """The address of a peer, made by Peer.at(): its identity, as text, and a virtual port.

    It stands for host and port wherever these are taken, and is equal to the tuple of the two.
    """

    rendezvous: Rendezvous
    """The way to the peer, which does not count in comparisons. Not part of the API."""

    def __new__(cls, identity: Identity, port: int, rendezvous: Rendezvous) -> PeerAddress:
        """See Peer.at()."""
        check_int("port", port, 0, MAX_VIRTUAL_PORT)
        self = tuple.__new__(cls, (str(identity), port))
        self.rendezvous = rendezvous
        return self

    def __copy__(self) -> PeerAddress:
        return self

    def __deepcopy__(self, memo: object) -> PeerAddress:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("the address of a peer cannot be pickled: it belongs to a Peer of this process")

    def __str__(self) -> str:
        return f"{self.host} port {self.port}"

    @property
    def identity(self) -> Identity:
        """The peer's identity."""
        return Identity.parse(self.host)


class PeerPort(NamedTuple):
    """A virtual port of this process that is to be opened."""

    rendezvous: Rendezvous
    port: int

    def open(self, mailbox: int, options: Config, policy: Policy) -> tuple[int, Address]:
        """Open it, and return the listen socket's handle, and the address by which peers reach it."""
        handle = self.rendezvous.open_port(mailbox, self.port, options, policy)
        return handle, PeerAddress(self.rendezvous.identity, self.port, self.rendezvous)
