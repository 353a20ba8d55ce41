"""Members of a relay: their groups, and their ends, which the application owns."""

from __future__ import annotations

import gc

import pytest
from support import counts_references

from gns_py import Identity
from gns_py._core.diversion import Diversion
from gns_py.p2p.relay_member import RelayMember
from gns_py.p2p.signalling import Refusal, SignallingLimits, relayed
from gns_py.p2p.signalling.wire import Error, Pong


class End:
    """The internal end of a connection, which writes down what is sent."""

    def __init__(self) -> None:
        self.is_over = False
        self.drops = 0
        self.diversion: Diversion | None = None
        self.sent: list[bytes] = []

    def divert(self, diversion: Diversion) -> None:
        self.diversion = diversion

    def divert_waiting(self) -> None:
        raise AssertionError

    def send_aside(self, data: bytes) -> bool:
        self.sent.append(data)
        return True

    def read_if_idle(self) -> None:
        raise AssertionError


def member(end: End, name: str = "alice") -> RelayMember:
    return RelayMember(end, Identity.string(name), SignallingLimits(), 0.0)


def test_groups() -> None:
    ends = [End(), End()]
    alice, bob = member(ends[0]), member(ends[1], "bob")
    assert not alice.shares_group_with(bob)
    assert not alice.shares_group_with(None)
    alice.join(["a", 1])
    bob.join({1})
    assert alice.shares_group_with(bob)
    bob.join(())
    assert not alice.shares_group_with(bob)


@pytest.mark.parametrize("groups", ["lobby", b"lobby", 5, [[]]])
def test_what_are_no_groups(groups: object) -> None:
    with pytest.raises(TypeError):
        member(End()).join(groups)  # type: ignore[arg-type]


def test_what_is_sent() -> None:
    end = End()
    alice = member(end)
    assert alice.is_member
    assert alice.send(Pong(1))
    assert end.sent == [relayed.wrap(Pong(1))]
    alice.refusal = Refusal.REMOVED
    assert not alice.is_member
    alice.send_refusal()  # no one there would know what that means
    assert len(end.sent) == 1
    alice.has_relay_signalling = True
    alice.send_refusal()
    assert end.sent[1:] == [relayed.wrap(Error(0, Refusal.REMOVED.value, ""))]


def test_an_end_that_is_over() -> None:
    end = End()
    alice = member(end)
    end.is_over = True
    assert not alice.is_member
    assert not alice.send(Pong(1))
    assert end.sent == []


@counts_references
def test_a_member_does_not_keep_its_end() -> None:
    alice = member(End())
    gc.collect()
    assert not alice.is_member
