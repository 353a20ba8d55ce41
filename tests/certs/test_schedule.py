"""When certificates are renewed: without a clock."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.certificate_vectors import CERTIFICATES

from gns_py import Identity
from gns_py.certs import Certificate, CertificateError, CertificateExpired, CertificateExpiring, RenewalFailed
from gns_py.certs.format import Contents, Signed
from gns_py.certs.schedule import RenewalEvent, Schedule

BEGIN = 1_800_000_000
ERROR = OSError("no network")


def certificate(created: int = BEGIN, lifetime: int = 3600) -> Certificate:
    contents = Contents(bytes(32), Identity.string("alice"), created, created + lifetime, (0,))
    return Certificate(Signed(contents.encode(), 1, bytes(64)).encode())


def schedule(first: Certificate | None, now: float = BEGIN, random: float = 0.0) -> Schedule:
    return Schedule(first, now, lambda: random)


def test_it_is_due_after_two_thirds() -> None:
    plan = schedule(certificate())
    assert not plan.is_due(BEGIN + 2399)
    assert plan.is_due(BEGIN + 2401)
    assert schedule(certificate(), random=1.0).is_due(BEGIN + 2400 + 181)
    assert not schedule(certificate(), random=1.0).is_due(BEGIN + 2400 + 179)
    assert schedule(None).is_due(BEGIN)


def test_a_renewal_begins_the_next_lifetime() -> None:
    plan = schedule(certificate())
    new = certificate(BEGIN + 2400)
    plan.renewed(new, BEGIN + 2400)
    assert plan.certificate == new
    assert not plan.is_due(BEGIN + 4799)
    assert plan.is_due(BEGIN + 4801)


def test_pauses_grow_up_to_a_bound_and_begin_again() -> None:
    plan = schedule(certificate(), random=1.0)
    pauses = []
    for attempt in range(1, 40):
        event = plan.failed(ERROR, BEGIN + 2400)
        assert isinstance(event, RenewalFailed)
        assert (event.error, event.attempt) == (ERROR, attempt)
        pauses.append(event.pause)
    assert pauses[:6] == [5, 10, 20, 40, 80, 120]
    assert set(pauses[6:]) == {120}
    plan.renewed(certificate(BEGIN + 2400), BEGIN + 2400)
    event = plan.failed(ERROR, BEGIN)
    assert isinstance(event, RenewalFailed)
    assert (event.attempt, event.pause) == (1, 5)


def test_warnings_come_once_each() -> None:
    plan = schedule(certificate())
    assert plan.warnings(BEGIN + 2999) == []
    assert plan.warnings(BEGIN + 3001) == [CertificateExpiring(certificate(), timedelta(seconds=599))]
    assert plan.warnings(BEGIN + 3600) == []
    assert plan.warnings(BEGIN + 3601) == [CertificateExpired(certificate())]
    assert plan.warnings(BEGIN + 9999) == []
    late = schedule(certificate(), now=BEGIN + 5000)
    assert late.warnings(BEGIN + 5000) == [CertificateExpired(certificate())]
    assert schedule(None).warnings(BEGIN) == []


def test_a_certificate_of_no_use() -> None:
    plan = schedule(certificate())
    with pytest.raises(CertificateError, match="expired at"):
        plan.check(certificate(BEGIN - 7200), BEGIN)
    with pytest.raises(CertificateError, match="not expire later"):
        plan.check(certificate(), BEGIN)
    plan.check(certificate(BEGIN + 1), BEGIN)
    schedule(None).check(certificate(), BEGIN)


def test_a_clock_that_is_ahead_does_not_make_it_fetch_all_the_time() -> None:
    now = BEGIN + 3000
    plan = schedule(None, now=now)
    plan.renewed(certificate(), now)
    assert not plan.is_due(now + 59)
    assert plan.is_due(now + 61)


@given(
    st.lists(st.sampled_from(["renew", "fail", "wait"]), max_size=60),
    st.integers(1, 400_000_000),
    st.floats(0, 1),
    st.booleans(),
)
def test_it_always_goes_on(steps: list[str], lifetime: int, random: float, begins_empty: bool) -> None:
    """It never waits for ever nor spins, and says each thing once for a certificate."""
    now = float(BEGIN)
    plan = schedule(None if begins_empty else certificate(lifetime=lifetime), random=random)
    said: list[RenewalEvent] = []
    for step in steps:
        if step == "renew" and plan.is_due(now) and now + lifetime < 2**32:
            new = certificate(int(now) + 1, lifetime)
            plan.renewed(new, now)
            assert plan.certificate == new
            assert not plan.is_due(now)
        elif step == "fail" and plan.is_due(now):
            plan.failed(ERROR, now)
            assert not plan.is_due(now)
        warnings = plan.warnings(now)
        assert plan.warnings(now) == []
        said += warnings
        wait = plan.wait(now, fetching=False)
        assert 0 <= wait <= 60
        assert wait > 0 or plan.is_due(now)
        now += wait + 0.001
    names = [
        (type(each), each.certificate) for each in said if isinstance(each, CertificateExpired | CertificateExpiring)
    ]
    assert len(names) == len(set(names))


def test_it_looks_at_the_clock_while_it_fetches() -> None:
    plan = schedule(certificate())
    assert plan.wait(BEGIN + 2999.5, fetching=True) == pytest.approx(0.5)
    assert plan.wait(BEGIN + 2500, fetching=True) == 60
    assert plan.wait(BEGIN + 2500, fetching=False) == 0
    assert Schedule(Certificate(CERTIFICATES["leaf"]), BEGIN, lambda: 0.5).wait(BEGIN, fetching=False) == 60
