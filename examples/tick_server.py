"""A game server's loop: one thread with all players, 30 ticks a second.

    python tick_server.py [HOST] [PORT]      (127.0.0.1 27015; port 0 finds a free one)

Players send inputs reliably: {"dx": 1, "dy": 0}, each a step. Every tick all of them get the same snapshot, unreliably,
because a newer one replaces a lost one: {"tick": 7, "players": {"1": [3, 0]}}. Ctrl-C ends the server.
"""

import argparse
import contextlib
import json
import time

import gns_py.sync as gns

TICK = 1 / 30


class World:
    def __init__(self) -> None:
        self.tick = 0
        self.players: dict[gns.Connection, list[int]] = {}
        self.joined = 0

    def handle(self, event: object) -> None:
        match event:
            case gns.ConnectionRequest():
                event.accept()
            case gns.StatusChanged(connection, new=gns.ConnectionState.CONNECTED):
                self.joined += 1
                connection.user_data = self.joined
                self.players[connection] = [0, 0]
                print(f"player {self.joined} joined from {connection.remote_address}", flush=True)
            case gns.StatusChanged(connection) if event.end and connection in self.players:
                del self.players[connection]
                print(f"player {event.info.user_data} left: {event.end}", flush=True)
            case gns.MessageReceived(connection, message) if connection in self.players:
                self.move(connection, message.data)

    def move(self, connection: gns.Connection, data: bytes) -> None:
        try:
            step = json.loads(data)
            dx, dy = (max(-1, min(1, int(step[axis]))) for axis in ("dx", "dy"))
        except (ValueError, TypeError, KeyError, RecursionError):  # never trust a peer
            connection.close(2000, "invalid input")
            return
        place = self.players[connection]
        place[0] += dx
        place[1] += dy

    def snapshot(self) -> bytes:
        self.tick += 1
        players = {connection.user_data: place for connection, place in self.players.items()}
        return json.dumps({"tick": self.tick, "players": players}).encode()


def main() -> None:
    parser = argparse.ArgumentParser(description="A game server's loop.")
    parser.add_argument("host", nargs="?", default="127.0.0.1")
    parser.add_argument("port", nargs="?", type=int, default=27015)
    arguments = parser.parse_args()

    world = World()
    with contextlib.suppress(KeyboardInterrupt), gns.listen(arguments.host, arguments.port) as socket:
        print(f"listening on {socket.address}", flush=True)
        next_tick = time.monotonic() + TICK
        while True:
            # Sleep natively until there is an event or the tick is due.
            while (remaining := next_tick - time.monotonic()) > 0:
                for event in socket.poll(remaining):
                    world.handle(event)
            next_tick += TICK
            socket.broadcast(world.snapshot(), reliable=False, nagle=False)


if __name__ == "__main__":
    main()
