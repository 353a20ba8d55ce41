"""The arguments of connect()."""

from __future__ import annotations

from typing import Any

import pytest

from gns_py import ClosedBy
from gns_py._core.deadline import Deadline
from gns_py.session import CloseReason, GoingAway, SessionEnd
from gns_py.session._core.addresses import Source
from gns_py.session._core.opening import Opening
from gns_py.session._core.outages import NO_CALLBACKS
from gns_py.session._core.succession import Succession

A, B = ("a", 1), ("b", 2)


def opening(host: Any = "a", port: int | None = 1, **named: Any) -> Opening:
    arguments: dict[str, Any] = {
        "data": b"",
        "timeout": 10.0,
        "config": None,
        "session_config": None,
        "on_status_changed": None,
        "callbacks": NO_CALLBACKS,
        "max_redirects": 3,
        **named,
    }
    return Opening(Source(host, port, may_await=False), **arguments)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"port": 0}, ValueError),
        ({"data": "text"}, TypeError),
        ({"timeout": -1.0}, ValueError),
        ({"config": 7}, TypeError),
        ({"session_config": 7}, TypeError),
        ({"on_status_changed": 7}, TypeError),
        ({"max_redirects": -1}, ValueError),
        ({"max_redirects": 17}, ValueError),
        ({"max_redirects": True}, TypeError),
        ({"host": list, "port": None, "timeout": -1.0}, ValueError),
    ],
)
def test_arguments_are_checked_at_once(wrong: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        opening(**wrong)


@pytest.mark.parametrize(("max_redirects", "order"), [(3, [B, A]), (0, [A])])
def test_the_next_session_begins_where_the_last_server_has_said(max_redirects: int, order: list[object]) -> None:
    succession = Succession()
    end = SessionEnd(ClosedBy.PEER, CloseReason.SERVER_SHUTTING_DOWN, 1_000, "")
    succession.ended(end, GoingAway(end.reason, "", 0.0, (B, A)), 60.0)
    search = opening(max_redirects=max_redirects).search(Deadline(10.0), succession)
    assert [search.next() for _ in order] == order


def test_a_session_goes_on_at_redirects_only_if_it_may() -> None:
    for most, first in ((0, A), (3, B)):
        route = opening(max_redirects=most).route(A)
        route.redirect((B,))
        assert route.next()[0] == first
