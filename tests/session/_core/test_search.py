"""The addresses that one connect() tries."""

from __future__ import annotations

import pytest

from gns_py import ClosedBy
from gns_py.session import CloseReason, SessionEnd, SessionFailed, SessionRejected, SessionTimeout
from gns_py.session._core.addresses import Where
from gns_py.session._core.search import Search

A, B, C, D = ("a", 1), ("b", 2), ("c", 3), ("d", 4)


def end(reason: CloseReason, by: ClosedBy = ClosedBy.PEER) -> SessionEnd:
    return SessionEnd(by, reason, reason.native_code, "", is_confirmed=False)


def redirected(*addresses: Where) -> SessionRejected:
    return SessionRejected(end(CloseReason.SERVER_SHUTTING_DOWN), addresses)


NO_ANSWER = SessionTimeout(end(CloseReason.CONNECTION_LOST, ClosedBy.PROBLEM))


def search(*addresses: Where, timeout: float | None = 12.0, max_redirects: int = 3) -> Search:
    return Search(addresses, timeout, max_redirects)


def fail_all(tried: Search, errors: dict[Where, OSError], raised: list[OSError] | None = None) -> list[Where]:
    """Return the addresses that are tried until an error is raised."""
    order = []
    while True:
        where = tried.next()
        order.append(where)
        try:
            tried.failed(where, errors.get(where, NO_ANSWER))
        except OSError as error:
            if raised is not None:
                raised.append(error)
            return order


@pytest.mark.parametrize(
    "error",
    [
        NO_ANSWER,
        SessionTimeout(end(CloseReason.ABORTED, ClosedBy.PROBLEM)),
        SessionRejected(end(CloseReason.RATE_LIMITED)),
        SessionRejected(end(CloseReason.SERVER_SHUTTING_DOWN)),
        SessionFailed(end(CloseReason.INTERNAL_ERROR)),
        OSError("no way"),
    ],
    ids=str,
)
def test_after_these_the_next_one_is_tried(error: OSError) -> None:
    assert fail_all(search(A, B), {A: error}) == [A, B]


@pytest.mark.parametrize(
    "error",
    [
        SessionRejected(end(CloseReason.REJECTED)),
        SessionRejected(end(CloseReason.AUTHENTICATION_FAILED)),
        SessionRejected(end(CloseReason.VERSION_MISMATCH)),
        SessionFailed(end(CloseReason.PROTOCOL_ERROR, ClosedBy.LOCAL)),
    ],
    ids=str,
)
def test_after_these_none_is(error: OSError) -> None:
    assert fail_all(search(A, B), {A: error}) == [A]


def test_each_address_has_its_share_of_the_time() -> None:
    tried = search(A, B, C)
    for share in (4.0, 6.0, 12.0):
        assert tried.timeout == pytest.approx(share, abs=0.5)
        tried.next()


def test_without_a_limit_only_a_single_address_has_none() -> None:
    assert search(A, timeout=None).timeout is None
    assert search(A, B, timeout=None).timeout == 10.0


def test_the_time_is_over() -> None:
    assert fail_all(search(A, B, timeout=0.0), {}) == [A]


def test_a_redirect_is_followed_before_the_rest() -> None:
    assert fail_all(search(A, B), {A: redirected(C, D)}) == [A, C, D, B]


@pytest.mark.parametrize(
    ("at_redirect", "is_told"), [(NO_ANSWER, False), (SessionRejected(end(CloseReason.REJECTED)), True)]
)
def test_a_redirect_to_nowhere_is_reported_as_such(at_redirect: OSError, is_told: bool) -> None:
    """The address that the application knows has answered, and says where it has tried to send the client."""
    rejected, raised = redirected(B), list[OSError]()
    assert fail_all(search(A), {A: rejected, B: at_redirect}, raised) == [A, B]
    assert raised == [at_redirect if is_told else rejected]


def test_servers_that_redirect_to_each_other_are_tried_once() -> None:
    errors: dict[Where, OSError] = {A: redirected(B, A), B: redirected(A, B)}
    assert fail_all(search(A), errors) == [A, B]


@pytest.mark.parametrize("most", [0, 1, 3])
def test_redirects_are_counted(most: int) -> None:
    chain = [(f"{number}.example", 1) for number in range(10)]
    errors: dict[Where, OSError] = {where: redirected(chain[number + 1]) for number, where in enumerate(chain[:-1])}
    assert fail_all(search(chain[0], max_redirects=most), errors) == chain[: most + 1]


def test_other_rejections_do_not_redirect() -> None:
    rejected = SessionRejected(end(CloseReason.RATE_LIMITED), (B,))
    assert fail_all(search(A), {A: rejected}) == [A]
