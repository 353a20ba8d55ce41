"""Another peer, in a process of its own: it echoes what it gets over connections (port 0) and sessions (port 1)."""

from __future__ import annotations

import asyncio
import sys

import gns_py.asyncio as gns
import gns_py.session.asyncio as sessions
from gns_py.p2p import Peer
from gns_py.p2p.signalling import LineSignalling


async def echo(connection: gns.Connection | sessions.Session) -> None:
    async for message in connection:
        connection.send(message)


async def main(port: int, name: str, *, calls: str = "") -> None:
    loop = asyncio.get_running_loop()
    async with (
        LineSignalling("127.0.0.1", port, name) as signalling,
        Peer(signalling) as peer,
        gns.serve(echo, peer, 0),
        sessions.serve(echo, peer, 1),
    ):
        print("ready", flush=True)
        if calls:
            async with gns.connect(peer.at(calls, 5)) as connection:
                connection.send(b"from " + name.encode())
                print((await connection.recv()).decode(), flush=True)
        await loop.run_in_executor(None, sys.stdin.readline)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], calls="".join(sys.argv[3:])))
