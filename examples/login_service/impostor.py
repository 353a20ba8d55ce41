"""A program that says it is Alice, without a certificate, or with one of an authority of its own.

python impostor.py ADDRESS [--own-authority]      the game server's address
"""

import asyncio
import sys

import gns_py
import gns_py.session.asyncio as session
from gns_py.certs import Authority


async def main(address: str) -> None:
    if "--own-authority" in sys.argv:
        authority = Authority.create()
        gns_py.start(certificate=authority.issue("str:player:alice"), trust=[authority.root])
    else:
        gns_py.start("str:player:alice")
    try:
        async with session.connect([address], data=b"alice"):
            print("I am alice!", flush=True)
    except session.SessionFailed as error:
        raise SystemExit(f"the game server refuses: {error}") from None


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
