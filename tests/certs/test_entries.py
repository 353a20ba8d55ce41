"""The lines of an authority's lists."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gns_py import Identity
from gns_py.certs import Issued, Revocation
from gns_py.certs.entries import (
    DAMAGED,
    issued_from_line,
    issued_to_line,
    revocation_from_line,
    revocation_to_line,
)

key_ids = st.integers(1, 2**64 - 1)
identities = st.none() | st.sampled_from(["str:alice", "str:Zoë", "str:a b\u2028c", "gen:0a0b"]).map(Identity.parse)
times = st.datetimes(datetime(1970, 1, 2), datetime(2106, 1, 1), timezones=st.just(timezone.utc))


@given(st.builds(Issued, key_ids, identities, times, times))
def test_a_certificate_comes_back_from_its_line(issued: Issued) -> None:
    line = issued_to_line(issued)
    assert "\n" not in line
    assert issued_from_line(f"{line}\n") == issued


@given(st.builds(Revocation, key_ids, times))
def test_a_revocation_comes_back_from_its_line(revocation: Revocation) -> None:
    line = revocation_to_line(revocation)
    assert "\n" not in line
    assert revocation_from_line(line) == revocation


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "[]",
        "null",
        '{"key_id": "1"}',
        '{"key_id": "x", "identity": null, "created": "", "expires": "", "revoked": ""}',
        '{"key_id": "1", "identity": 5, "created": "", "expires": "", "revoked": 5}',
        '{"key_id": "1", "identity": null, "created": "2026-01-01", "expires": "2026-01-01", "revoked": "2026-01-01"}',
    ],
)
def test_lines_that_are_damaged(line: str) -> None:
    with pytest.raises(DAMAGED):
        issued_from_line(line)
    with pytest.raises(DAMAGED):
        revocation_from_line(line)


def test_other_time_zones() -> None:
    zone = timezone(timedelta(hours=5))
    issued = Issued(1, None, datetime(2026, 1, 1, tzinfo=zone), datetime(2026, 1, 2, tzinfo=zone))
    assert issued_from_line(issued_to_line(issued)) == issued
