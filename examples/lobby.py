"""A lobby: players join with a name and a version, the server decides, and they leave with their score.

python lobby.py [--host HOST] [--port PORT]                            the server (127.0.0.1 27015; 0: a free port)
python lobby.py NAME SCORE [--version N] [--host HOST] [--port PORT]   a player who leaves with that score
"""

import argparse
import asyncio
import contextlib
import json

import gns_py.session.asyncio as session

VERSION = 7


async def serve(host: str, port: int) -> None:
    players: dict[bytes, str] = {}

    def decide(request: session.SessionRequest[session.Session]) -> None:
        try:
            asked = json.loads(request.data)
            name, version = str(asked["name"])[:20], int(asked["version"])
        except (ValueError, KeyError, TypeError):
            request.reject(2000, "not a valid request")
        else:
            if version != VERSION:
                request.reject(1001, f"this is version {VERSION}, yours is {version}: please update")
            elif name in players.values():
                request.reject(1002, f"{name} is here already")
            else:
                players[request.accept(json.dumps(sorted(players.values())).encode()).id] = name

    async def play(player: session.Session) -> None:
        name = players[player.id]
        print(f"{name} has joined", flush=True)
        try:
            async for move in player:
                print(f"{name}: {move.decode(errors='replace')!r}", flush=True)
            score = json.loads(player.end.data or b"null") if player.end else None
            print(f"{name} has left with {score}", flush=True)
        except session.SessionClosedError as closed:
            print(f"{name} is gone: {closed}", flush=True)
        finally:
            del players[player.id]

    async with session.serve(play, host, port, on_request=decide) as server:
        print(f"listening on {server.address}", flush=True)
        await server.serve_forever()


async def play(host: str, port: int, name: str, version: int, score: int) -> None:
    data = json.dumps({"name": name, "version": version})
    async with session.connect(host, port, timeout=3.0, data=data.encode()) as server:
        print(f"with {json.loads(server.peer_data)}")
        server.send(b"jump")
        await server.close(1000, "game over", data=b"%d" % score)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?")
    parser.add_argument("score", type=int, nargs="?", default=0)
    parser.add_argument("--version", type=int, default=VERSION)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=27015)
    options = parser.parse_args()
    try:
        if options.name is None:
            with contextlib.suppress(KeyboardInterrupt):
                asyncio.run(serve(options.host, options.port))
        else:
            asyncio.run(play(options.host, options.port, options.name, options.version, options.score))
    except (session.SessionFailed, OSError) as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
