"""A player in the laboratory, whose session with another one goes on whatever happens to the network.

    player IDENTITY HOST PORT [PEER]

HOST and PORT are those of a signalling server of the WebSocket protocol. Without a peer it serves sessions, and echoes.
With one it sends the number of each line that it reads from standard input, and prints what comes back.
"""

from __future__ import annotations

import asyncio
import sys

from gns_py import Config
from gns_py.p2p import Peer
from gns_py.p2p.signalling import WebSocketSignalling
from gns_py.session import SessionConfig
from gns_py.session.asyncio import Session, connect, serve

# The end of a connection is noticed within a second.
CONFIG = Config(timeout_connected=1_000)
SESSION = SessionConfig(ping_timeout=1.0, min_ping_timeout=0.1, resume_window=60.0)


async def echo(session: Session) -> None:
    async for message in session:
        session.send(message)


async def read_lines(session: Session) -> None:
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        session.send(line.strip().encode())


async def main(identity: str, host: str, port: str, *peers: str) -> None:
    signalling = WebSocketSignalling(f"ws://{host}:{port}", token=identity)
    async with signalling, Peer(signalling) as peer:
        if not peers:
            async with serve(echo, peer, 0, config=CONFIG, session_config=SESSION):
                print("ready", flush=True)
                await asyncio.Event().wait()
        dropped = lambda session, why: print("dropped", flush=True)  # noqa: E731, ARG005
        where = peer.at(peers[0])
        async with connect(where, config=CONFIG, session_config=SESSION, on_dropped=dropped) as session:
            print("ready", session.route, flush=True)
            reading = asyncio.ensure_future(read_lines(session))
            async for message in session:
                print(message.decode(), flush=True)
            reading.cancel()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
