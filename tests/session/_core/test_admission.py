"""Rules by address: what they cost, and what they remember."""

from __future__ import annotations

import time
from ipaddress import ip_network

import pytest

from gns_py import Address, Config, Identity
from gns_py._core.peers import PeerAddress, Policy, Rendezvous
from gns_py.session._core.admission import Admission, AdmissionRules


def address(number: int) -> Address:
    return Address(f"2001:db8:{number >> 16:x}:{number & 0xFFFF:x}::1", 1)


def test_newcomers_cost_the_same_however_many_were_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is generous: an implementation that copies the table for each client exceeds it a hundred times."""
    monkeypatch.setattr("gns_py.session._core.admission._MAX_QUIET", 20_000)
    admission = Admission(AdmissionRules(rate_per_address=1e-6, burst_per_address=1))

    def see(begin: int, count: int) -> float:
        began = time.process_time()
        for number in range(begin, begin + count):
            assert admission.request(address(number), number * 1e-6) is None
            admission.finish_handshake(address(number), established=False)
        return (time.process_time() - began) / count

    few = see(0, 5_000)
    see(5_000, 16_000)
    assert see(21_000, 5_000) < 10 * few
    counted = admission.counters.too_fast
    assert admission.request(address(26_000 - 20_000), 0.1) is not None  # the oldest that is remembered
    assert admission.request(address(26_000 - 20_000 - 1), 0.1) is None
    assert admission.counters.too_fast == counted + 1


def test_addresses_with_sessions_are_remembered_whatever_others_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gns_py.session._core.admission._MAX_QUIET", 10)
    admission = Admission(AdmissionRules(max_sessions_per_address=1))
    assert admission.request(address(1), 0.0) is None
    assert admission.take_place(address(1)) is None
    admission.finish_handshake(address(1), established=True)
    for number in range(2, 100):
        admission.request(address(number), 1.0)
        admission.finish_handshake(address(number), established=False)
    refusal = admission.request(address(1), 2.0)
    assert refusal is not None
    assert "too many of this address" in refusal.text
    admission.leave(address(1))
    assert admission.request(address(1), 3.0) is None


def test_ten_thousand_quiet_addresses_are_remembered() -> None:
    admission = Admission(AdmissionRules(rate_per_address=1e-6, burst_per_address=1))
    for number in range(10_001):
        assert admission.request(address(number), 0.0) is None
        admission.finish_handshake(address(number), established=False)
    assert admission.request(address(0), 0.1) is not None


def test_a_place_is_taken_when_a_set_up_is_completed() -> None:
    admission = Admission(AdmissionRules(max_sessions=1))
    for number in range(3):
        assert admission.request(address(number), 0.0) is None
    answers = [admission.take_place(address(number)) for number in range(3)]
    assert answers == [None, "the server is full", "the server is full"]
    for number, answer in enumerate(answers):
        admission.finish_handshake(address(number), established=answer is None)
    assert admission.counters.too_many_sessions == 2
    assert admission.counters.established == admission.sessions == 1
    admission.leave(address(0))
    assert admission.sessions == admission.pending == 0


def test_the_rate_of_an_address_holds() -> None:
    admission = Admission(AdmissionRules(rate_per_address=1.0, burst_per_address=3))
    answers = []
    for number in range(6):
        answers.append(admission.request(address(1), number * 0.1) is None)
        if answers[-1]:
            admission.finish_handshake(address(1), established=False)
    assert answers == [True, True, True, False, False, False]
    assert admission.request(address(1), 10.0) is None


def test_peers_are_counted_by_their_identities() -> None:
    """A relayed peer has no address, and others are behind the same relay."""

    class Nowhere(Rendezvous):
        identity = Identity.string("alice")

        def check_entered(self) -> None:
            pass

        def begin_connect(self, mailbox: int, address: PeerAddress, options: Config, policy: Policy) -> int:
            raise NotImplementedError

        def open_port(self, mailbox: int, port: int, options: Config, policy: Policy) -> int:
            raise NotImplementedError

    here = Nowhere()
    admission = Admission(AdmissionRules(rate_per_address=1e-6, burst_per_address=1))
    assert admission.request(here.at("str:bob"), 0.0) is None
    assert admission.request(here.at("str:bob", 7), 0.0) is not None
    assert admission.request(here.at("str:carol"), 0.0) is None
    only_some = Admission(AdmissionRules(allow=(ip_network("0.0.0.0/0"), ip_network("::/0"))))
    refusal = only_some.request(here.at("str:bob"), 0.0)  # an address that is not known is in no network
    assert refusal is not None
    assert "not allowed" in refusal.text
