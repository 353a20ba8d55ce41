"""A game's server and two players, each a process of its own: signals, then a connection from peer to peer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support import Peer
from support.deadline import PATIENCE

PROGRAM = Path(__file__).parents[1] / "support" / "relay_program.py"
APIS = ["asyncio", "session.asyncio", "sync", "session.sync"]
START = 20.0 * PATIENCE
PeerMaker = Callable[..., Peer]


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("server_api", ["asyncio", "sync"])
def test_players_find_each_other_over_the_games_server(peer: PeerMaker, server_api: str, api: str) -> None:
    served = ("session." if "session" in api else "") + server_api
    server = peer(PROGRAM, "server", served)
    port = server.line(START)
    bob = peer(PROGRAM, "bob", api, port)
    assert bob.line(START) == "str:bob is there"
    alice = peer(PROGRAM, "alice", api, port)
    assert alice.line(START) == "str:alice is there"
    assert alice.line(START) == "echo of hello, str:bob proved to the game's server"
    assert alice.line(START) == "the game goes on"
    assert bob.line(START) == "the game goes on"
    bob.say("end")
    alice.say("end")
    server.say("end")
    for each in (alice, bob, server):
        assert each.process.wait(START) == 0
