"""A signalling server in the laboratory, which believes what tokens say, and hands out the laboratory's ICE servers.

rendezvous_server HOST PORT ICE_SERVER USER PASSWORD
"""

from __future__ import annotations

import asyncio
import sys

from gns_py import Identity
from gns_py.p2p import IceServers, Turn
from gns_py.p2p.signalling import SignallingServer


async def main(host: str, port: str, server: str, user: str, password: str) -> None:
    servers = IceServers(stun=[server], turn=[Turn(server, user, password)])
    async with SignallingServer(Identity.parse, ice_servers=servers, rooms_only=False) as signalling:
        [(_, found)] = await signalling.listen(host, int(port))
        print("ready", found, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
