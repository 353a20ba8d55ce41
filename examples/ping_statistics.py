"""An echo server for asyncio, and a client that pings it, with statistics.

    python ping_statistics.py serve [PORT]              (27015; 0: a free port)
    python ping_statistics.py ping HOST PORT [COUNT]    (10 pings, ten a second)

Unlike the library's own Connection.ping(), these are messages that the other program answers. They are unreliable: a
lost one stays lost, and is counted. The exit code is 1 if no answer arrives.
"""

import argparse
import asyncio
import statistics
import sys
import time

import gns_py.asyncio as gns


async def echo(connection: gns.Connection) -> None:
    print(f"{connection.remote_address} connected", flush=True)
    while True:
        message = await connection.recv_message()
        connection.send(message.data, reliable=message.reliable, nagle=False)


async def serve(port: int) -> None:
    async with gns.serve(echo, "127.0.0.1", port) as server:
        print(f"listening on {server.address}", flush=True)
        await server.serve_forever()


async def ping(host: str, port: int, count: int) -> int:
    times: list[float] = []
    async with gns.connect(host, port, timeout=3.0) as connection:
        for number in range(count):
            started = time.perf_counter()
            connection.send(b"%d" % number, reliable=False, nagle=False)
            try:
                while int(await asyncio.wait_for(connection.recv(), 1.0)) != number:
                    pass  # a late answer to an earlier message
            except asyncio.TimeoutError:
                print(f"{number}: lost")
            else:
                times.append(1000 * (time.perf_counter() - started))
                print(f"{number}: {times[-1]:.2f} ms")
            await asyncio.sleep(0.1)
        status = connection.stats()
    lost = count - len(times)
    print(f"{count} sent, {lost} lost ({100 * lost / count:.0f} %), quality {status.quality_local}")
    if times:
        print(f"min/avg/max/dev {min(times):.2f}/{statistics.mean(times):.2f}/{max(times):.2f}"
              f"/{statistics.pstdev(times):.2f} ms; the library's own: {status.ping_ms} ms")  # fmt: skip
    return 0 if times else 1


def main() -> int:
    parser = argparse.ArgumentParser(description="An echo server, and pings with statistics.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve").add_argument("port", nargs="?", type=int, default=27015)
    client = commands.add_parser("ping")
    client.add_argument("host")
    client.add_argument("port", type=int)
    client.add_argument("count", nargs="?", type=int, default=10)
    arguments = parser.parse_args()
    try:
        if arguments.command == "serve":
            asyncio.run(serve(arguments.port))
            return 0
        return asyncio.run(ping(arguments.host, arguments.port, arguments.count))
    except (gns.ConnectionClosed, OSError) as error:
        print(f"failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
