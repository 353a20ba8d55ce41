"""An allocation at a TURN server, to find out whether it relays."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from .._printable import printable
from ..address import Address
from .stun_client import StunClient
from .stun_messages import (
    UDP,
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

UNAUTHORIZED, STALE_NONCE = 401, 438
_ATTEMPTS = 4


class TurnError(Exception):
    """A TURN server does not do what it was asked for.

    Args:
        code: The number of the server's error; None if it has not answered, or not as the RFC wants it.
        text: Its words, which may come from anyone: escape them before you print them, as ``str()`` does.
    """

    def __init__(self, code: int | None, text: str) -> None:
        super().__init__(text if code is None else f"{code} {printable(text)}")
        self.code = code
        self.text = text


class Allocation(NamedTuple):
    """An address of the server's, whose packets it passes on."""

    relayed: Address
    mapped: Address | None
    """The address from which the server has got the request."""
    lifetime: int
    """Seconds until it ends, if it is not refreshed."""
    seconds: float
    """The round trip of the request that the server has granted."""


class TurnClient:
    """Asks one TURN server, with long-term credentials.

    Args:
        client: The socket, an entered one.
        server: The server.
        username: The user.
        password: The password.
    """

    def __init__(self, client: StunClient, server: Address, username: str, password: str) -> None:
        self._client = client
        self._server = server
        self._username = username
        self._password = password
        self._realm = self._nonce = b""
        self._key: bytes | None = None

    async def allocate(self) -> Allocation:
        """Ask for an address.

        Raises:
            TurnError: The server has refused, or has not answered.
        """
        transport = bytes([UDP, 0, 0, 0])
        answer, seconds = await self._request(Method.ALLOCATE, Attribute.REQUESTED_TRANSPORT, lambda _: transport)
        relayed, lifetime = answer.address(Attribute.XOR_RELAYED_ADDRESS), answer.lifetime
        if relayed is None or lifetime is None:
            raise TurnError(None, "the server grants an allocation, but names neither its address nor its lifetime")
        return Allocation(relayed, answer.mapped_address, lifetime, seconds)

    async def permit(self, peer: Address) -> None:
        """Let packets of a peer, from any of its ports, come through.

        Raises:
            TurnError: The server has refused, or has not answered.
        """
        await self._request(Method.CREATE_PERMISSION, Attribute.XOR_PEER_ADDRESS, lambda each: xor_address(peer, each))

    async def release(self) -> None:
        """Give the allocation back.

        Raises:
            TurnError: The server has refused, or has not answered.
        """
        await self._request(Method.REFRESH, Attribute.LIFETIME, lambda _: bytes(4))

    async def _request(
        self, method: Method, attribute: Attribute, value: Callable[[bytes], bytes]
    ) -> tuple[StunMessage, float]:
        """Ask, and return the answer and its round trip. The value gets the transaction, which masks addresses."""
        error = (0, "the server refuses without a reason")
        for _ in range(_ATTEMPTS):
            request = StunMessage(method)
            attributes = ((attribute, value(request.transaction)), *self._credentials())
            request = StunMessage(method, Class.REQUEST, attributes, request.transaction)
            answer = await self._client.ask(self._server, request, self._key)
            if answer is None:
                raise TurnError(None, "the server does not answer")
            message, is_first = answer.message, self._key is None
            if message.kind is Class.SUCCESS:
                if self._key is not None and not is_signed(answer.data, self._key):  # some servers are open to all
                    raise TurnError(None, "the answer is not signed: it may be forged")
                return message, answer.seconds
            error = message.error or error
            if not (error[0] == STALE_NONCE or (error[0] == UNAUTHORIZED and is_first)):
                break
            self._realm = message.get(Attribute.REALM) or self._realm
            self._nonce = message.get(Attribute.NONCE) or b""
            self._key = long_term_key(self._username, self._realm.decode(errors="replace"), self._password)
        raise TurnError(*error)

    def _credentials(self) -> tuple[tuple[int, bytes], ...]:
        if self._key is None:
            return ()
        user = Attribute.USERNAME, self._username.encode()
        return user, (Attribute.REALM, self._realm), (Attribute.NONCE, self._nonce)


async def is_passed_on(client: StunClient, allocation: Allocation, timeout: float, tries: int = 3) -> bool:
    """Return whether a packet to an allocation's address comes through, from another port of this machine.

    Its address must have been permitted.

    Args:
        client: The socket of the allocation.
        allocation: The allocation.
        timeout: Seconds to wait for the packet, each time that it is sent.
        tries: How often it is sent.
    """
    probe = StunMessage(Method.BINDING).encode()
    async with StunClient(allocation.relayed) as peer:
        for _ in range(tries):
            peer.send(allocation.relayed, probe)
            if await _has_arrived(client, probe, timeout):
                return True
    return False


async def _has_arrived(client: StunClient, probe: bytes, timeout: float) -> bool:
    try:
        data, _ = await client.next_packet(timeout)
        message = decode(data)
    except (asyncio.TimeoutError, StunError):
        return False
    return message.method == Method.DATA and message.get(Attribute.DATA) == probe
