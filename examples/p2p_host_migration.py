"""A game whose host may leave, or die: the next one goes on. Each player counts, and the host keeps the score of all.

    gns-py signalling serve --tokens tokens.txt                    the service by which they find each other
    python p2p_host_migration.py TOKEN ROOM COUNT [URL]            a player (ws://127.0.0.1:8765); kill the host

tokens.txt has lines such as "secret-of-ann str:ann". All that the players know survives the host: each has the last
score it was sent, and sends its own number until a score has it. All that only the host knows dies with it, unless
there is a store that all can reach, as in the example failover. Needs gns-py[p2p].
"""

import asyncio
import contextlib
import json
import sys

import gns_py.session.asyncio as session
from gns_py.p2p import Peer
from gns_py.p2p.signalling import HostChanged, Room, SignallingError, WebSocketSignalling

SETTINGS = session.SessionConfig(ping_timeout=1.0, resume_window=2.0)


async def play_game(peer: Peer, room: Room, count: int) -> None:
    me, score = str(peer.identity), {str(peer.identity): 0}

    def learn(text: bytes) -> None:
        for player, number in json.loads(text).items():  # numbers only grow: the larger one is the newer one
            score[player] = max(int(number), score.get(player, 0))

    async def host() -> None:
        async def take(player: session.Session) -> None:
            players.add(player)
            with contextlib.suppress(session.SessionClosed):
                async for data in player:  # at first all that the player knows: it may be more than is known here
                    learn(data)
            players.discard(player)

        players: set[session.Session] = set()
        async with session.serve(take, peer, 0, session_config=SETTINGS):
            print(f"hosts, and goes on from {score}", flush=True)
            while score[me] < count:
                score[me] += 1
                for player in list(players):
                    with contextlib.suppress(session.SessionClosed):
                        player.send(json.dumps(score).encode())
                await asyncio.sleep(0.1)
            await room.leave()  # so that the others know the next host before their sessions end

    async def play() -> None:
        # The function is asked before each attempt, and the host may be another one by then.
        async for server in session.connect(lambda: [peer.at(room.host)], timeout=5.0, session_config=SETTINGS):
            with contextlib.suppress(session.SessionClosed):
                server.send(json.dumps(score).encode())
                learn(await server.recv())
                print(f"plays with {server.remote_identity}", flush=True)
                async for data in server:
                    learn(data)
                    if score[me] == count:
                        return
                    server.send(json.dumps({me: score[me] + 1}).encode())

    async def change_roles() -> None:
        was_host = room.is_host
        async for event in room:
            if isinstance(event, HostChanged) and room.is_host != was_host:
                was_host = room.is_host
                role.cancel()

    watching = asyncio.ensure_future(change_roles())
    while score[me] < count:
        role = asyncio.ensure_future(host() if room.is_host else play())
        await asyncio.wait({role})
        if not role.cancelled():
            role.result()
    watching.cancel()
    print(f"counted to {count}: {score}", flush=True)


async def main(token: str, name: str, count: str, url: str = "ws://127.0.0.1:8765") -> None:
    async with WebSocketSignalling(url, token=token) as signalling, Peer(signalling) as peer:
        await play_game(peer, await signalling.join(name, create=True), int(count))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt, SignallingError):
        asyncio.run(main(*sys.argv[1:]))
