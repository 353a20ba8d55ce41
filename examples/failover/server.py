"""One of several servers that share a store: each can go on with the others' sessions.

python server.py PORT STORE      the port to listen on, and the store, like valkey://127.0.0.1:6379
"""

import asyncio
import sys

import gns_py.session.asyncio as session
from gns_py.session.store import StoreUnavailable, ValkeyStore

SETTINGS = session.SessionConfig(ping_timeout=1.0, resume_window=60.0)


async def count(player: session.Session) -> None:
    """Count what the player says. The count and the answer are stored in one step, or not at all."""
    total = int(player.saved_state or b"0")
    if player.restored:
        print(f"going on with {player.peer_data.decode()} at {total}", flush=True)
    async for data in player:
        total += int(data)
        player.send(b"%d" % total)
        while True:
            try:
                await player.commit(b"%d" % total)
            except StoreUnavailable:
                continue  # nothing is answered before it is stored
            break


async def main(port: int, store: str) -> None:
    async with session.serve(
        count, "127.0.0.1", port, store=ValkeyStore(store), durable=True, session_config=SETTINGS
    ) as server:
        print(f"listening on {server.address}", flush=True)
        async with session.drain_on_signal(server):
            await server.wait_closed()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
