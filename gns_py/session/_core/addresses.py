"""The addresses of a service: how a program gives them, and the order in which a client tries them. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeAlias, cast

from ..._core.callbacks import check_plain
from ..._core.connecting import check_peer
from ..._core.peers import PeerAddress, Rendezvous
from ...address import parse_host_and_port

Where: TypeAlias = tuple[str, int]
"""A host, which may be a name, and a port; or a PeerAddress, which is such a tuple, too."""
Addresses: TypeAlias = Iterable[str | Where] | PeerAddress
Discovery: TypeAlias = Callable[[], Addresses]
AsyncDiscovery: TypeAlias = Callable[[], Addresses | Awaitable[Addresses]]

MAX_REDIRECTS = 3


def destination(where: Where) -> tuple[str | PeerAddress, int | None]:
    """Return the first two arguments of a connect() to this address."""
    return (where, None) if isinstance(where, PeerAddress) else where


def parse_addresses(addresses: object) -> tuple[Where, ...]:
    """Return hosts and ports, each once.

    Raises:
        TypeError: This is not an iterable of texts and pairs.
        ValueError: There is none, or one of them is not a host with a port.
    """
    if isinstance(addresses, PeerAddress):  # a sequence, too, but of other things
        return (addresses,)
    if isinstance(addresses, str | bytes) or not isinstance(addresses, Iterable):
        raise TypeError(f"addresses must be a sequence of addresses, not {type(addresses).__name__}")
    found = tuple(dict.fromkeys(_parse(each) for each in addresses))
    if not found:
        raise ValueError("there must be at least one address")
    return found


def _parse(address: object) -> Where:
    if isinstance(address, PeerAddress):
        return address
    if isinstance(address, str):
        return parse_host_and_port(address)
    if not isinstance(address, tuple) or len(address) != 2:
        raise TypeError(f'an address must be a text like "game.example:27015", or a pair of host and port: {address!r}')
    host, port = address
    if not isinstance(host, str) or not isinstance(port, int) or isinstance(port, bool):
        raise TypeError(f"an address must be a pair of a str and an int: {address!r}")
    if not 1 <= port <= 65535:
        raise ValueError(f"port {port} is out of range: 1 to 65535")
    return host, port


class Source:
    """Where connect() gets addresses: one, a sequence, or a function that is asked before each round of attempts.

    Args:
        host: The host, if there is a port; else a sequence, or the function.
        port: The port, or None.
        may_await: Whether the function may be a coroutine function.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: An address is wrong, or there is none.
    """

    def __init__(self, host: object, port: int | None, *, may_await: bool) -> None:
        self.function: AsyncDiscovery | None = None
        self.known: tuple[Where, ...] = ()
        """The addresses; of a function those that it has given last."""
        if isinstance(host, PeerAddress | Rendezvous):
            check_peer(host, port)
            self.known = (cast("PeerAddress", host),)
        elif port is not None:
            self.known = ((cast("str", host), port),)  # connecting checks it
        elif callable(host):
            if not may_await:
                check_plain("host", host)
            self.function = cast("AsyncDiscovery", host)
        elif isinstance(host, str):
            raise TypeError(f"port is missing; several addresses are given as a sequence: [{host!r}, ...]")
        else:
            self.known = parse_addresses(host)


class Route:
    """The order in which a client that has lost its connection tries addresses, one after another, in rounds.

    In each round the last good one goes first, unless that server is going away.
    """

    def __init__(self, source: Source, home: Where, *, may_redirect: bool = True) -> None:
        self.source = source
        self._home = self._current = home  # where the session was last; which address is being tried
        self._may_redirect = may_redirect
        self._redirect: tuple[Where, ...] = ()
        self._is_leaving = False
        self._left: deque[Where] = deque()

    @property
    def home(self) -> Where:
        """Where the session was last."""
        return self._home

    @property
    def is_round_over(self) -> bool:
        """True if all addresses were tried: then the function, if there is one, has to be asked again."""
        return not self._left

    def redirect(self, addresses: tuple[Where, ...]) -> None:
        """Leave the present server, for these addresses, or, if there are none, for others of its own."""
        addresses = addresses if self._may_redirect else ()
        if not self._is_leaving or addresses != self._redirect:
            self._redirect, self._is_leaving = addresses, True
            self._left = deque()  # not by clear(): an attempt may be taking the next one

    def _begin_round(self) -> deque[Where]:
        if self._is_leaving:
            order = [*self._redirect, *(each for each in self.source.known if each != self._home), self._home]
        else:
            order = [self._home, *self._redirect, *self.source.known]
        self._left = left = deque(dict.fromkeys(order))
        return left

    def next(self) -> tuple[Where, bool]:
        """Return the next address of the round, or the first of the next one, and whether others are left after it."""
        left = self._left or self._begin_round()
        self._current = left.popleft()
        return self._current, bool(left)

    def is_last_word(self) -> bool:
        """Return whether it is final that the server which is being tried does not go on with the session.

        It is if the session was there last. Another one cannot know: the server that has the session may only be cut
        off, and the window says for how long to wait for that.
        """
        return self._current == self._home

    def settle(self) -> None:
        """Note that the session goes on at the address that was tried last."""
        self._home = self._current
        self._is_leaving = False
        self._left = deque()
