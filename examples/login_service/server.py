"""The game server: it lets in no one without a certificate of the login service's authority.

python server.py CREDENTIALS TRUST      its own certificate and key, and the authority's certificate
"""

import asyncio
import sys

import gns_py
import gns_py.session.asyncio as session
from gns_py.certs import Certificate, Credentials


def decide(request: session.SessionRequest[session.Session]) -> None:
    """Let players in under the name that their certificate proves, and under no other."""
    if str(request.identity) == "str:player:" + request.data.decode(errors="replace"):
        request.accept(key=str(request.identity))  # one session for each player
    else:
        request.reject(1003, f"you are {request.identity}", reason=session.CloseReason.AUTHENTICATION_FAILED)


async def play(player: session.Session) -> None:
    assert player.remote_key is not None  # the handshake is over
    name = f"{player.remote_identity}, key {player.remote_key.hex()[:8]}"
    print(f"{name}, is here", flush=True)
    async for data in player:
        player.send(f"{name}: ".encode() + data)


async def main(credentials: str, trust: str) -> None:
    gns_py.start(certificate=Credentials.load(credentials), trust=Certificate.load_all(trust))
    async with session.serve(play, "127.0.0.1", 0, on_request=decide, require_authentication=True) as server:
        print(f"listening on {server.address}", flush=True)
        await server.wait_closed()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
