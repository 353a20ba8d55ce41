"""The tokens of a session: which ones a server accepts after which epoch."""

from __future__ import annotations

from gns_py.session.protocol.tokens import SECRET_SIZE, DerivedTokens, Tokens, token_of


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


def test_a_new_owner_knows_the_tokens_of_the_one_before_until_the_client_has_one_of_its_own() -> None:
    secret = bytes(SECRET_SIZE)
    tokens = DerivedTokens(secret)
    assert tokens.begin_ownership(1, 3)  # the client has shown the token of epoch 3, and then it went back
    tokens.renew()
    first = 1 << 20
    assert not tokens.accept(4, token_of(secret, 5))
    assert not tokens.accept(2, token_of(secret, 2))
    assert tokens.accept(3, token_of(secret, 3))
    assert tokens.accept(5, token_of(secret, 5))
    assert not tokens.accept(4, token_of(secret, 4))
    assert not tokens.accept(first, token_of(secret, first))
    tokens.renew()
    assert not tokens.accept(first + 1, token_of(secret, first + 1))  # as ever: another one has followed
    assert tokens.accept(first + 2, tokens.newest)
    assert not tokens.accept(6, token_of(secret, 6))
