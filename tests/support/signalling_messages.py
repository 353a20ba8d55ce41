"""Messages of the signalling protocol, all of them, for Hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

from gns_py import Address, Identity
from gns_py.p2p.signalling import wire
from gns_py.p2p.signalling.ice_offer import IceOffer, TurnOffer
from gns_py.p2p.signalling.signalling import MAX_SIGNAL
from gns_py.p2p.signalling.wire import Message, Methods

_any_text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60)
_printable = st.text(st.characters(exclude_categories=["C", "Z"]), max_size=15)
_rooms = _printable.filter(bool)
identities = st.one_of(
    st.text("abc:/ é", min_size=1, max_size=12).map(Identity.string),
    st.binary(min_size=2, max_size=32).map(Identity.bytes),
    st.ip_addresses().map(lambda each: Identity.ip(Address(str(each), 27015))),
    st.sampled_from([Identity.steam_id(76561197960287930), Identity.parse("new:type")]),
)
_credentials = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters=","), min_size=1, max_size=30)
_hosts = st.from_regex(r"[a-z]{1,10}:[1-9][0-9]{0,3}", fullmatch=True)
_turn = st.builds(TurnOffer, _hosts, _credentials, _credentials, st.integers(0, 2**32 - 1))
_offers = st.none() | st.builds(
    IceOffer,
    st.lists(_hosts, max_size=8).map(tuple),
    st.lists(_turn, min_size=1, max_size=8).map(tuple),
    st.sampled_from(["all", "relay", "no-public-address"]),
)
_requests = st.integers(1, 2**32 - 1)
_numbers = st.integers(0, 2**32 - 1)
_signals = st.binary(min_size=1, max_size=300)
_capacities = st.integers(1, 256)


@st.composite
def _members(draw: st.DrawFn) -> wire.Members:
    members = tuple(draw(st.lists(identities, min_size=1, max_size=8, unique=True)))
    capacity = draw(st.integers(len(members), 256))
    return wire.Members(draw(_requests), draw(_rooms), capacity, draw(st.sampled_from(members)), members)


any_message: st.SearchStrategy[Message] = st.one_of(
    st.builds(wire.HelloToken, _any_text.filter(bool)),
    st.builds(wire.HelloCertificate, st.binary(min_size=1, max_size=300), st.binary(min_size=64, max_size=64)),
    st.builds(wire.Send, identities, _signals),
    st.builds(wire.Create, _requests, _printable, _capacities),
    st.builds(wire.Join, _requests, _rooms, st.just(0) | _capacities),
    st.builds(wire.Leave, _rooms),
    st.builds(wire.GetIceServers),
    st.builds(wire.Ping, _numbers),
    st.builds(wire.HelloRelay),
    st.builds(wire.Challenge, st.integers(1, 3).map(Methods), _printable, st.binary(min_size=32, max_size=32)),
    st.builds(wire.Welcome, identities, st.integers(1, MAX_SIGNAL), _offers),
    st.builds(wire.Received, identities, _signals),
    _members(),
    st.builds(wire.Joined, _rooms, identities),
    st.builds(wire.Left, _rooms, identities),
    st.builds(wire.Host, _rooms, identities),
    st.builds(wire.IceServersMessage, _offers),
    st.builds(wire.Pong, _numbers),
    st.builds(wire.Error, _numbers, st.integers(0, 65_535), _any_text),
)
