"""Asking STUN and TURN servers from one port of this machine, in asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterable
from typing import NamedTuple, TypeVar

from ..address import Address
from .stun_messages import MAX_MESSAGE, Class, StunError, StunMessage, decode

PAUSES = (0.5, 1.0, 1.0)
"""Seconds until a request is sent again, or given up."""
_Self = TypeVar("_Self", bound="StunClient")


class Answer(NamedTuple):
    """The answer to a request."""

    message: StunMessage
    data: bytes
    """Its bytes, for is_signed()."""
    seconds: float
    """The time between the last time that the request was sent and the answer."""


class StunClient(asyncio.DatagramProtocol):
    """A UDP socket that asks STUN and TURN servers of one family: an async context manager.

    Only packets from the address that was asked, with the transaction of the request, are answers: others are taken for
    forged ones, and ignored.

    Args:
        like: An address of the servers' family.
        is_only_one: No other address is asked. Then the system says at once that the server's port is closed.
    """

    def __init__(self, like: Address, *, is_only_one: bool = False) -> None:
        self._like = like
        self._is_only_one = is_only_one
        self._asked: dict[bytes, tuple[Address, asyncio.Future[tuple[StunMessage, bytes] | None]]] = {}
        self._watchers: list[asyncio.Future[tuple[bytes, Address]]] = []
        self._transport: asyncio.DatagramTransport | None = None

    @property
    def port(self) -> int:
        """The local port."""
        assert self._transport is not None
        return int(self._transport.get_extra_info("sockname")[1])

    async def __aenter__(self: _Self) -> _Self:
        family = family_of(self._like)
        anywhere = ("::" if family == socket.AF_INET6 else "0.0.0.0", 0)
        remote = (self._like.host, self._like.port) if self._is_only_one else None
        self._transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: self, local_addr=None if remote else anywhere, remote_addr=remote, family=family
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._transport is not None
        self._transport.close()
        await asyncio.sleep(0)  # the transport closes its socket in the loop's next turn

    async def ask(
        self, server: Address, request: StunMessage, key: bytes | None = None, pauses: Iterable[float] = PAUSES
    ) -> Answer | None:
        """Send a request until there is an answer, a success or an error.

        Args:
            server: The server.
            request: The request.
            key: Signs the request; None for one that is not signed.
            pauses: Seconds to wait for the answer, each time that it is sent.

        Returns:
            The answer; None if there is none, or the port is closed.
        """
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[tuple[StunMessage, bytes] | None] = loop.create_future()
        self._asked[request.transaction] = server, answered
        data = request.encode(key)
        try:
            for pause in pauses:
                sent_at = loop.time()
                self.send(server, data)
                with contextlib.suppress(asyncio.TimeoutError):
                    found = await asyncio.wait_for(asyncio.shield(answered), pause)
                    return None if found is None else Answer(*found, loop.time() - sent_at)
        finally:
            del self._asked[request.transaction]
            answered.cancel()
        return None

    def send(self, to: Address, data: bytes) -> None:
        """Send a packet."""
        assert self._transport is not None
        self._transport.sendto(data, None if self._is_only_one else tuple(to))

    async def next_packet(self, timeout: float) -> tuple[bytes, Address]:
        """Return the next packet that answers no request, and where it is from.

        Raises:
            asyncio.TimeoutError: There was none in time.
        """
        watcher: asyncio.Future[tuple[bytes, Address]] = asyncio.get_running_loop().create_future()
        self._watchers.append(watcher)
        try:
            return await asyncio.wait_for(watcher, timeout)
        finally:
            self._watchers.remove(watcher)

    # ---- callbacks of the transport ----

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Take a packet: an answer, or one for next_packet()."""
        sender = Address(*addr[:2]) if "%" not in addr[0] else None
        with contextlib.suppress(StunError):
            message = decode(data) if len(data) <= MAX_MESSAGE else None
            if message is not None and message.kind in (Class.SUCCESS, Class.ERROR):
                server, answered = self._asked.get(message.transaction, (None, None))
                if answered is not None and server == sender and not answered.done():
                    answered.set_result((message, data))
                return
        for watcher in self._watchers:
            if sender is not None and not watcher.done():
                watcher.set_result((data, sender))

    def error_received(self, exc: Exception) -> None:  # noqa: ARG002
        """Take an error of the network: no one listens there."""
        for _, answered in self._asked.values() if self._is_only_one else ():
            if not answered.done():
                answered.set_result(None)


def family_of(address: Address) -> socket.AddressFamily:
    """Return the family of an address."""
    return socket.AF_INET6 if address.ip.version == 6 else socket.AF_INET


def source_for(address: Address) -> str | None:
    """Return the address of this machine from which packets to an address go out; None if there is no way to it."""
    try:
        with socket.socket(family_of(address), socket.SOCK_DGRAM) as probe:
            probe.connect(tuple(address))
            return str(probe.getsockname()[0])
    except OSError:  # no route, or no addresses of this family at all
        return None
