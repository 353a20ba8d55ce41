"""How a program gives addresses, and the order in which a client tries them."""

from __future__ import annotations

from typing import Any

import pytest

from gns_py import Address
from gns_py.session._core.addresses import Route, Source, Where, parse_addresses

A, B, C, D = ("a", 1), ("b", 2), ("c", 3), ("d", 4)


def route(*own: Where, home: Where = A, may_redirect: bool = True) -> Route:
    return Route(Source(own or (A, B, C), None, may_await=False), home, may_redirect=may_redirect)


def take_round(tried: Route) -> list[Where]:
    found = []
    while True:
        where, has_others = tried.next()
        found.append(where)
        if not has_others:
            return found


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["a:1", "[::1]:2", ("c", 3)], (("a", 1), ("::1", 2), ("c", 3))),
        ((A, "a:1", A), (A,)),
        ([Address("1.2.3.4", 5)], (("1.2.3.4", 5),)),
        (iter(["a:1"]), (A,)),
        ({"a:1": None}, (A,)),
    ],
)
def test_addresses_are_texts_and_pairs(given: Any, expected: tuple[Where, ...]) -> None:
    assert parse_addresses(given) == expected


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ([], ValueError),
        ("a:1", TypeError),
        (b"a:1", TypeError),
        (None, TypeError),
        (7, TypeError),
        (["a"], ValueError),
        (["a:0"], ValueError),
        (["::1"], ValueError),
        ([("a", 0)], ValueError),
        ([("a", 65_536)], ValueError),
        ([("a", "1")], TypeError),
        ([("a", True)], TypeError),
        ([("a",)], TypeError),
        ([None], TypeError),
        (("a", 1), ValueError),  # one address: without a list
    ],
)
def test_anything_else_is_refused(given: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        parse_addresses(given)


def test_a_source_is_one_address_or_several_or_a_function() -> None:
    async def later() -> list[str]:
        return ["a:1"]

    assert Source("a", 1, may_await=False).known == (A,)
    assert Source(["a:1", B], None, may_await=False).known == (A, B)
    assert Source(later, None, may_await=True).function is later
    for wrong in ("a", "a:1", None, later):
        with pytest.raises(TypeError):
            Source(wrong, None, may_await=False)


def test_the_last_good_address_goes_first() -> None:
    tried = route(home=B)
    assert take_round(tried) == [B, A, C]
    assert tried.is_round_over
    tried.next()
    tried.next()
    tried.settle()
    assert tried.is_round_over
    assert take_round(tried) == [A, B, C]


def test_the_server_that_has_the_session_is_tried_even_if_it_is_not_listed() -> None:
    assert take_round(route(B, C)) == [A, B, C]


def test_a_server_that_goes_away_is_tried_last() -> None:
    tried = route()
    tried.redirect((D, C))
    assert take_round(tried) == [D, C, B, A]
    assert take_round(tried) == [D, C, B, A]
    tried.next()
    tried.settle()
    assert tried.home == D
    assert take_round(tried) == [D, C, A, B]


def test_without_addresses_its_own_others_are_tried() -> None:
    tried = route()
    tried.redirect(())
    assert take_round(tried) == [B, C, A]


def test_a_redirect_counts_only_if_it_may() -> None:
    tried = route(may_redirect=False)
    tried.redirect((D,))
    assert take_round(tried) == [B, C, A]


def test_the_same_redirect_does_not_begin_a_round_again() -> None:
    tried = route()
    tried.redirect((D,))
    assert tried.next() == (D, True)
    tried.redirect((D,))
    assert tried.next() == (B, True)
    tried.redirect((C,))
    assert tried.next() == (C, True)


def test_the_server_that_has_the_session_has_the_last_word() -> None:
    tried = route(home=B)
    tried.next()
    assert tried.is_last_word()
    for _ in range(2):
        tried.next()
        assert not tried.is_last_word()


def test_a_single_address_is_its_own_round() -> None:
    tried = route(A)
    for _ in range(3):
        assert tried.next() == (A, False)
        assert tried.is_round_over
        assert tried.is_last_word()
