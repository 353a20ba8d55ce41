"""ICE servers as values: bad ones are refused with a clear error, and passwords are shown nowhere."""

from __future__ import annotations

import copy
import pickle
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from gns_py.p2p import IceServers, Turn

NOW = datetime(2030, 1, 1, tzinfo=timezone.utc)
TURN = Turn("turn.example.org:3478", "user", "a secret")


def test_values() -> None:
    servers = IceServers(["stun.example.org:3478", "[2001:db8::1]:3478"], [TURN], "relay")
    assert servers.stun == ("stun.example.org:3478", "[2001:db8::1]:3478")
    assert servers.turn == (TURN,)
    assert servers.policy == "relay"
    assert IceServers() == IceServers([], [], "all")
    assert hash(servers) == hash(IceServers(iter(servers.stun), (TURN,), policy="relay"))


def test_the_password_is_not_shown() -> None:
    assert "secret" not in repr(TURN)
    assert "secret" not in str(IceServers(turn=[TURN]))
    with pytest.raises(ValueError, match="password") as raised:
        Turn("turn.example.org:3478", "user", "a secret,")
    assert "secret" not in str(raised.value)


def test_the_end_of_credentials() -> None:
    servers = [Turn("t:1", "u", "p", NOW + timedelta(hours=hours)) for hours in (2, 1)]
    assert IceServers(turn=[TURN, *servers]).expires == NOW + timedelta(hours=1)
    assert IceServers(turn=[TURN]).expires is None
    assert not servers[1].is_expired(NOW)
    assert servers[1].is_expired(NOW + timedelta(hours=1))
    assert not servers[1].is_expired()
    assert not TURN.is_expired(NOW)


def test_copies() -> None:
    servers = IceServers(["s:1"], [TURN])
    assert pickle.loads(pickle.dumps(servers)) == servers
    assert copy.deepcopy(servers) == servers


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"stun": "stun.example.org:3478"}, TypeError, "put a single one into a list"),
        ({"turn": TURN}, TypeError, "put a single one into a list"),
        ({"stun": [1]}, TypeError, "must be a str, not int"),
        ({"turn": ["turn.example.org:3478"]}, TypeError, "must be a Turn, not str"),
        ({"stun": ["stun.example.org"]}, ValueError, "is not the address of a STUN server, like"),
        ({"stun": ["stun.example.org:0"]}, ValueError, "is not the address"),
        ({"stun": ["stun.example.org:70000"]}, ValueError, "is not the address"),
        ({"stun": ["1.2.3:1"]}, ValueError, "is not the address"),
        ({"stun": ["2001:db8::1:3478"]}, ValueError, "is not the address"),
        ({"stun": ["a,b:1"]}, ValueError, "is not the host"),
        ({"stun": ["a\x1b:1"]}, ValueError, "x1b' is not the host"),
        ({"stun": ["a" * 256 + ":1"]}, ValueError, "is not the host"),
        ({"stun": ["stun:stun.example.org:3478"]}, ValueError, "is a URI: write host and port alone"),
        ({"stun": ["s:1"] * 9}, ValueError, "there are 9 STUN servers: 8 are the most"),
        ({"turn": [TURN] * 9}, ValueError, "there are 9 TURN servers"),
        ({"policy": "none"}, ValueError, "'none' is not a policy: 'all', 'relay', 'no-public-address'"),
        ({"policy": "relay", "stun": ["s:1"]}, ValueError, "needs a TURN server"),
    ],
)
def test_bad_servers_are_refused(arguments: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        IceServers(**arguments)


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"address": "turns:turn.example.org:5349"}, ValueError, "is a URI"),
        ({"address": "turn.example.org"}, ValueError, "is not the address of a TURN server"),
        ({"username": 1}, TypeError, "the username must be a str, not int"),
        ({"username": ""}, ValueError, "1 to 500 bytes, not 0"),
        ({"username": "a" * 501}, ValueError, "1 to 500 bytes, not 501"),
        ({"username": "a,b"}, ValueError, "no comma"),
        ({"username": "a\nb"}, ValueError, "no unprintable"),
        ({"password": "\udc80"}, ValueError, "UTF-8"),
        ({"password": "a" * 256}, ValueError, "1 to 255 bytes, not 256"),
        ({"expires": 1}, TypeError, "a datetime or None, not int"),
        ({"expires": datetime(2030, 1, 1)}, ValueError, "time zone"),
    ],
)
def test_a_bad_turn_server_is_refused(change: dict[str, Any], error: type[Exception], text: str) -> None:
    values: dict[str, Any] = {"address": "turn.example.org:3478", "username": "user", "password": "password"}
    with pytest.raises(error, match=text):
        Turn(**(values | change))
