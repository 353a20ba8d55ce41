"""From IceServers to options of GNS, which takes numbers only: names are resolved, and servers that answer go first."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from itertools import islice

from ..address import Address, parse_host_and_port
from ..asyncio.resolver import resolve_in_executor
from ..config import Config
from .ice_servers import IcePolicy, IceServers, Turn
from .stun_client import StunClient
from .stun_messages import Method, StunMessage

_log = logging.getLogger("gns_py.p2p")
# Seconds for names, and then for answers; in between, each server is asked three times.
_RESOLVING = 3.0
_ANSWERING = 0.6
_TRIES = 3
# Of one name, and of each family.
_ADDRESSES = 4
# The most that GNS is given: servers of a kind, and bytes of the users, or of the passwords.
_MOST_SERVERS = 16
_MOST_TEXT = 4096
# Bits of P2P_Transport_ICE_Enable.
_RELAYED, _PRIVATE, _PUBLIC = 1, 2, 4
_KINDS: dict[IcePolicy, int] = {
    "all": _RELAYED | _PRIVATE | _PUBLIC,
    "relay": _RELAYED,
    "no-public-address": _RELAYED | _PRIVATE,
}


async def find_servers(servers: IceServers) -> Config:
    """Return the options for these servers: those that answer first, the quickest of all at the front.

    GNS asks the first server of each family, and the next one only after 5 s. Servers that do not answer stay in the
    list, since the network may only be slow; names that cannot be resolved do not. Of the addresses, those go to GNS
    that it has room for.

    Args:
        servers: The servers. TURN servers whose credentials have ended are left out.
    """
    turn = [each for each in servers.turn if not each.is_expired()]
    names = [*servers.stun, *(each.address for each in turn)]
    found = dict(zip(names, await asyncio.gather(*map(_resolve, names)), strict=True))
    order = await _by_answer({address for addresses in found.values() for address in addresses})
    stun = sorted({address for name in servers.stun for address in found[name]}, key=order.__getitem__)
    relays = [(address, each) for each in turn for address in found[each.address]]
    relays.sort(key=lambda relay: order[relay[0]])
    return options_for(stun, relays, servers.policy)


def options_for(stun: Iterable[Address], turn: Iterable[tuple[Address, Turn]], policy: IcePolicy) -> Config:
    """Return the options of GNS for servers, in this order.

    Args:
        stun: The STUN servers.
        turn: The TURN servers, each with its credentials.
        policy: Which routes are wanted.
    """
    relays = list(turn)[:_MOST_SERVERS]
    while max(_size(each.username for _, each in relays), _size(each.password for _, each in relays)) > _MOST_TEXT:
        relays.pop()
    return Config(
        p2p_stun_server_list=",".join(map(str, islice(stun, _MOST_SERVERS))),
        p2p_turn_server_list=",".join(str(address) for address, _ in relays),
        p2p_turn_user_list=",".join(each.username for _, each in relays),
        p2p_turn_pass_list=",".join(each.password for _, each in relays),
        p2p_transport_ice_enable=_KINDS[policy] if relays else _KINDS[policy] & ~_RELAYED or _RELAYED,
    )


def _size(texts: Iterable[str]) -> int:
    return len(",".join(texts).encode())


async def _resolve(name: str) -> list[Address]:
    try:
        found = await asyncio.wait_for(resolve_in_executor(*parse_host_and_port(name)), _RESOLVING)
        if not (usable := [each for each in found if _is_usable(each)]):
            raise ValueError(f"{found[0]} cannot be a server's address")
        families = ([each for each in usable if each.ip.version == version] for version in (4, 6))
        return [each for family in families for each in family[:_ADDRESSES]]
    except (OSError, ValueError, asyncio.TimeoutError) as error:
        _log.warning("the ICE server %s is left out: %s", name, str(error) or "its name is not resolved in time")
        return []


def _is_usable(address: Address) -> bool:
    """Return whether GNS takes the address of a server. Some resolvers give blocked names the address 0.0.0.0."""
    return not address.ip.is_unspecified


async def _by_answer(addresses: set[Address]) -> dict[Address, tuple[bool, float]]:
    """Return what to sort addresses by: whether they do not answer, and after how many seconds they do."""
    loop = asyncio.get_running_loop()
    order = dict.fromkeys(sorted(addresses), (True, 0.0))
    if len(order) < 2:
        return order
    begun = loop.time()
    probes = [asyncio.ensure_future(_probe(address)) for address in order]
    try:
        for probe in asyncio.as_completed(probes, timeout=_ANSWERING):
            address = await probe
            if address is not None:
                order[address] = False, loop.time() - begun
    except asyncio.TimeoutError:
        pass
    finally:
        for each in probes:
            each.cancel()
        await asyncio.gather(*probes, return_exceptions=True)
    return order


async def _probe(address: Address) -> Address | None:
    """Return the address once a STUN server there has answered, be it with an error; None if it does not."""
    try:
        async with StunClient(address, is_only_one=True) as client:
            answer = await client.ask(address, StunMessage(Method.BINDING), pauses=[_ANSWERING / _TRIES] * _TRIES)
    except OSError:
        return None
    return None if answer is None else address
