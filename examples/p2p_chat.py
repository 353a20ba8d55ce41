"""A chat without a server: all members of a room are connected to each other.

    gns-py signalling serve --tokens tokens.txt                    the service by which they find each other
    python p2p_chat.py TOKEN [ROOM [URL]]                          a member (ws://127.0.0.1:8765); start several

tokens.txt has lines such as "secret-of-ann str:ann". Without ROOM there is a new one; others join with the code that it
prints. Lines of the input go to all; Ctrl-C, or the end of the input, leaves. Needs gns-py[p2p].
"""

import asyncio
import contextlib
import sys
import threading

import gns_py.asyncio as gns
from gns_py import Identity
from gns_py.p2p import Peer
from gns_py.p2p.signalling import HostChanged, Room, SignallingError, WebSocketSignalling

members: dict[gns.Connection, str] = {}


async def talk(connection: gns.Connection) -> None:
    name = members[connection] = str(connection.remote_identity)  # as the signalling service has proved it
    print(f"* {name} is here", flush=True)
    with contextlib.suppress(gns.ConnectionClosed):
        async for data in connection:
            text = data.decode(errors="replace")
            print(f"{name}: {''.join(each for each in text if each.isprintable())}", flush=True)
    print(f"* {members.pop(connection)} has left", flush=True)


async def meet(peer: Peer, member: Identity) -> None:
    try:
        async with gns.connect(peer.at(member), timeout=15.0) as connection:
            print(f"* found a route to {member}: {connection.route}", flush=True)
            await talk(connection)
    except gns.ConnectFailed as error:
        print(f"* there is no way to {member}: {error}", flush=True)


async def watch(room: Room) -> None:
    async for event in room:
        if isinstance(event, HostChanged):
            print(f"* {event.host} is the host now", flush=True)


async def chat(token: str, code: str = "", url: str = "ws://127.0.0.1:8765") -> None:
    loop, lines = asyncio.get_running_loop(), asyncio.Queue[str]()

    def read_lines() -> None:  # in a thread, which waits for input until the program ends
        while line := sys.stdin.readline():
            loop.call_soon_threadsafe(lines.put_nowait, line)
        loop.call_soon_threadsafe(lines.put_nowait, "")

    async with (
        WebSocketSignalling(url, token=token) as signalling,
        Peer(signalling) as peer,
        gns.serve(talk, peer, 0),
    ):
        room = await (signalling.join(code) if code else signalling.create_room(capacity=8))
        print(f"* room {room.name}, host {room.host}", flush=True)
        # A newcomer connects to those who are there, so each two have one connection.
        tasks = [asyncio.ensure_future(each) for each in (watch(room), *(meet(peer, each) for each in room.others))]
        threading.Thread(target=read_lines, daemon=True).start()
        while line := await lines.get():
            for connection in list(members):
                with contextlib.suppress(gns.ConnectionClosed, gns.SendQueueFull):
                    connection.send(line.strip().encode())
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        try:
            asyncio.run(chat(*sys.argv[1:]))
        except SignallingError as error:
            sys.exit(str(error))
