"""A STUN and TURN server on loopback that does what a test says: it grants, refuses, forges, keeps silent."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gns_py import Address
from gns_py.p2p.stun_messages import (
    Attribute,
    Class,
    Method,
    StunError,
    StunMessage,
    decode,
    is_signed,
    long_term_key,
    xor_address,
)

REALM = "lab"
KEY = long_term_key("user", REALM, "password")


def error(code: int, text: str = "") -> tuple[int, bytes]:
    """Return the attribute of an error."""
    return Attribute.ERROR_CODE, bytes([0, 0, code // 100, code % 100]) + text.encode()


class TurnServer(asyncio.DatagramProtocol):
    """The server. Its attributes can be changed at any time, before the first packet or between two of them."""

    def __init__(self) -> None:
        self.is_silent = False
        self.mapped: Callable[[Address], Address] = lambda sender: sender
        """The address that a client is told to have."""
        self.relayed: Address | None = None
        """The address that an allocation is told to have, instead of its own."""
        self.stale_nonces = 0
        """How many signed requests are refused with 438 first."""
        self.refusals: dict[int, int] = {}
        """Numbers of errors for methods, in answer to signed requests."""
        self.key = KEY
        self.signs_with: bytes | None = KEY
        self.passes_on = True
        self.requests: list[StunMessage] = []
        self.address = Address("127.0.0.1", 0)
        self._relays: dict[Address, _Relay] = {}
        self._transport: asyncio.DatagramTransport | None = None

    async def open(self) -> None:
        """Open a port."""
        self._transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: self, local_addr=("127.0.0.1", 0)
        )
        self.address = Address(*self._transport.get_extra_info("sockname"))

    def close(self) -> None:
        """Close all ports."""
        for relay in self._relays.values():
            relay.close()
        assert self._transport is not None
        self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer."""
        asyncio.ensure_future(self._answer(data, Address(*addr)))  # noqa: RUF006 - it ends with the loop

    async def _answer(self, data: bytes, sender: Address) -> None:
        try:
            request = decode(data)
        except StunError:
            return
        self.requests.append(request)
        if self.is_silent or request.kind is not Class.REQUEST:
            return
        if request.method == Method.BINDING:
            self.reply(sender, request, self._mapped(request, sender))
            return
        nonce = (Attribute.NONCE, b"nonce%d" % self.stale_nonces)
        challenge = (Attribute.REALM, REALM.encode()), nonce
        if not is_signed(data, self.key):
            self.reply(sender, request, error(401, "Unauthorized"), *challenge, kind=Class.ERROR)
        elif self.stale_nonces or request.get(Attribute.NONCE) != nonce[1]:
            self.stale_nonces = max(0, self.stale_nonces - 1)
            nonce = (Attribute.NONCE, b"nonce%d" % self.stale_nonces)
            self.reply(sender, request, error(438, "Stale Nonce"), challenge[0], nonce, kind=Class.ERROR)
        elif request.method in self.refusals:
            self.reply(sender, request, error(self.refusals[request.method], "No"), kind=Class.ERROR)
        elif request.method == Method.ALLOCATE:
            relay = self._relays[sender] = _Relay(self, sender)
            address = await relay.open()
            relayed = (Attribute.XOR_RELAYED_ADDRESS, xor_address(self.relayed or address, request.transaction))
            lifetime = (Attribute.LIFETIME, (600).to_bytes(4, "big"))
            self.reply(sender, request, relayed, lifetime, self._mapped(request, sender), key=self.signs_with)
        else:
            if request.method == Method.REFRESH and request.lifetime == 0:
                self._relays.pop(sender).close()
            self.reply(sender, request, key=self.signs_with)

    def _mapped(self, request: StunMessage, sender: Address) -> tuple[int, bytes]:
        return Attribute.XOR_MAPPED_ADDRESS, xor_address(self.mapped(sender), request.transaction)

    def reply(
        self,
        to: Address,
        request: StunMessage,
        *attributes: tuple[int, bytes],
        kind: Class = Class.SUCCESS,
        key: bytes | None = None,
    ) -> None:
        """Answer a request."""
        self.send(to, StunMessage(request.method, kind, attributes, request.transaction).encode(key))

    def send(self, to: Address, data: bytes) -> None:
        """Send a packet from the server's port."""
        assert self._transport is not None
        self._transport.sendto(data, tuple(to))

    @property
    def allocations(self) -> int:
        """The number of allocations that have not been given back."""
        return len(self._relays)


class _Relay(asyncio.DatagramProtocol):
    def __init__(self, server: TurnServer, client: Address) -> None:
        self._server = server
        self._client = client
        self._transport: asyncio.DatagramTransport | None = None

    async def open(self) -> Address:
        self._transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: self, local_addr=("127.0.0.1", 0)
        )
        return Address(*self._transport.get_extra_info("sockname"))

    def close(self) -> None:
        assert self._transport is not None
        self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:  # noqa: ARG002
        if self._server.passes_on:
            passed = StunMessage(Method.DATA, Class.INDICATION, ((Attribute.DATA, data),))
            self._server.send(self._client, passed.encode())


@contextmanager
def turn_servers(count: int) -> Iterator[list[TurnServer]]:
    """Run servers in a thread of their own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    servers = [TurnServer() for _ in range(count)]

    async def close() -> None:
        for server in servers:
            server.close()
        await asyncio.sleep(0)

    try:
        for server in servers:
            asyncio.run_coroutine_threadsafe(server.open(), loop).result()
        yield servers
    finally:
        asyncio.run_coroutine_threadsafe(close(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
