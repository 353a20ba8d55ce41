"""ICE servers as they are sent: lifetimes of credentials instead of their ends, since clocks differ."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import get_args

from ..ice_servers import MAX_PASSWORD, MAX_SERVERS, MAX_USERNAME, IcePolicy, IceServers, Turn
from .fields import ListOf, Reader, Text, Unsigned, WireError

FOREVER = 0
"""The lifetime of credentials that do not end."""
MAX_LIFETIME = 0xFFFF_FFFF

_POLICIES: tuple[IcePolicy, ...] = get_args(IcePolicy)
_FLAG = Unsigned(1, 0, 1)
_POLICY = Unsigned(1, 0, len(_POLICIES) - 1)
_LIFETIME = Unsigned(4)
_ADDRESS = Text(1, 263)
_USERNAME = Text(1, MAX_USERNAME)
_PASSWORD = Text(1, MAX_PASSWORD)
_STUN = ListOf(_ADDRESS, 0, MAX_SERVERS)


@dataclass(frozen=True, slots=True)
class TurnOffer:
    """A TURN server and credentials for a while."""

    address: str
    username: str
    password: str = field(repr=False)
    lifetime: int
    """Seconds from now on, or FOREVER."""


@dataclass(frozen=True, slots=True)
class IceOffer:
    """ICE servers, as they are sent."""

    stun: tuple[str, ...]
    turn: tuple[TurnOffer, ...]
    policy: IcePolicy

    @classmethod
    def of(cls, servers: IceServers, now: datetime) -> IceOffer:
        """Return the offer of these servers; those of which the credentials have ended are left out.

        Raises:
            ValueError: The policy is "relay", and all credentials have ended.
        """
        offers = []
        for turn in servers.turn:
            lifetime = FOREVER
            if turn.expires is not None:
                lifetime = min(int((turn.expires - now).total_seconds()), MAX_LIFETIME)
                if lifetime < 1:
                    continue
            offers.append(TurnOffer(turn.address, turn.username, turn.password, lifetime))
        if servers.policy == "relay" and not offers:
            raise ValueError("the policy is 'relay', and the credentials of all TURN servers have ended")
        return cls(servers.stun, tuple(offers), servers.policy)

    def servers(self, now: datetime) -> IceServers:
        """Return the servers, with the ends of their credentials by this end's clock.

        Raises:
            ValueError: A value is not allowed.
        """
        turn = []
        for offer in self.turn:
            try:
                expires = None if offer.lifetime == FOREVER else now + timedelta(seconds=offer.lifetime)
            except OverflowError:  # as good as never
                expires = None
            turn.append(Turn(offer.address, offer.username, offer.password, expires))
        return IceServers(self.stun, turn, self.policy)


class _Turns:
    """The type of the field with one TURN server."""

    def read(self, reader: Reader) -> TurnOffer:
        """See FieldType."""
        address, username, password = _ADDRESS.read(reader), _USERNAME.read(reader), _PASSWORD.read(reader)
        return TurnOffer(address, username, password, _LIFETIME.read(reader))

    def write(self, value: TurnOffer) -> bytes:
        """See FieldType."""
        texts = _ADDRESS.write(value.address) + _USERNAME.write(value.username) + _PASSWORD.write(value.password)
        return texts + _LIFETIME.write(value.lifetime)


_TURN = ListOf(_Turns(), 0, MAX_SERVERS)
_AT = datetime(2000, 1, 1, tzinfo=timezone.utc)


class IceOfferField:
    """The type of the field with an offer, or with nothing."""

    def read(self, reader: Reader) -> IceOffer | None:
        """See FieldType."""
        if not _FLAG.read(reader):
            return None
        policy = _POLICIES[_POLICY.read(reader)]
        return self._checked(IceOffer(_STUN.read(reader), _TURN.read(reader), policy))

    def write(self, value: IceOffer | None) -> bytes:
        """See FieldType."""
        if value is None:
            return _FLAG.write(0)
        self._checked(value)
        policy = _POLICY.write(_POLICIES.index(value.policy))
        return _FLAG.write(1) + policy + _STUN.write(value.stun) + _TURN.write(value.turn)

    @staticmethod
    def _checked(offer: IceOffer) -> IceOffer:
        try:
            offer.servers(_AT)
        except ValueError as error:
            raise WireError(str(error)) from None
        return offer
