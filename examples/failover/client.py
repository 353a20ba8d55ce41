"""A player who counts, whichever of the servers lives.

python client.py NAME COUNT PORT [PORT ...]
"""

import asyncio
import sys

import gns_py.session.asyncio as session
from gns_py import Config

# Connections that are lost are given up within a second.
QUICK = Config(timeout_connected=1_000, timeout_initial=1_000)
SETTINGS = session.SessionConfig(ping_timeout=1.0, resume_window=60.0)


async def main(name: str, count: int, ports: list[str]) -> None:
    addresses = [f"127.0.0.1:{port}" for port in ports]
    async with session.connect(addresses, data=name.encode(), config=QUICK, session_config=SETTINGS) as server:
        for number in range(1, count + 1):
            server.send(b"1")
            total = int(await server.recv())
            if total != number:
                raise SystemExit(f"{name}: the server has counted {total}, and I said {number}")
            await asyncio.sleep(0.02)
        print(f"{name}: counted to {count}, and never wrong; {server.drops} outages", flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3:]))
