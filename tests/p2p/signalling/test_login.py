"""Logging in, without sockets: which messages are taken. The server's tests show the rest."""

from __future__ import annotations

import asyncio
import logging

import pytest

from gns_py import Identity
from gns_py.p2p.signalling import Refusal, SignallingRefused
from gns_py.p2p.signalling.login import Login
from gns_py.p2p.signalling.wire import HelloCertificate, HelloToken, Methods, Ping

BY_TOKEN = Login(lambda token: f"str:{token}", None, (), "")


def test_by_token() -> None:
    challenge = BY_TOKEN.challenge()
    assert challenge.methods == Methods.TOKEN
    assert challenge.nonce != BY_TOKEN.challenge().nonce
    assert asyncio.run(BY_TOKEN.identity(HelloToken("alice"), challenge)) == Identity.string("alice")


@pytest.mark.parametrize(
    ("hello", "reason"),
    [(Ping(1), Refusal.PROTOCOL), (HelloCertificate(b"x", bytes(64)), Refusal.NOT_AUTHENTICATED)],
)
def test_other_messages(hello: Ping | HelloCertificate, reason: Refusal) -> None:
    with pytest.raises(SignallingRefused) as raised:
        asyncio.run(BY_TOKEN.identity(hello, BY_TOKEN.challenge()))
    assert raised.value.reason is reason


def test_a_token_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    refusing = Login(lambda _: None, None, (), "")
    with pytest.raises(SignallingRefused) as raised:
        asyncio.run(refusing.identity(HelloToken("a secret"), refusing.challenge()))
    assert "secret" not in caplog.text + str(raised.value)


def test_malformed_certificates() -> None:
    pytest.importorskip("cryptography")
    login = Login(None, [], (), "sig.example.org")
    for data in (b"\xff" * 100, b"\x00"):
        with pytest.raises(SignallingRefused) as raised:
            asyncio.run(login.identity(HelloCertificate(data, bytes(64)), login.challenge()))
        assert raised.value.reason is Refusal.NOT_AUTHENTICATED
        assert len(raised.value.text.encode()) <= 255
