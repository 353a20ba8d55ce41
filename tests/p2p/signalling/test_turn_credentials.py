"""Credentials that end, as coturn computes them."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from gns_py import Identity
from gns_py.p2p.signalling import turn_credentials

NOW = datetime.fromtimestamp(1_700_000_000, timezone.utc)


def test_the_form_of_coturn() -> None:
    turn = turn_credentials("turn.example.org:3478", "north", Identity.string("alice"), timedelta(hours=2), now=NOW)
    assert turn.username == "1700007200:str:alice"
    code = hmac.new(b"north", b"1700007200:str:alice", hashlib.sha1).digest()
    assert turn.password == base64.b64encode(code).decode()
    assert turn.expires == NOW + timedelta(hours=2)
    assert "north" not in repr(turn)
    assert turn.password not in repr(turn)


def test_a_fixed_vector() -> None:
    turn = turn_credentials("t:3478", b"secret", "bob", 3600, now=NOW)
    assert (turn.username, turn.password) == ("1700003600:bob", "U7GJfT9z4xLLdzPHDHQKMn5stAY=")


def test_names_that_nothing_else_can_take() -> None:
    assert turn_credentials("t:1", "s", "", 1, now=NOW).username == "1700000001"
    assert turn_credentials("t:1", "s", "a,b\n\\c", 1, now=NOW).username == "1700000001:a_b__c"
    assert turn_credentials("t:1", "s").expires is not None


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        (("t:1", ""), ValueError, "secret is empty"),
        (("t:1", 5), TypeError, "secret must be"),
        (("t:1", "s", 5), TypeError, "user must be"),
        (("t:1", "s", "u", 0.5), ValueError, "at least one second"),
        (("t", "s"), ValueError, "is not the address"),
    ],
)
def test_bad_arguments(arguments: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        turn_credentials(*arguments)
