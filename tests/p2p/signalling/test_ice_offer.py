"""ICE servers as they are sent: ends of credentials are lifetimes there, since clocks differ."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from gns_py.p2p import IceServers, Turn
from gns_py.p2p.signalling.fields import Reader, WireError
from gns_py.p2p.signalling.ice_offer import FOREVER, MAX_LIFETIME, IceOffer, IceOfferField, TurnOffer

NOW = datetime(2030, 1, 1, tzinfo=timezone.utc)
LATER = datetime(2040, 1, 1, tzinfo=timezone.utc)


def turn(expires: datetime | None) -> Turn:
    return Turn("turn.example.org:3478", "user", "a secret", expires)


def test_lifetimes_are_counted_from_the_receivers_clock() -> None:
    servers = IceServers(["s:1"], [turn(None), turn(NOW + timedelta(seconds=3600.9))], "relay")
    offer = IceOffer.of(servers, NOW)
    assert [each.lifetime for each in offer.turn] == [FOREVER, 3600]
    assert offer.servers(LATER).turn == (turn(None), turn(LATER + timedelta(hours=1)))
    assert (offer.stun, offer.policy) == (("s:1",), "relay")
    assert "secret" not in repr(offer)


def test_credentials_that_have_ended_are_left_out() -> None:
    servers = [turn(NOW), turn(NOW + timedelta(seconds=0.9)), turn(NOW + timedelta(seconds=1))]
    assert [each.lifetime for each in IceOffer.of(IceServers([], servers), NOW).turn] == [1]
    with pytest.raises(ValueError, match="have ended"):
        IceOffer.of(IceServers([], servers[:1], "relay"), NOW)


def test_ends_far_away() -> None:
    assert IceOffer.of(IceServers([], [turn(NOW + timedelta(days=100_000))]), NOW).turn[0].lifetime == MAX_LIFETIME
    offer = IceOffer((), (TurnOffer("t:1", "u", "p", MAX_LIFETIME),), "all")
    assert offer.servers(datetime(9999, 1, 1, tzinfo=timezone.utc)).turn[0].expires is None


@pytest.mark.parametrize("offer", [None, IceOffer((), (), "all"), IceOffer.of(IceServers(["s:1"], [turn(None)]), NOW)])
def test_offers_are_written_and_read(offer: IceOffer | None) -> None:
    assert IceOfferField().read(Reader(IceOfferField().write(offer))) == offer


@pytest.mark.parametrize(
    "offer", [IceOffer(("s",), (), "all"), IceOffer((), (), "relay"), IceOffer(("s:1",) * 9, (), "all")]
)
def test_bad_offers_are_not_written(offer: IceOffer) -> None:
    with pytest.raises(WireError):
        IceOfferField().write(offer)
