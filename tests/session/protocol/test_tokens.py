"""The tokens of a session: which ones a server accepts after which epoch."""

from __future__ import annotations

from gns_py.session.protocol.tokens import Tokens


def test_a_token_is_valid_with_its_epoch_alone() -> None:
    tokens = Tokens()
    assert len(tokens.newest) == 16
    assert tokens.accept(1, tokens.newest)
    assert not tokens.accept(2, tokens.newest)
    assert not tokens.accept(1, bytes(16))
    assert not tokens.accept(1, b"")


def test_the_older_token_is_valid_until_the_newest_is_confirmed() -> None:
    tokens = Tokens()
    first = tokens.newest
    tokens.renew()
    assert tokens.epoch == 2
    assert tokens.newest != first
    assert tokens.accept(1, first)
    tokens.confirm()
    assert not tokens.accept(1, first)
    assert tokens.accept(2, tokens.newest)


def test_showing_the_newest_token_confirms_it() -> None:
    tokens = Tokens()
    first = tokens.newest
    tokens.renew()
    assert tokens.accept(2, tokens.newest)
    assert not tokens.accept(1, first)


def test_of_several_tokens_that_were_lost_only_the_newest_and_the_confirmed_one_are_valid() -> None:
    tokens = Tokens()
    seen = [tokens.newest]
    for _ in range(3):
        tokens.renew()
        seen.append(tokens.newest)
    assert [tokens.accept(epoch, token) for epoch, token in enumerate(seen, 1)][:3] == [True, False, False]
    assert tokens.accept(4, seen[3])
    assert not tokens.accept(1, seen[0])
